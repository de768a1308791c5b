"""Strength of the smoothing and the camera's field of view, changed while a source plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pymaf_live.motion.smoothing_metrics import SmoothingMeter
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.types import FrameResult
from ui.state.preferences import PreferencesState


class Smoothing:
    """Hands a person's wishes on, and measures what they do.

    Parameters
    ----------
    state : PreferencesState
    options : callable
        How frames become people now; the state takes over what it says at first.
    use : callable
        Gets how they become people from the next frame on, whenever a person changes it.
    """

    def __init__(
        self,
        state: PreferencesState,
        options: Callable[[], PipelineOptions],
        use: Callable[[PipelineOptions], None],
    ) -> None:
        self._state = state
        self._options = options
        self._use = use
        self._meter = SmoothingMeter()
        first = options()
        state.smoothing.set(first.smoothing_strength if first.smoothing == "live" else 0.0)
        state.fov.set(first.fov)
        state.smoothing.watch(lambda _: self._hand_on())
        state.fov.watch(lambda _: self._hand_on())

    def follow(self, result: FrameResult) -> None:
        """Take in what is shown."""
        self._meter.add(result.frame.time, result.raw, result.people)

    def tell(self) -> None:
        """Write what the smoothing does now into the state."""
        self._state.effect.set(self._meter.metrics())

    def forget(self) -> None:
        """Another source comes."""
        self._meter = SmoothingMeter()
        self._state.effect.set(None)

    def _hand_on(self) -> None:
        strength = self._state.smoothing.value
        before = self._options()
        after = replace(
            before,
            smoothing_strength=strength,
            smoothing="live" if strength > 0 else "off",
            fov=self._state.fov.value,
        )
        if after != before:
            self._use(after)
