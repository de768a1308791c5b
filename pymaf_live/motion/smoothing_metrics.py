"""Live measurement of smoothing: remaining jitter and added delay."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array, Person

_WINDOW = 2.5
"""Length of the measured time, seconds."""
_MIN_FRAMES = 12
"""Frames before anything is reported."""
_MAX_DELAY = 0.4
"""Largest delay that is searched, seconds."""
_DELAY_STEP = 0.01
_COORDINATES = 8
"""Number of coordinates, those that move most, that the delay is measured on."""
_MIN_MOTION = 0.02
"""Smallest motion (m, root mean square about the mean) from which a delay can be measured."""


@dataclass(frozen=True)
class SmoothingMetrics:
    """Effect of the smoothing over the last seconds."""

    jitter: float
    """Jitter of the joints as shown, mm; see `jitter`."""
    raw_jitter: float
    """Jitter of the joints as measured by the network, mm."""
    delay: float | None
    """Delay of the shown motion in seconds; None while there is too little motion."""


class SmoothingMeter:
    """Collects one person's joints, as measured and as shown."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Array, Array]] = deque()
        self._person: int | None = None

    def add(self, time: float, raw: tuple[Person, ...], shown: tuple[Person, ...]) -> None:
        """Add a frame; the first person in both lists is measured.

        Parameters
        ----------
        time : float
            Time of the frame in seconds; if it does not increase, the measurement restarts.
        raw, shown : tuple of Person
            People before and after the smoothing. Predicted people do not count.
        """
        by_id = {person.id: person for person in shown if not person.predicted}
        pairs = [(person, by_id[person.id]) for person in raw if person.id in by_id]
        if not pairs:
            return
        known = [pair for pair in pairs if pair[0].id == self._person]
        measured, smooth = (known or pairs)[0]
        if measured.id != self._person or (self._samples and time <= self._samples[-1][0]):
            self._samples.clear()
            self._person = measured.id
        self._samples.append((time, np.asarray(measured.joints), np.asarray(smooth.joints)))
        while time - self._samples[0][0] > _WINDOW:
            self._samples.popleft()

    def metrics(self) -> SmoothingMetrics | None:
        """Return the metrics of the last seconds; None before there are enough frames."""
        if len(self._samples) < _MIN_FRAMES:
            return None
        times = np.array([sample[0] for sample in self._samples])
        raw = np.stack([sample[1] for sample in self._samples])
        shown = np.stack([sample[2] for sample in self._samples])
        return SmoothingMetrics(
            jitter=1000 * jitter(times, shown),
            raw_jitter=1000 * jitter(times, raw),
            delay=delay(times, raw, shown),
        )


def jitter(times: Array, joints: Array) -> float:
    """Return the jitter in metres: the spread of joints about the line between their neighbours.

    Smooth motion has almost none; white noise with standard deviation s per coordinate has
    sqrt(3) s at any intervals, because the noise of x1 - (w0 x0 + w2 x2) has variance
    s^2 (1 + w0^2 + w2^2). The median over time excludes single jumps.

    Parameters
    ----------
    times : (F,) array
        Seconds, increasing; F at least 3.
    joints : (F, J, 3) array
        Metres.
    """
    span = times[2:] - times[:-2]
    before = (times[2:] - times[1:-1]) / span
    after = 1 - before
    interpolated = before[:, None, None] * joints[:-2] + after[:, None, None] * joints[2:]
    deviation = joints[1:-1] - interpolated
    squares = (deviation**2).sum(axis=2) / (1 + before**2 + after**2)[:, None]
    # the median of a chi-squared variable with three degrees of freedom is 0.7887 of its mean
    return float(np.sqrt(np.median(squares) / 0.7887))


def delay(times: Array, raw: Array, shown: Array) -> float | None:
    """Return the delay of `shown` behind `raw` in seconds: the shift with the least difference.

    Parameters
    ----------
    times : (F,) array
        Seconds, increasing.
    raw, shown : (F, J, 3) array
        Metres.

    Returns
    -------
    float or None
        None while there is too little motion.
    """
    flat = raw.reshape(len(times), -1)
    motion = flat.std(axis=0)
    largest = np.argsort(motion)[-_COORDINATES:]
    if float(np.sqrt((motion[largest] ** 2).mean())) < _MIN_MOTION:
        return None
    late = times >= times[0] + _MAX_DELAY
    if late.sum() < _MIN_FRAMES // 2:
        return None
    target = shown.reshape(len(times), -1)[late][:, largest]
    shifts = np.arange(0.0, _MAX_DELAY, _DELAY_STEP)
    errors = np.empty(len(shifts))
    for number, shift in enumerate(shifts):
        shifted = np.stack([np.interp(times[late] - shift, times, flat[:, i]) for i in largest], 1)
        errors[number] = ((shifted - target) ** 2).mean()
    least = int(errors.argmin())
    if 0 < least < len(shifts) - 1:  # between the steps: the vertex of the parabola through three
        left, middle, right = errors[least - 1 : least + 2]
        curvature = left - 2 * middle + right
        if curvature > 0:
            return float(shifts[least] + _DELAY_STEP * (left - right) / (2 * curvature))
    return float(shifts[least])
