"""Forward-backward smoothing (Rauch-Tung-Striebel) of a stretch of motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pymaf_live.motion import root_position_filter, rotation_filter
from pymaf_live.motion.motion_model import MotionModel
from pymaf_live.motion.outlier_gate import GateDecision, Measurement, revise_in_hindsight
from pymaf_live.motion.person_filter import PersonFilter
from pymaf_live.motion.root_position_filter import PositionState
from pymaf_live.motion.rotation_filter import RotationState
from pymaf_live.types import Array, Ints


@dataclass
class _ForwardPass:
    """States of a filter at all times, before and after each measurement."""

    predicted: list[tuple[RotationState, PositionState]] = field(default_factory=list)
    updated: list[tuple[RotationState, PositionState]] = field(default_factory=list)
    decisions: list[GateDecision] = field(default_factory=list)


def smooth_forward_backward(
    measurements: Sequence[Measurement | None], times: Array, mirror: Ints, model: MotionModel
) -> tuple[Array, Array]:
    """Smooth a stretch of motion, using all measurements before and after each time.

    Parameters
    ----------
    measurements : sequence of N Measurement or None
        None where a frame has no measurement; the first is not None.
    times : (N,) array
        Seconds, increasing.
    mirror : (J,) array
        Index of each joint's opposite.
    model : MotionModel

    Returns
    -------
    rotations : (N, J, 3, 3) array
    positions : (N, 3) array
        Root joint in metres, camera frame.
    """
    # a first pass, as live, finds which outliers persist; they are then accepted from the start
    first_pass = _run_forward(measurements, times, mirror, model, None)
    decisions = revise_in_hindsight(first_pass.decisions)
    forward = _run_forward(measurements, times, mirror, model, iter(decisions))
    steps = np.diff(times, prepend=times[0])
    rotations = rotation_filter.rts_smooth(
        [rotation for rotation, _ in forward.predicted],
        [rotation for rotation, _ in forward.updated],
        [model.rotation.transition(float(dt)) for dt in steps],
    )
    positions = root_position_filter.rts_smooth(
        [position for _, position in forward.predicted],
        [position for _, position in forward.updated],
        [root_position_filter.transition(float(dt), model) for dt in steps],
    )
    return rotations, positions


def _run_forward(
    measurements: Sequence[Measurement | None],
    times: Array,
    mirror: Ints,
    model: MotionModel,
    decisions: Iterator[GateDecision] | None,
) -> _ForwardPass:
    first = measurements[0]
    assert first is not None
    person, result = PersonFilter(first, mirror, model), _ForwardPass()
    for index, measurement in enumerate(measurements):
        if index:
            dt = float(times[index] - times[index - 1])
            revised = next(decisions) if decisions is not None and measurement is not None else None
            decision = person.step(dt, measurement, model, revised)
            if decision is not None:
                result.decisions.append(decision)
        result.predicted.append(person.predicted)
        result.updated.append((person.rotation, person.position.state))
    return result
