"""The window's beat: what brings its state up to date, often while something goes on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

QUICK_MILLISECONDS = 16
"""About 60 times a second."""
SLOW_MILLISECONDS = 100
"""A beat costs some .2 ms: 60 a second are more than 1 % of a core for a picture that stands."""
_QUIET_BEATS = 30
"""About half a second: what was on its way when a person paused is still shown at once."""


class TickTimer(QTimer):
    """Beats 60 times a second, and ten times once nothing has gone on for half a second.

    Parameters
    ----------
    beat : callable
        Brings the state up to date; never blocks.
    is_idle : callable
        Whether nothing goes on that the next beat would have to follow soon; asked after each.
    parent : QObject
        Owns it.
    """

    def __init__(
        self, beat: Callable[[], None], is_idle: Callable[[], bool], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._beat = beat
        self._at_rest = is_idle
        self._quiet = 0
        self.setInterval(QUICK_MILLISECONDS)
        self.timeout.connect(self._on_beat)

    def wake(self, _: object = None) -> None:
        """Beat quickly again: something was just asked for."""
        self._quiet = 0
        self._set(QUICK_MILLISECONDS)

    def _on_beat(self) -> None:
        self._beat()
        if not self._at_rest():
            self.wake()
            return
        self._quiet += 1
        if self._quiet > _QUIET_BEATS:
            self._set(SLOW_MILLISECONDS)

    def _set(self, milliseconds: int) -> None:
        if self.interval() != milliseconds:  # setting it starts the wait anew
            self.setInterval(milliseconds)
