"""Health figures of a running pipeline: frame rate, time per stage, delay, dropped frames."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.types import FrameResult

_WINDOW_FRAMES = 60
"""Number of most recent frames that the figures are averaged over."""


@dataclass(frozen=True)
class Health:
    """Figures of a running pipeline, averaged over its most recent frames."""

    frames: int = 0
    """Results so far."""
    fps: float = 0.0
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    """Mean time per frame of each stage: 'decode', 'detect', 'crop', 'network', 'body',
    'smooth'."""
    dropped: int = 0
    """Frames of a live source that inference had no time for."""
    delay: float | None = None
    """Seconds from a frame leaving the source to its result; None before the first result."""
    backend: str = ""
    detector: str = ""
    model: str = ""
    notices: tuple[str, ...] = ()
    """Limitations of this run and their causes."""
    precision: str = ""
    """Numeric precision of the network, such as 'f32'; empty if the back-end does not report
    it."""
    trouble: str = ""
    """Reason why a live source delivers no frames now, in one line; empty while frames arrive."""


class HealthMeter:
    """Collects the figures of `Health`; written by the inference thread, read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: deque[float] = deque(maxlen=_WINDOW_FRAMES + 1)
        self._timings: deque[dict[str, float]] = deque(maxlen=_WINDOW_FRAMES)
        self._frames = 0
        self._delay: float | None = None
        self._backend = ""
        self._detector = ""
        self._precision = ""
        self.model = ""
        """Name and version of the network; empty until an estimator is open."""
        self._notices: tuple[str, ...] = ()

    def set_estimator(self, estimator: FrameEstimator) -> None:
        """Take over the names and notices of the running estimator."""
        with self._lock:
            self._backend = estimator.backend
            self._detector = estimator.detector
            self._precision = estimator.precision
            self.model = estimator.model
            self._notices = estimator.notices

    def add(self, result: FrameResult) -> None:
        """Count one result."""
        now = time.monotonic()
        with self._lock:
            self._frames += 1
            self._times.append(now)
            self._timings.append(dict(result.milliseconds))
            if result.frame.arrived > 0:
                self._delay = now - result.frame.arrived

    def health(self, dropped: int) -> Health:
        """Return the current figures, with the given number of dropped frames."""
        with self._lock:
            span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
            names = {name: None for timings in self._timings for name in timings}
            return Health(
                frames=self._frames,
                fps=(len(self._times) - 1) / span if span > 0 else 0.0,
                milliseconds={
                    name: sum(timings.get(name, 0.0) for timings in self._timings)
                    / len(self._timings)
                    for name in names
                },
                dropped=dropped,
                delay=self._delay,
                backend=self._backend,
                detector=self._detector,
                precision=self._precision,
                model=self.model,
                notices=self._notices,
            )
