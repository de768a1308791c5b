"""The menu View's entries about what is drawn, and the pages View and Inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence

from ui.state.observable import Observable
from ui.state.view import FRONT, SIDE, TOP, Layout, Viewpoint
from ui.state.window import WindowState
from ui.widgets.inside_page import InsidePage
from ui.widgets.main_window import MainWindow
from ui.widgets.view_page import ViewPage

_LAYOUTS = {
    Layout.PICTURE: ("Picture", "Only the picture with the body over it"),
    Layout.FREE: ("3D", "Only the body in space, to be turned"),
    Layout.BOTH: ("Both", "The picture, and the body in space beside it"),
}
_SIDES = (
    ("Front", "1", FRONT),
    ("Side", "2", SIDE),
    ("Top", "3", TOP),
    ("Oblique", "4", Viewpoint()),
)


class ViewFeature(QObject):
    """Adds its entries and pages to a window, and belongs to it.

    Parameters
    ----------
    window : MainWindow
    state : WindowState
    """

    def __init__(self, window: MainWindow, state: WindowState) -> None:
        super().__init__(window)
        self._view = state.view
        view = state.view
        self.layouts = self._layout_actions()
        self.next_layout = self._action(
            "Picture, 3D, both", "V", "Go round picture, 3D and both", self._go_round
        )
        self.sides = [
            self._action(
                text, keys, f"See the 3D view: {text.lower()}",
                partial(self._look_from, side),
            )
            for text, keys, side in _SIDES
        ]  # fmt: skip
        self.body = self._switch("Body", "H", "Draw the body's surface", view.mesh)
        self.points = self._switch("Points", "J", "Draw the joints as dots", view.points)
        self.box = self._switch("Box", "X", "Draw each person's box", view.box)
        self.ghost = self._switch(
            "Before smoothing", "G", "Draw a pale body as it was measured", view.ghost
        )
        self.inside = self._switch(
            "Inside the network", "N", "Show the network's levels", view.inside
        )
        self.view_page = ViewPage(state, list(self.layouts.values()), self.sides)
        self.inside_page = InsidePage(state)
        window.side_panel.add_page("view", "View", self.view_page)
        window.side_panel.add_page("inside", "Inside", self.inside_page)
        menu = window.view_menu
        menu.addActions([self.body, self.points, self.box, self.ghost])
        menu.addSeparator()
        menu.addActions([*self.layouts.values(), self.next_layout])
        side_menu = menu.addMenu("3D view &from")
        side_menu.addActions(self.sides)
        menu.addSeparator()
        menu.addAction(self.inside)
        view.layout.watch(lambda layout: self.layouts[layout].setChecked(True))

    def _layout_actions(self) -> dict[Layout, QAction]:
        group = QActionGroup(self)
        actions = {}
        for layout, (text, tip) in _LAYOUTS.items():
            action = self._action(text, "", tip, partial(self._view.layout.set, layout))
            action.setCheckable(True)
            group.addAction(action)
            actions[layout] = action
        return actions

    def _action(self, text: str, keys: str, tip: str, deed: Callable[[], None]) -> QAction:
        action = QAction(text, self)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.setStatusTip(tip)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        action.triggered.connect(lambda _=False: deed())
        return action

    def _switch(self, text: str, keys: str, tip: str, value: Observable[bool]) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.setStatusTip(tip)
        action.setToolTip(f"{tip} ({keys})")
        action.setCheckable(True)
        value.watch(action.setChecked)
        action.toggled.connect(value.set)
        return action

    def _go_round(self) -> None:
        self._view.layout.set(self._view.layout.value.next)

    def _look_from(self, side: Viewpoint) -> None:
        """From a side; who looks at the picture alone wants the 3D view beside it."""
        self._view.viewpoint.set(self._view.viewpoint.value.seen_from(side))
        if self._view.layout.value is Layout.PICTURE:
            self._view.layout.set(Layout.BOTH)
