"""What is drawn, and from where it is looked at."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ui.state.window import WindowState
from ui.widgets.bound_controls import action_button, check_box, percent_slider

_ABOUT_3D = (
    "Drag to turn, wheel to come nearer; the arrow keys and + and - do the same while the picture "
    "has the keyboard. The grid lies under the feet, half a metre a cell."
)


class ViewPage(QWidget):
    """A page for the side panel.

    Parameters
    ----------
    state : WindowState
    layouts, sides : sequence of QAction
        Choose what the stage holds, and from where the 3D view looks.
    """

    def __init__(
        self,
        state: WindowState,
        layouts: Sequence[QAction],
        sides: Sequence[QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        view = state.view
        self.opacity = percent_slider(
            "Opacity of the body, page", state.opacity, "Opacity of the body over the picture"
        )
        self.body = check_box("Body", view.mesh, "The body's surface (H)")
        self.skeleton = check_box("Skeleton", state.skeleton, "Bones and joints (S)")
        self.points = check_box(
            "Points", view.points, "Joints in the picture: green is sure, red is doubtful (J)"
        )
        self.box = check_box("Box", view.box, "The box around each person's joints (X)")
        self.ghost = check_box(
            "Before smoothing", view.ghost, "A pale body as the network measured it (G)"
        )
        self.mirror = check_box(
            "Mirror", state.mirror, "Left and right exchanged, of the view only (M)"
        )
        self.layouts = [action_button(action) for action in layouts]
        self.sides = [action_button(action) for action in sides]

        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(_heading("On the stage"))
        column.addLayout(_row(self.layouts))
        column.addSpacing(6)
        column.addWidget(_heading("Drawn"))
        for box in (self.body, self.skeleton, self.points, self.box, self.ghost, self.mirror):
            column.addWidget(box)
        label = QLabel("&Opacity of the body")
        label.setBuddy(self.opacity)
        column.addWidget(label)
        column.addWidget(self.opacity)
        column.addSpacing(6)
        column.addWidget(_heading("3D view from"))
        column.addLayout(_row(self.sides[:2]))
        column.addLayout(_row(self.sides[2:]))
        about = QLabel(_ABOUT_3D)
        about.setProperty("role", "quiet")
        about.setWordWrap(True)
        column.addWidget(about)
        column.addStretch(1)


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def _row(widgets: Sequence[QWidget]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    return row
