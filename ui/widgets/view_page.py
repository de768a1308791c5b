"""Side panel page for the display of bodies and the 3D viewpoint."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from pymaf_live.types import BodyStyle
from ui.state.window import WindowState
from ui.widgets.bound_controls import action_button, check_box, combo_box, percent_slider
from ui.widgets.labels import heading, quiet_label, row_of

_ABOUT_3D = (
    "Drag to turn and use the mouse wheel to zoom, or the arrow keys and + and − while the view "
    "has the focus. Grid cells are half a metre wide."
)

BODY_STYLES: tuple[tuple[BodyStyle, str], ...] = (
    ("clothed", "Clothed"),
    ("plain", "Plain, in the person's colour"),
    ("grey", "Grey"),
    ("wireframe", "Wireframe"),
    ("skeleton", "Skeleton only"),
    ("confidence", "Confidence of the joints"),
)


class ViewPage(QWidget):
    """Side panel page "View".

    Parameters
    ----------
    state : WindowState
    layouts : sequence of QAction
        Choose image, 3D view or both.
    viewpoints : sequence of QAction
        Choose the viewpoint of the 3D view.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: WindowState,
        layouts: Sequence[QAction],
        viewpoints: Sequence[QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        view = state.view
        self.opacity = percent_slider(
            "Opacity of the body, page", state.opacity, "Opacity of the body over the image"
        )
        self.body_style = combo_box(
            "Appearance of people",
            BODY_STYLES,
            view.body_style,
            "Appearance of people in the window and in overlay videos",
        )
        self.mesh = check_box("Body", view.mesh, "Draw the body (H)")
        self.skeleton = check_box("Skeleton", state.skeleton, "Draw bones and joints (S)")
        self.points = check_box(
            "Joints",
            view.points,
            "Draw joints as dots: green for high confidence, red for low (J)",
        )
        self.box = check_box("Boxes", view.box, "Draw a box around each person (X)")
        self.ghost = check_box(
            "Before smoothing", view.ghost, "Draw the unsmoothed body as well, pale (G)"
        )
        self.mirror = check_box("Mirror", state.mirror, "Mirror the view only (M)")
        self.layouts = [action_button(action) for action in layouts]
        self.viewpoints = [action_button(action) for action in viewpoints]

        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(heading("Layout"))
        column.addLayout(row_of(*self.layouts, spacing=4))
        column.addSpacing(6)
        column.addWidget(heading("Show"))
        for box in (self.mesh, self.skeleton, self.points, self.box, self.ghost, self.mirror):
            column.addWidget(box)
        style = QLabel("A&ppearance of people")
        style.setBuddy(self.body_style)
        column.addWidget(style)
        column.addWidget(self.body_style)
        label = QLabel("&Opacity of the body")
        label.setBuddy(self.opacity)
        column.addWidget(label)
        column.addWidget(self.opacity)
        column.addSpacing(6)
        column.addWidget(heading("3D viewpoint"))
        column.addLayout(row_of(*self.viewpoints[:2], spacing=4))
        column.addLayout(row_of(*self.viewpoints[2:], spacing=4))
        column.addWidget(quiet_label(_ABOUT_3D))
        column.addStretch(1)
