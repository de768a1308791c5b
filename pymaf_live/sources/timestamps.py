"""Times that rise, made from the stamps of a file."""

from __future__ import annotations

LEAST_STEP = 1e-4
LARGEST_DISORDER = 1.0
"""Seconds a stamp may lie before its predecessor and still count as a slip; more is a new start of
the stamps (joined recordings, transport streams), after which all of them are shifted."""


class RisingClock:
    """Makes strictly rising times of presentation stamps, leaving good ones as they are.

    Parameters
    ----------
    interval : float
        Nominal seconds between frames, for frames without a usable stamp.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._shift = 0.0
        self._last: float | None = None

    def time_of(self, stamp: float | None) -> float:
        """Time in seconds of the frame stamped `stamp` (s; None where it has no stamp)."""
        if self._last is None:
            self._last = stamp or 0.0
            return self._last
        if stamp is None:
            self._last += self._interval
            return self._last
        time = stamp + self._shift
        if time <= self._last:
            if self._last - time < LARGEST_DISORDER:
                time = self._last + LEAST_STEP
            else:
                time = self._last + self._interval
                self._shift = time - stamp
        self._last = time
        return time

    def start_again(self, first_stamp: float) -> None:
        """Shift all further stamps so that `first_stamp` follows the last time by one interval."""
        if self._last is not None:
            self._shift = self._last + self._interval - first_stamp
