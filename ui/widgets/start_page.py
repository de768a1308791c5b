"""Start page, shown while no source is open."""

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
from ui.widgets.labels import quiet_label

_MAX_WIDTH, _MIN_WIDTH = 440, 320


class StartPage(QWidget):
    """Buttons to open the last source, a camera, a file or the demo.

    Parameters
    ----------
    state : WindowState
    parent : QWidget, optional
    """

    chosen = Signal(object)
    """The user chose a source; carries a `SourceChoice`."""
    file_requested = Signal()
    """The user wants to open a file."""
    cameras_requested = Signal()
    """The user wants to search for cameras again."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._preferred = ""
        title = QLabel("PyMAF Live")
        title.setObjectName("title")
        subtitle = quiet_label("Real-time 3D body tracking and motion capture from any camera")
        self.last = _choice_button("Reopen")
        self.last.clicked.connect(self._choose_last)
        self.camera = _choice_button("Camera")
        self.camera.clicked.connect(self._choose_camera)
        self.camera_list = QComboBox()
        self.camera_list.setAccessibleName("Camera to open")
        self.refresh = QToolButton()
        self.refresh.setText("Refresh")
        self.refresh.setAccessibleName("Search for cameras again")
        self.refresh.clicked.connect(self.cameras_requested)
        self.camera_note = quiet_label()
        self.file = _choice_button("Open file…")
        self.file.setToolTip("Open a video, an image or a folder of images (Ctrl+O)")
        self.file.clicked.connect(self.file_requested)
        self.demo = _choice_button("Play the demo")
        self.demo.clicked.connect(self._choose_demo)
        self.drop_note = quiet_label("You can also drop a video or images onto this window.")
        self._lay_out(title, subtitle)

        state.cameras.watch(self._on_cameras_change)
        state.demo.watch(self._on_demo_change)
        state.sources.recent.watch(self._on_last_change)

    def _lay_out(self, title: QLabel, subtitle: QLabel) -> None:
        cameras = QHBoxLayout()
        cameras.setSpacing(8)
        cameras.addWidget(self.camera_note, 1)
        cameras.addWidget(self.camera_list, 1)
        cameras.addWidget(self.refresh)
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
        block.setMinimumWidth(_MIN_WIDTH)
        block.setMaximumWidth(_MAX_WIDTH)
        centred = QHBoxLayout()
        centred.addStretch(1)
        centred.addWidget(block, 100)
        centred.addStretch(1)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addStretch(1)
        inner.addLayout(centred)
        inner.addStretch(1)
        # in a low window the page scrolls instead of squeezing its buttons
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def prefer_camera(self, text: str) -> None:
        """Preselect a camera whenever it is available.

        Parameters
        ----------
        text : str
            `SourceChoice.text` of the camera, optionally with a mode.
        """
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
        self.refresh.setVisible(cameras is not None)
        if cameras is None:
            note = "Searching for cameras…"
        elif not cameras:
            note = "No camera found. Connect one and press Refresh."
        else:
            note = cameras[0].title if len(cameras) == 1 else ""
        self.camera_note.setText(note)
        self.camera_note.setVisible(bool(note))
        self._mark_main_button()

    def _on_demo_change(self, demo: SourceChoice | None) -> None:
        self.demo.setEnabled(demo is not None)
        missing = "The demo video is missing. Reinstall PyMAF Live to get it."
        self.demo.setToolTip("" if demo else missing)
        self._mark_main_button()

    def _on_last_change(self, last: SourceChoice | None) -> None:
        self.last.setVisible(last is not None)
        if last is not None:
            text = self.fontMetrics().elidedText(
                f"Reopen {last.title}", Qt.TextElideMode.ElideMiddle, _MAX_WIDTH * 2 // 3
            )
            self.last.setText(f"  {text}")
            self.last.setAccessibleName(f"Reopen {last.title}")
            self.last.setToolTip(last.text)
        self._mark_main_button()

    def _mark_main_button(self) -> None:
        """Highlight the button that the user most likely needs."""
        main = self.file
        if self._state.sources.recent.value is not None:
            main = self.last
        elif self._state.cameras.value:
            main = self.camera
        elif self._state.demo.value is not None:
            main = self.demo
        icons = (
            (self.last, "play"),
            (self.camera, "camera"),
            (self.file, "open"),
            (self.demo, "demo"),
        )
        for button, icon_name in icons:
            is_main = button is main
            button.setProperty("role", "primary" if is_main else None)
            button.setIcon(icon(icon_name, "on_accent" if is_main else "text"))
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
            # the camera used last, in the mode used last
            matching = (mode for mode in camera.modes if mode.text == preferred)
            camera = next(matching, camera)
        self.chosen.emit(camera)

    def _choose_last(self) -> None:
        if self._state.sources.recent.value is not None:
            self.chosen.emit(self._state.sources.recent.value)

    def _choose_demo(self) -> None:
        if self._state.demo.value is not None:
            self.chosen.emit(self._state.demo.value)


def _choice_button(text: str) -> QPushButton:
    button = QPushButton(f"  {text}")
    button.setObjectName("choice")
    button.setAccessibleName(text)
    button.setIconSize(QSize(24, 24))
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button
