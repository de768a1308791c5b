"""Menu bar of the main window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import QMenu, QMenuBar

from ui.state.source import SourceChoice
from ui.state.window import WindowState
from ui.widgets.actions import Actions
from ui.widgets.side_panel import SidePanel
from ui.widgets.source_menu import SourceMenu


class Menus:
    """Menus Source, Take and View; features add their own entries and menus.

    Parameters
    ----------
    bar : QMenuBar
    state : WindowState
    actions : Actions
    side_panel : SidePanel
        Its pages are listed in the View menu.
    open_choice : callable
        Opens a source.
    find_cameras : callable
        Searches for cameras.
    """

    def __init__(
        self,
        bar: QMenuBar,
        state: WindowState,
        actions: Actions,
        side_panel: SidePanel,
        open_choice: Callable[[SourceChoice], None],
        find_cameras: Callable[[], None],
    ) -> None:
        self._side_panel = side_panel
        self.source = SourceMenu(state, actions, open_choice, find_cameras, bar)
        bar.addMenu(self.source)
        self.take: QMenu = bar.addMenu("&Take")
        self.take.addActions([actions.capture, actions.record, actions.export])
        self.view: QMenu = bar.addMenu("&View")
        self.view.addActions([actions.pause, actions.loop, actions.mute])
        self.view.addSeparator()
        self.view.addAction(actions.panel)
        self._pages: QMenu = self.view.addMenu("Panel &page")
        self._pages.aboutToShow.connect(self._fill_pages)
        self.view.addSeparator()
        self.view.addActions([actions.skeleton, actions.mirror])

    def _fill_pages(self) -> None:
        self._pages.clear()
        for name, title in self._side_panel.page_titles():
            show_page = partial(self._side_panel.show_page, name)
            self._pages.addAction(title).triggered.connect(lambda _=False, show=show_page: show())
