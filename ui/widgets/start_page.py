"""What a person sees while no source is open: three ways to begin, and what was open last."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.state.window import SourceChoice, WindowState
from ui.widgets.icons import icon

_WIDTH, _LEAST_WIDTH = 440, 320


class StartPage(QWidget):
    """Camera, file or demo; the demo comes first where there is no camera.

    Signals carry what was chosen; they never carry pictures.
    """

    chosen = Signal(object)
    """A `SourceChoice`."""
    file_wanted = Signal()
    cameras_wanted = Signal()

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._preferred = ""
        title = QLabel("PyMAF Live")
        title.setObjectName("title")
        subtitle = QLabel("A 3D body that follows a person, and motion that you can keep.")
        subtitle.setProperty("role", "quiet")
        subtitle.setWordWrap(True)

        self.last = _choice("Go on")
        self.last.clicked.connect(self._choose_last)
        self.camera = _choice("Camera")
        self.camera.clicked.connect(self._choose_camera)
        self.camera_list = QComboBox()
        self.camera_list.setAccessibleName("Which camera")
        self.look_again = QToolButton()
        self.look_again.setText("Look again")
        self.look_again.setAccessibleName("Look for cameras again")
        self.look_again.clicked.connect(self.cameras_wanted)
        self.camera_note = QLabel()
        self.camera_note.setProperty("role", "quiet")
        self.file = _choice("Open a file…")
        self.file.setToolTip("A video, a picture or a folder of pictures (Ctrl+O)")
        self.file.clicked.connect(self.file_wanted)
        self.demo = _choice("Play the demo")
        self.demo.clicked.connect(self._choose_demo)
        self.drop_note = QLabel("You can also drop a video or pictures anywhere in this window.")
        self.drop_note.setProperty("role", "quiet")
        self.drop_note.setWordWrap(True)

        cameras = QHBoxLayout()
        cameras.setSpacing(8)
        cameras.addWidget(self.camera_note, 1)
        cameras.addWidget(self.camera_list, 1)
        cameras.addWidget(self.look_again)
        column = QVBoxLayout()
        column.setSpacing(10)
        column.addWidget(title)
        column.addWidget(subtitle)
        column.addSpacing(18)
        column.addWidget(self.last)
        column.addWidget(self.camera)
        column.addLayout(cameras)
        column.addSpacing(4)
        column.addWidget(self.file)
        column.addWidget(self.demo)
        column.addSpacing(8)
        column.addWidget(self.drop_note)
        block = QWidget()
        block.setLayout(column)
        block.setMinimumWidth(_LEAST_WIDTH)
        block.setMaximumWidth(_WIDTH)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(block, 100)
        middle.addStretch(1)
        whole = QWidget()
        inner = QVBoxLayout(whole)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addStretch(1)
        inner.addLayout(middle)
        inner.addStretch(1)
        # in a low window it scrolls: buttons that are pressed flat cannot be read
        scroll = QScrollArea()
        scroll.setWidget(whole)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.viewport().setAutoFillBackground(False)
        whole.setAutoFillBackground(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

        state.cameras.watch(self._on_cameras_change)
        state.demo.watch(self._on_demo_change)
        state.sources.last.watch(self._on_last_change)

    def prefer_camera(self, text: str) -> None:
        """Choose this camera beforehand whenever it is there."""
        self._preferred = text
        self._choose_preferred()

    def _choose_preferred(self) -> None:
        for row, camera in enumerate(self._state.cameras.value or ()):
            if camera.text == self._preferred.partition("@")[0]:
                self.camera_list.setCurrentIndex(row)

    def _on_cameras_change(self, cameras: tuple[SourceChoice, ...] | None) -> None:
        self.camera.setEnabled(bool(cameras))
        self.camera_list.clear()
        for camera in cameras or ():
            self.camera_list.addItem(camera.title, camera)
        self._choose_preferred()
        self.camera_list.setVisible(len(cameras or ()) > 1)
        self.look_again.setVisible(cameras is not None)
        if cameras is None:
            note = "Looking for cameras…"
        elif not cameras:
            note = "No camera was found. Plug one in and look again, or begin below."
        else:
            note = cameras[0].title if len(cameras) == 1 else ""
        self.camera_note.setText(note)
        self.camera_note.setWordWrap(True)
        self.camera_note.setVisible(bool(note))
        self._put_first()

    def _on_demo_change(self, demo: SourceChoice | None) -> None:
        self.demo.setEnabled(demo is not None)
        self.demo.setToolTip("" if demo else "This installation lacks the demo video.")
        self._put_first()

    def _on_last_change(self, last: SourceChoice | None) -> None:
        self.last.setVisible(last is not None)
        if last is not None:
            text = self.fontMetrics().elidedText(
                f"Go on with {last.title}", Qt.TextElideMode.ElideMiddle, _WIDTH * 2 // 3
            )
            self.last.setText(f"  {text}")
            self.last.setAccessibleName(f"Go on with {last.title}")
            self.last.setToolTip(last.text)
        self._put_first()

    def _put_first(self) -> None:
        """Mark the button that a person most likely wants."""
        main = self.file
        if self._state.sources.last.value is not None:
            main = self.last
        elif self._state.cameras.value:
            main = self.camera
        elif self._state.demo.value is not None:
            main = self.demo
        names = (
            (self.last, "play"),
            (self.camera, "camera"),
            (self.file, "open"),
            (self.demo, "demo"),
        )
        for button, name in names:
            is_main = button is main
            button.setProperty("role", "main" if is_main else None)
            button.setIcon(icon(name, "on_accent" if is_main else "text"))
            button.style().unpolish(button)
            button.style().polish(button)
        main.setDefault(True)
        if self.isVisible():
            main.setFocus()

    def _choose_camera(self) -> None:
        camera = self.camera_list.currentData()
        if camera is None:
            return
        preferred = self._preferred
        if preferred != camera.text and preferred.partition("@")[0] == camera.text:
            # the same camera as last time, with the size and rate of last time
            known = (mode for mode in camera.modes if mode.text == preferred)
            camera = next(known, camera)
        self.chosen.emit(camera)

    def _choose_last(self) -> None:
        if self._state.sources.last.value is not None:
            self.chosen.emit(self._state.sources.last.value)

    def _choose_demo(self) -> None:
        if self._state.demo.value is not None:
            self.chosen.emit(self._state.demo.value)


def _choice(text: str) -> QPushButton:
    button = QPushButton(f"  {text}")
    button.setObjectName("choice")
    button.setAccessibleName(text)
    button.setIconSize(QSize(24, 24))
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button
