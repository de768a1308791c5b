"""Strictly increasing presentation times from the time stamps of a file, however bad they are."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from pymaf_live.types import LONGEST_PAUSE

T = TypeVar("T")

LOOKAHEAD = 4
"""Frames whose stamps are known before a time is given out. Files without presentation times (AVI)
store the stamps in the order of decoding, which differs by fewer places."""
_MAX_DISORDER = 6.0
"""Intervals that a stamp may lie before its predecessor and still count as out of order."""
_RECENT = 16
"""Stamps that are compared to find repeated ones."""
_SAME = 0.6
"""Intervals; a stamp before the newest one that is closer to an earlier one repeats that."""
_STUCK_STEP, _STUCK_COUNT = 0.1, 3
"""Intervals, and number of steps that are smaller, after which the stamps stand still."""
_ROUNDING = 1e-6
"""Intervals; smaller steps are rounding errors of shifted stamps."""
MIN_STEP = 1e-4
"""Smallest distance of two times, seconds."""


class PresentationClock:
    """Gives strictly increasing times to frames that arrive in the order of presentation.

    Stamps in order stay as they are. Stamps in the order of decoding are sorted. Where stamps jump
    by more than `LONGEST_PAUSE`, start again, repeat or are missing, the next frame follows after
    one nominal interval, and all later stamps are shifted. A single stamp far off its neighbours is
    replaced by their mean.

    Parameters
    ----------
    interval : float
        Nominal seconds between frames.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._shift = 0.0
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._newest: float | None = None
        """Largest time so far, also of frames that wait."""
        self._before_newest: float | None = None
        self._last: float | None = None
        """Last time that was given out."""
        self._waiting: list[float] = []
        self._small_steps = 0
        self.corrections = 0
        """Places where the stamps made no sense and later ones were shifted."""
        self.closed_seconds = 0.0
        """Total length of the pauses that were closed up."""

    def times(self, items: Iterable[tuple[T, float | None]]) -> Iterator[tuple[T, float]]:
        """Yield each item with its time in seconds; None as stamp where there is none."""
        ahead: deque[T] = deque()
        for item, stamp in items:
            self._add(stamp)
            ahead.append(item)
            if len(ahead) > LOOKAHEAD:
                yield ahead.popleft(), self._next()
        while ahead:
            yield ahead.popleft(), self._next()

    def restart(self, first_stamp: float) -> None:
        """Shift all further stamps so that `first_stamp` follows the last time by one interval."""
        if self._newest is not None:
            self._shift = self._newest + self._interval - first_stamp
            self._recent.clear()

    def _next(self) -> float:
        time = self._waiting.pop(0)
        if self._last is not None and time <= self._last:
            time = self._last + MIN_STEP
        self._last = time
        return time

    def _add(self, stamp: float | None) -> None:
        """Enter the stamp of the newest frame."""
        if self._newest is None:
            self._enter(stamp or 0.0)
            return
        following = self._newest + self._interval
        if stamp is None:
            self._enter(following)
            return
        time = stamp + self._shift
        if self._is_after_spike(time):
            self._replace_spike(time)
        elif time - self._newest > LONGEST_PAUSE:
            self.closed_seconds += time - following
            self._shift_to(following, stamp)
            return
        elif self._stands_still(time) or (time <= self._newest and not self._is_out_of_order(time)):
            self._shift_to(following, stamp)
            return
        self._enter(time)

    def _stands_still(self, time: float) -> bool:
        """Return True at the end of a run of stamps that hardly increase."""
        assert self._newest is not None
        step = (time - self._newest) / self._interval
        self._small_steps = self._small_steps + 1 if 0 < step < _STUCK_STEP else 0
        return 0 < step < _ROUNDING or self._small_steps > _STUCK_COUNT

    def _is_out_of_order(self, time: float) -> bool:
        """Return True if a time before the newest one fits between earlier times."""
        assert self._newest is not None
        near = self._newest - time < _MAX_DISORDER * self._interval
        repeated = any(abs(time - seen) < _SAME * self._interval for seen in self._recent)
        return near and not repeated and (self._last is None or time > self._last)

    def _is_after_spike(self, time: float) -> bool:
        """Return True if a time continues from the stamp before the newest one."""
        before, newest = self._before_newest, self._newest
        if before is None or newest is None or not self._waiting or self._waiting[-1] != newest:
            return False
        far = newest - time > _MAX_DISORDER * self._interval
        return far and before < time <= before + _MAX_DISORDER * self._interval

    def _replace_spike(self, time: float) -> None:
        assert self._before_newest is not None
        middle = (self._before_newest + time) / 2
        self._waiting[-1] = self._newest = middle
        self._recent[-1] = middle
        self.corrections += 1

    def _shift_to(self, time: float, stamp: float) -> None:
        self._shift = time - stamp
        self._recent.clear()
        self.corrections += 1
        self._enter(time)

    def _enter(self, time: float) -> None:
        self._recent.append(time)
        insort(self._waiting, time)
        if self._newest is None or time > self._newest:
            self._before_newest, self._newest = self._newest, time


def describe_corrections(clock: PresentationClock) -> str:
    """Return a line about what a clock corrected; empty if nothing."""
    if not clock.corrections:
        return ""
    places = "1 place" if clock.corrections == 1 else f"{clock.corrections} places"
    text = f"the time stamps are wrong at {places} and were corrected"
    if clock.closed_seconds:
        text += f"; {clock.closed_seconds:.0f} s without frames were closed up"
    return text
