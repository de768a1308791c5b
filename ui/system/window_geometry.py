"""Remember where the window was."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect
from PySide6.QtWidgets import QWidget

from ui.state.observable import Observable
from ui.state.view import Geometry
from ui.system.screen_fit import clamped


class WindowGeometry(QObject):
    """Restores the geometry of a window, and keeps it up to date in the state.

    Parameters
    ----------
    window : QWidget
    geometry : Observable of Geometry or None
    """

    def __init__(self, window: QWidget, geometry: Observable[Geometry | None]) -> None:
        super().__init__(window)
        self._window = window
        self._geometry = geometry
        if geometry.value is not None:
            # a screen may have been removed, or scaled otherwise, since
            window.setGeometry(clamped(QRect(*geometry.value)))
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Store the geometry of the window that is neither maximised nor minimised."""
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show):
            place = self._window.normalGeometry()
            self._geometry.set((place.x(), place.y(), place.width(), place.height()))
        return super().eventFilter(watched, event)
