"""Banner shown while a source is unavailable."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from ui.state.source import SourceChoice
from ui.state.window import WindowState
from ui.widgets.banner import Banner


class SourceBanner(Banner):
    """States why a source is unavailable and offers the demo instead.

    Parameters
    ----------
    state : WindowState
    demo : QAction
        Plays the demo.
    stop_waiting : callable
        Stops waiting for the source.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: WindowState,
        demo: QAction,
        stop_waiting: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("error", parent)
        self._state = state
        self.demo = self.add_button("Play the demo", "Play the demo instead")
        self.demo.clicked.connect(demo.trigger)
        self.stop = self.add_button("Stop waiting", "Stop waiting for this source")
        self.stop.clicked.connect(lambda: stop_waiting())
        state.demo.watch(self._on_demo_change)
        state.sources.outage.watch(self.show_text)

    def _on_demo_change(self, demo: SourceChoice | None) -> None:
        self.demo.setVisible(demo is not None)
