"""Frame rate, delay and health of the open source."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from pymaf_live.motion.smoothing_metrics import SmoothingMeter
from pymaf_live.pipeline.health import Health
from pymaf_live.types import FrameResult
from ui.state.window import Figures, WindowState
from ui.system.error_text import sentence

_INTERVAL = 0.25
"""Seconds between two updates of the figures."""
_RATE_WINDOW = 2.0
"""Seconds over which the frame rate is averaged."""


class FiguresController:
    """Counts the results that are shown and writes the figures into the state.

    Parameters
    ----------
    state : WindowState
        Written here: `figures`, `sources.outage` and `preferences.smoothing_metrics`.
    health : callable
        Returns the health of the running pipeline; None while no source is open.
    """

    def __init__(self, state: WindowState, health: Callable[[], Health | None]) -> None:
        self._state = state
        self._health = health
        self._shown_times: deque[float] = deque()
        self._shown_count = 0
        self._next_update = 0.0
        self._smoothing_meter = SmoothingMeter()

    def add(self, result: FrameResult) -> None:
        """Count a result that is shown."""
        self._shown_times.append(time.monotonic())
        self._shown_count += 1
        self._smoothing_meter.add(result.frame.time, result.raw, result.people)

    def reset(self) -> None:
        """Start again for another source."""
        self._shown_times.clear()
        self._shown_count = 0
        self.reset_smoothing_metrics()

    def reset_smoothing_metrics(self) -> None:
        """Measure the smoothing from now on."""
        self._smoothing_meter = SmoothingMeter()
        self._state.preferences.smoothing_metrics.set(None)

    def tick(self) -> None:
        """Update the figures when they are due."""
        now = time.monotonic()
        if now < self._next_update:
            return
        health = self._health()
        if health is None:
            return
        self._next_update = now + _INTERVAL
        times = self._shown_times
        while times and now - times[0] > _RATE_WINDOW:
            times.popleft()
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        self._state.sources.outage.set(_outage_text(health.trouble))
        self._state.preferences.smoothing_metrics.set(self._smoothing_meter.metrics())
        result = self._state.result.value
        drawn = self._state.drawn.value
        draw_time = drawn.milliseconds if drawn is not None else None
        drawing = () if draw_time is None else (("draw", draw_time),)
        self._state.figures.set(
            Figures(
                frames_per_second=(len(times) - 1) / span if span > 0 else 0.0,
                delay=drawn.delay if drawn is not None else None,
                dropped=health.dropped,
                unshown=max(0, health.frames - self._shown_count),
                backend=health.backend,
                model=health.model,
                precision=health.precision,
                detector=health.detector,
                stages=(*health.milliseconds.items(), *drawing),
                people=len(result.people) if result is not None else 0,
                notices=health.notices,
            )
        )


def _outage_text(reason: str) -> str:
    """Return the text shown while a running camera delivers no frames."""
    if not reason:
        return ""
    return f"{sentence(reason)} Playback and recording continue automatically once it is back."
