"""The filter run over a whole stretch of motion, forward as live and then backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pymaf_live.motion import root_position_filter, rotation_filter
from pymaf_live.motion.motion_model import Model
from pymaf_live.motion.outlier_gate import Measured, Verdict, by_hindsight
from pymaf_live.motion.person_filter import Track
from pymaf_live.motion.root_position_filter import State
from pymaf_live.motion.rotation_filter import Turning
from pymaf_live.types import Array, Ints


@dataclass
class _Run:
    """What a filter expected and then believed at every time."""

    expected: list[tuple[Turning, State]] = field(default_factory=list)
    believed: list[tuple[Turning, State]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def forward_and_backward(
    seen: Sequence[Measured | None], times: Array, mirror: Ints, model: Model
) -> tuple[Array, Array]:
    """What happened, in the light of all that was measured before and after.

    Parameters
    ----------
    seen : sequence of Measured or None
        N of them; the first is there.
    times : (N,) array
        Seconds, rising.
    mirror : (J,) array
        Each joint's opposite.
    model : Model

    Returns
    -------
    rotations : (N, J, 3, 3) array
    places : (N, 3) array
        m, of the root joint, camera frame.
    """
    # first as live, to learn which surprises lasted; they are then believed from their first frame
    verdicts = by_hindsight(_forward(seen, times, mirror, model, None).verdicts)
    run = _forward(seen, times, mirror, model, iter(verdicts))
    steps = np.diff(times, prepend=times[0])
    rotations = rotation_filter.smooth_backward(
        [expected[0] for expected in run.expected],
        [believed[0] for believed in run.believed],
        [model.turn.transition(float(dt)) for dt in steps],
    )
    places = root_position_filter.smooth_backward(
        [expected[1] for expected in run.expected],
        [believed[1] for believed in run.believed],
        [root_position_filter.transition(float(dt), model) for dt in steps],
    )
    return rotations, places


def _forward(
    seen: Sequence[Measured | None],
    times: Array,
    mirror: Ints,
    model: Model,
    verdicts: Iterator[Verdict] | None,
) -> _Run:
    first = seen[0]
    assert first is not None
    track, run = Track(first, mirror, model), _Run()
    for index, measured in enumerate(seen):
        if index:
            dt = float(times[index] - times[index - 1])
            known = next(verdicts) if verdicts is not None and measured is not None else None
            verdict = track.step(dt, measured, model, known)
            if verdict is not None:
                run.verdicts.append(verdict)
        run.expected.append(track.expected)
        run.believed.append((track.turning, track.place.state))
    return run
