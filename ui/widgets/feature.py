"""Base of the parts that add menu entries, pages and banners to the window."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ui.state.window import WindowState
from ui.widgets.main_window import MainWindow


class Feature(QObject):
    """Part of a window; the subclasses add what it consists of.

    Parameters
    ----------
    window : MainWindow
        Becomes the parent.
    state : WindowState
    """

    def __init__(self, window: MainWindow, state: WindowState) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
