"""Entries of the View menu about display, and the View and Inside pages."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QAction, QActionGroup

from ui.state.view import FRONT, SIDE, TOP, Layout, Viewpoint
from ui.state.window import WindowState
from ui.widgets.action_factory import make_action, make_switch
from ui.widgets.feature import Feature
from ui.widgets.inside_page import InsidePage
from ui.widgets.main_window import MainWindow
from ui.widgets.view_page import ViewPage

_LAYOUTS = {
    Layout.PICTURE: ("Image", "Show the image with the body over it"),
    Layout.FREE: ("3D", "Show the body in 3D space"),
    Layout.BOTH: ("Both", "Show the image and the 3D view side by side"),
}
_VIEWPOINTS = (
    ("Front", "1", FRONT),
    ("Side", "2", SIDE),
    ("Top", "3", TOP),
    ("Oblique", "4", Viewpoint()),
)


class ViewFeature(Feature):
    """Adds its entries and pages to a window; see `Feature`."""

    def __init__(self, window: MainWindow, state: WindowState) -> None:
        super().__init__(window, state)
        self._view = state.view
        view = state.view
        self.layouts = self._layout_actions()
        self.next_layout = make_action(
            self, "Next layout", "V", "Switch between image, 3D and both", self._show_next_layout
        )
        self.viewpoints = [
            make_action(
                self,
                text,
                keys,
                f"Turn the 3D view: {text.lower()}",
                partial(self._set_viewpoint, viewpoint),
            )
            for text, keys, viewpoint in _VIEWPOINTS
        ]
        self.mesh = make_switch(self, "Body", "H", "Draw the body mesh", view.mesh)
        self.points = make_switch(self, "Joints", "J", "Draw the joints as dots", view.points)
        self.box = make_switch(self, "Boxes", "X", "Draw a box around each person", view.box)
        self.ghost = make_switch(
            self, "Before smoothing", "G", "Draw the unsmoothed body as well, pale", view.ghost
        )
        self.inside = make_switch(
            self, "Inside the network", "N", "Show the network's levels", view.inside
        )
        self.view_page = ViewPage(state, list(self.layouts.values()), self.viewpoints)
        self.inside_page = InsidePage(state)
        window.side_panel.add_page("view", "View", self.view_page)
        window.side_panel.add_page("inside", "Inside", self.inside_page)
        menu = window.menus.view
        menu.addActions([self.mesh, self.points, self.box, self.ghost])
        menu.addSeparator()
        menu.addActions([*self.layouts.values(), self.next_layout])
        viewpoint_menu = menu.addMenu("3D &viewpoint")
        viewpoint_menu.addActions(self.viewpoints)
        menu.addSeparator()
        menu.addAction(self.inside)
        view.layout.watch(lambda layout: self.layouts[layout].setChecked(True))

    def _layout_actions(self) -> dict[Layout, QAction]:
        group = QActionGroup(self)
        actions = {}
        for layout, (text, tip) in _LAYOUTS.items():
            action = make_action(self, text, "", tip, partial(self._view.layout.set, layout))
            action.setCheckable(True)
            group.addAction(action)
            actions[layout] = action
        return actions

    def _show_next_layout(self) -> None:
        self._view.layout.set(self._view.layout.value.next)

    def _set_viewpoint(self, viewpoint: Viewpoint) -> None:
        """Turn the 3D view, opening it beside the image if it is hidden."""
        self._view.viewpoint.set(self._view.viewpoint.value.seen_from(viewpoint))
        if self._view.layout.value is Layout.PICTURE:
            self._view.layout.set(Layout.BOTH)
