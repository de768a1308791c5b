"""Timer that updates the window, fast while something happens and slowly while idle."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

FAST_MS = 16
"""Interval while something happens: about 60 ticks per second."""
SLOW_MS = 200
"""Interval while idle; a tick costs 0.2 to 1 ms, so 60 per second are several percent of a core."""
_IDLE_TICKS = 30
"""Idle ticks before slowing down, about half a second: the last frames are still shown at once."""


class TickTimer(QTimer):
    """Ticks 60 times per second, and five times after half a second without activity.

    Parameters
    ----------
    tick : callable
        Updates the state; never blocks.
    is_idle : callable
        Called after each tick; returns True if the next tick has nothing urgent to do.
    parent : QObject
        Owner of the timer.
    """

    def __init__(
        self, tick: Callable[[], None], is_idle: Callable[[], bool], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._tick = tick
        self._is_idle = is_idle
        self._idle_ticks = 0
        self.setInterval(FAST_MS)
        self.timeout.connect(self._on_timeout)

    def wake(self, _: object = None) -> None:
        """Tick fast again."""
        self._idle_ticks = 0
        self._set_interval(FAST_MS)

    def _on_timeout(self) -> None:
        self._tick()
        if not self._is_idle():
            self.wake()
            return
        self._idle_ticks += 1
        if self._idle_ticks > _IDLE_TICKS:
            self._set_interval(SLOW_MS)

    def _set_interval(self, milliseconds: int) -> None:
        if self.interval() != milliseconds:  # setting the interval restarts the timer
            self.setInterval(milliseconds)
