"""Apply smoothing strength, legs and field of view while a source plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pymaf_live.pipeline.options import PipelineOptions
from ui.state.preferences import PreferencesState


class SmoothingController:
    """Turns changes of smoothing, legs and field of view into pipeline options.

    Parameters
    ----------
    state : PreferencesState
        Takes the values of the current options at first.
    options : callable
        Returns the current pipeline options.
    update_parameters : callable
        Applies options from the next frame on.
    """

    def __init__(
        self,
        state: PreferencesState,
        options: Callable[[], PipelineOptions],
        update_parameters: Callable[[PipelineOptions], None],
    ) -> None:
        self._state = state
        self._options = options
        self._update_parameters = update_parameters
        state.smoothing_strength.set(offline_strength(options()))
        state.fov.set(options().fov)
        state.legs.set(options().legs)
        state.smoothing_strength.watch(lambda _: self._apply())
        state.fov.watch(lambda _: self._apply())
        state.legs.watch(lambda _: self._apply())

    def _apply(self) -> None:
        strength = self._state.smoothing_strength.value
        before = self._options()
        after = replace(
            before,
            smoothing_strength=strength,
            smoothing="live" if strength > 0 else "off",
            fov=self._state.fov.value,
            legs=self._state.legs.value,
        )
        if after != before:
            self._update_parameters(after)


def offline_strength(options: PipelineOptions) -> float:
    """Return the strength 0..1 of the smoothing; 0 where it is off."""
    return options.smoothing_strength if options.smoothing == "live" else 0.0
