"""The people of a take, each as one motion on a uniform grid of time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from pymaf_live.body import Body, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.export.file_names import person_name
from pymaf_live.export.world import WorldTransform
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints, Mask

_ON_THE_GRID = 0.1
"""Of a frame's duration: stamps this near the uniform grid (rounded to milliseconds) are on it."""
_MOST_FRAMES = 5_000_000
_ROWS = (
    "frame",
    "person",
    "pose",
    "shape",
    "translation",
    "joints",
    "joints_2d",
    "box",
    "score",
    "joint_score",
    "predicted",
)


@dataclass(frozen=True)
class PersonMotion:
    """One person's motion in the exports' world; N frames, J joints."""

    person: int
    shape: Array
    """(S,) the person's mean shape."""
    rest: Array
    """(J, 3) m, joints of the mean shape at rest, body frame (y up, facing +z)."""
    rotations: Array
    """(N, J, 3, 3) relative to the parent; the root's turns the rest body into the world."""
    root: Array
    """(N, 3) m, place of the root joint."""
    times: Array
    """(N,) s, of the source."""
    rate: Fraction
    """Frames a second."""
    seen: Mask
    """(N,) the person was measured around this time; elsewhere interpolated or held."""
    name: str = ""
    """As somebody called the person; '' where nobody did."""


def finite_rows(take: Take) -> Take:
    """The take without rows that hold something not finite.

    Raises
    ------
    OutputError
        If a person has two rows in one frame: which one is meant nobody can say.
    """
    pairs = np.stack([take.frame, take.person], axis=1)
    unique, count = np.unique(pairs, axis=0, return_counts=True)
    if len(unique) < len(pairs):
        frame, person = unique[count > 1][0]
        raise OutputError(f"the take of {take.source} has person {person} twice in frame {frame}")
    finite = np.ones(len(take.frame), dtype=bool)
    for values in (take.pose, take.shape, take.translation, take.joints):
        finite &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if finite.all():
        return take
    return replace(take, **{name: getattr(take, name)[finite] for name in _ROWS})


def people_by_row_count(take: Take) -> list[int]:
    """Ids of the people in a take, who has the most rows first (the lower id where equal)."""
    ids, counts = np.unique(take.person, return_counts=True)
    return [int(ids[index]) for index in np.lexsort((ids, -counts))]


def mean_shape(take: Take, person: int) -> Array:
    """(S,) mean shape of a person over the frames with a measurement."""
    rows = take.person == person
    measured = rows & ~take.predicted
    shapes = np.asarray(take.shape[measured if measured.any() else rows], dtype=np.float64)
    return np.asarray(shapes.mean(axis=0))


def frame_grid(take: Take, rate: Fraction | None = None) -> Array:
    """(N,) times in seconds at a rate, from the first frame to the last.

    The frames' own times where they are uniform at that rate; the frames then stand as they are.

    Parameters
    ----------
    take : Take
    rate : Fraction, optional
        Frames a second; the take's nominal rate by default.

    Raises
    ------
    OutputError
        If the take is too long to be put on a grid.
    """
    times = np.asarray(take.frame_time, dtype=np.float64)
    step = 1 / (rate or take.frame_rate)
    uniform = times[0] + _multiples(len(times), step)
    if np.abs(times - uniform).max() <= _ON_THE_GRID * float(step):
        return times
    count = round((times[-1] - times[0]) / float(step)) + 1
    if count > _MOST_FRAMES:
        raise OutputError(
            f"the take of {take.source} spans {times[-1] - times[0]:.0f} s, "
            f"{count} frames at its rate: too long for this format"
        )
    return np.asarray(times[0] + _multiples(count, step))


def person_motion(
    take: Take, body: Body, person: int, transform: WorldTransform, rate: Fraction | None = None
) -> PersonMotion:
    """One person's motion on a grid of time.

    Between rows rotations are interpolated along the shortest turn and the root's place linearly;
    before a person's first row and after the last the pose is held, so that all people and the
    video share their time.

    Parameters
    ----------
    take : Take
        With finite rows, at least one of them of `person`.
    body : Body
    person : int
    transform : WorldTransform
        From `world.world_transform`.
    rate : Fraction, optional
        Frames a second; the take's own by default.
    """
    rows = np.flatnonzero(take.person == person)
    all_times = np.asarray(take.frame_time, dtype=np.float64)
    times = all_times[take.frame[rows]]
    grid = frame_grid(take, rate)
    after = np.clip(np.searchsorted(times, grid, side="right"), 1, max(len(rows) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(rows) - 1)
    span = times[after] - times[before]
    part = np.where(span > 0, (grid - times[before]) / np.where(span > 0, span, 1.0), 0.0)
    part = np.clip(part, 0.0, 1.0)

    rotations = matrix_from_axis_angle(take.pose[rows])
    rotations[:, 0] = transform.rotation @ rotations[:, 0]
    root = (
        np.asarray(take.joints[rows, 0], dtype=np.float64) @ transform.rotation.T + transform.shift
    )
    shape = mean_shape(take, person)
    return PersonMotion(
        person=person,
        shape=shape,
        rest=rest_joints(body, shape),
        rotations=_between(rotations, before, after, part),
        root=root[before] + part[:, None] * (root[after] - root[before]),
        times=grid,
        rate=rate or take.frame_rate,
        seen=_seen(take, rows, all_times, grid),
        name=person_name(take, person),
    )


def _seen(take: Take, rows: Ints, times: Array, grid: Array) -> Mask:
    """(N,) the frames on both sides of each time of the grid are measurements of the person."""
    measured = np.zeros(len(times), dtype=bool)
    measured[take.frame[rows[~take.predicted[rows]]]] = True
    left = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(times) - 1)
    right = np.clip(np.searchsorted(times, grid, side="left"), 0, len(times) - 1)
    return np.asarray(measured[left] & measured[right])


def _multiples(count: int, step: Fraction) -> Array:
    # one rounding each: a step of 1001/30000 s added up as a float would drift
    return np.asarray(np.arange(count) * float(step.numerator) / float(step.denominator))


def _between(rotations: Array, before: Ints, after: Ints, part: Array) -> Array:
    between: Array = rotations[before]
    inside = np.flatnonzero((part > 0) & (part < 1))
    turn = np.swapaxes(rotations[before[inside]], -1, -2) @ rotations[after[inside]]
    step = axis_angle_from_matrix(turn) * part[inside, None, None]
    between[inside] = between[inside] @ matrix_from_axis_angle(step)
    last = part >= 1
    between[last] = rotations[after[last]]
    return between
