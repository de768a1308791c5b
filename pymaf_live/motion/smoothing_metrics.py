"""What smoothing does to motion, measured while it runs: the jitter that is left, the delay."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array, Person

_KEPT = 2.5
"""Seconds that are looked back on."""
_LEAST = 12
"""Frames before anything is said."""
_MOST_DELAY = 0.4
"""Seconds that are searched."""
_STEP = 0.01
_COORDINATES = 8
"""Those that move most tell as much as all."""
_LEAST_MOTION = 0.02
"""m, root mean square about the mean; who stands still has no delay that could be measured."""


@dataclass(frozen=True)
class Effect:
    """Of the last seconds."""

    jitter: float
    """mm: trembling of the joints that is shown, as `jitter`."""
    raw_jitter: float
    """mm: the same, as measured by the network."""
    delay: float | None
    """Seconds that the shown motion lags behind the measured; None while nobody moves enough."""


class EffectMeter:
    """Follows one person's joints, as measured and as shown."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Array, Array]] = deque()
        self._person: int | None = None

    def add(self, time: float, raw: tuple[Person, ...], shown: tuple[Person, ...]) -> None:
        """Take in a frame; the first person that is in both is followed.

        Parameters
        ----------
        time : float
            Seconds, of the frame; one that does not rise begins anew.
        raw, shown : tuple of Person
            Before and after the smoothing. Predicted people do not count.
        """
        of_id = {person.id: person for person in shown if not person.predicted}
        both = [(person, of_id[person.id]) for person in raw if person.id in of_id]
        if not both:
            return
        known = [pair for pair in both if pair[0].id == self._person]
        measured, smooth = (known or both)[0]
        if measured.id != self._person or (self._samples and time <= self._samples[-1][0]):
            self._samples.clear()
            self._person = measured.id
        self._samples.append((time, np.asarray(measured.joints), np.asarray(smooth.joints)))
        while time - self._samples[0][0] > _KEPT:
            self._samples.popleft()

    def effect(self) -> Effect | None:
        """Of the last seconds; None before there is enough of them."""
        if len(self._samples) < _LEAST:
            return None
        times = np.array([sample[0] for sample in self._samples])
        raw = np.stack([sample[1] for sample in self._samples])
        shown = np.stack([sample[2] for sample in self._samples])
        return Effect(
            jitter=1000 * jitter(times, shown),
            raw_jitter=1000 * jitter(times, raw),
            delay=delay(times, raw, shown),
        )


def jitter(times: Array, joints: Array) -> float:
    """Trembling in metres: the spread of joints about the line between their neighbours in time.

    Smooth motion gives next to nothing, white noise of standard deviation s a coordinate sqrt(3) s,
    whatever the intervals: the noise of x1 - (w0 x0 + w2 x2) has variance s^2 (1 + w0^2 + w2^2).
    The median over time keeps single jumps out of it.

    Parameters
    ----------
    times : (F,) array
        Seconds, rising; F at least 3.
    joints : (F, J, 3) array
        Metres.
    """
    span = times[2:] - times[:-2]
    before = (times[2:] - times[1:-1]) / span
    after = 1 - before
    between = before[:, None, None] * joints[:-2] + after[:, None, None] * joints[2:]
    off = joints[1:-1] - between
    squares = (off**2).sum(axis=2) / (1 + before**2 + after**2)[:, None]
    # of a chi-squared variable with three degrees of freedom the median is 0.7887 of the mean
    return float(np.sqrt(np.median(squares) / 0.7887))


def delay(times: Array, raw: Array, shown: Array) -> float | None:
    """Seconds that `shown` lags behind `raw`: the shift at which they differ least.

    Parameters
    ----------
    times : (F,) array
        Seconds, rising.
    raw, shown : (F, J, 3) array
        Metres.

    Returns
    -------
    float or None
        None while nobody moves enough to tell.
    """
    flat = raw.reshape(len(times), -1)
    motion = flat.std(axis=0)
    best = np.argsort(motion)[-_COORDINATES:]
    if float(np.sqrt((motion[best] ** 2).mean())) < _LEAST_MOTION:
        return None
    first = times[0] + _MOST_DELAY
    late = times >= first
    if late.sum() < _LEAST // 2:
        return None
    target = shown.reshape(len(times), -1)[late][:, best]
    shifts = np.arange(0.0, _MOST_DELAY, _STEP)
    errors = np.empty(len(shifts))
    for number, shift in enumerate(shifts):
        moved = np.stack([np.interp(times[late] - shift, times, flat[:, one]) for one in best], 1)
        errors[number] = ((moved - target) ** 2).mean()
    least = int(errors.argmin())
    if 0 < least < len(shifts) - 1:  # between the steps: the bottom of the parabola through three
        left, middle, right = errors[least - 1 : least + 2]
        bend = left - 2 * middle + right
        if bend > 0:
            return float(shifts[least] + _STEP * (left - right) / (2 * bend))
    return float(shifts[least])
