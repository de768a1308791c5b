"""Bar below the canvas: pause, record, export, and display of the body."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QSlider, QToolButton, QWidget

from ui.state.window import TakePhase, TakeStatus, WindowState
from ui.widgets.actions import Actions
from ui.widgets.formatting import clock
from ui.widgets.icons import icon
from ui.widgets.responsive_row import ElidedLabel, ResponsiveRow


class TransportBar(ResponsiveRow):
    """Buttons for the shared actions on the left, display controls on the right.

    In a narrow window the display controls are hidden; the View page and menu have them as well.

    Parameters
    ----------
    state : WindowState
    actions : Actions
    parent : QWidget, optional
    """

    def __init__(self, state: WindowState, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.pause = _button(actions.pause, "Pause or resume")
        self.record = _button(actions.record, "Record or stop recording")
        self.capture = _capture_button(actions.capture)
        self.export = _button(actions.export, "Export the recorded take")
        self.take_note = ElidedLabel()
        self.take_note.setProperty("role", "secondary")
        self.take_note.setAccessibleName("Recording")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setFixedWidth(120)
        self.opacity.setAccessibleName("Opacity of the body")
        self.opacity.setToolTip("Opacity of the body over the image")
        label = QLabel("&Body")
        label.setBuddy(self.opacity)
        self.skeleton = _button(actions.skeleton, "Draw the skeleton")
        self.mirror = _button(actions.mirror, "Mirror the view")

        row = self.row
        row.setContentsMargins(14, 10, 14, 10)
        row.setSpacing(8)
        for widget in (self.pause, self.capture, self.record, self.export):
            row.addWidget(widget)
        row.addSpacing(6)
        row.addWidget(self.take_note, 1)
        row.addWidget(label)
        row.addWidget(self.opacity)
        row.addSpacing(10)
        row.addWidget(self.skeleton)
        row.addWidget(self.mirror)
        self.may_lose_text(self.pause, self.record, self.export)
        self.may_lose_text(self.capture)
        self.may_hide(label, self.opacity)
        self.may_hide(self.skeleton, self.mirror)

        state.take.watch(self._on_take_change)
        state.opacity.watch(lambda value: self.opacity.setValue(round(100 * value)))
        self.opacity.valueChanged.connect(lambda percent: state.opacity.set(percent / 100))

    def _on_take_change(self, take: TakeStatus) -> None:
        if take.phase is TakePhase.NONE:
            text = ""
        elif take.phase is TakePhase.RECORDING:
            text = f"Recording  {clock(take.seconds)}"
        elif take.phase is TakePhase.EXPORTING:
            text = "Exporting…"
        else:
            text = f"Take of {clock(take.seconds)}"
            if take.rows == 0:
                text += ", no people in it"
            elif not take.exported:
                text += ", not exported yet"
        self.take_note.setText(text)


def _capture_button(action: QAction) -> QToolButton:
    """Return the primary button of an open video, hidden where there is none."""
    button = _button(action, "Capture the whole video in the background")
    button.setProperty("role", "primary")

    def update() -> None:
        button.setVisible(action.isVisible())
        # menus show the action's own icon, in the text colour
        button.setIcon(icon("capture", "on_accent"))

    action.changed.connect(update)
    update()
    return button


def _button(action: QAction, name: str) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setIconSize(QSize(18, 18))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setAccessibleName(name)
    return button
