"""Strictly increasing times from the presentation time stamps of a file."""

from __future__ import annotations

MIN_STEP = 1e-4
"""Smallest distance of two times, seconds."""
MAX_DISORDER = 1.0
"""Seconds that a stamp may lie before its predecessor and still count as out of order. A larger
step back is a restart of the stamps (joined recordings, transport streams): all later stamps are
shifted."""


class MonotonicClock:
    """Makes strictly increasing times of time stamps; stamps in order stay as they are.

    Parameters
    ----------
    interval : float
        Nominal seconds between frames, for frames without a usable stamp.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._shift = 0.0
        self._last: float | None = None

    def time_for(self, stamp: float | None) -> float:
        """Return the time in seconds of the frame with a stamp; None where it has no stamp."""
        if self._last is None:
            self._last = stamp or 0.0
            return self._last
        if stamp is None:
            self._last += self._interval
            return self._last
        time = stamp + self._shift
        if time <= self._last:
            if self._last - time < MAX_DISORDER:
                time = self._last + MIN_STEP
            else:
                time = self._last + self._interval
                self._shift = time - stamp
        self._last = time
        return time

    def restart(self, first_stamp: float) -> None:
        """Shift all further stamps so that `first_stamp` follows the last time by one interval."""
        if self._last is not None:
            self._shift = self._last + self._interval - first_stamp
