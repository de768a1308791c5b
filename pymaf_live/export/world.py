"""A take's motion as files want it: y up, on a uniform grid of time, one skeleton a person.

The world of the exports is the camera's frame turned by 180 degrees about x (x right, y up, z
towards the camera: who faces the camera faces +z), then shifted, by one shift for the whole take,
so that the ground is at y = 0 and the first person starts at x = z = 0 (docs/bvh.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from pymaf_live.body import Body, PointSet, rest_joints
from pymaf_live.body.model import Ints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.types import Array, Mask, Take

WORLD_FROM_CAMERA: Array = np.diag([1.0, -1.0, -1.0])

SCALE: Mapping[str, float] = MappingProxyType({"m": 1.0, "cm": 100.0})
"""File units in a metre."""

_ON_THE_GRID = 0.1
"""Of a frame's duration: stamps this near the uniform grid (rounded to milliseconds) are on it."""
_GROUND_SAMPLES = 300
_GROUND_PERCENTILE = 10.0
"""Of the lowest points: jumps and a few frames sunk by a bad estimate do not move the ground."""
_MOST_FRAMES = 5_000_000


@dataclass(frozen=True)
class WorldMotion:
    """One person's motion in the exports' world; N frames, J joints."""

    shape: Array
    """(S,) the person's mean shape."""
    rest: Array
    """(J, 3) m, joints of the mean shape at rest, body frame (y up, facing +z)."""
    rotations: Array
    """(N, J, 3, 3) relative to the parent; the root's turns the rest body into the world."""
    root: Array
    """(N, 3) m, place of the root joint."""
    rate: Fraction
    """Frames a second."""
    seen: Mask
    """(N,) the frame is one of the take's rows; elsewhere it is interpolated or held."""


def people_of(take: Take) -> list[int]:
    """Ids of the people in a take, who has the most rows first (the lower id where equal)."""
    ids, counts = np.unique(take.person, return_counts=True)
    return [int(ids[index]) for index in np.lexsort((ids, -counts))]


def bone_names(body: Body) -> tuple[str, ...]:
    """The joints' names as a text format can hold them: one word each."""
    return tuple("_".join(name.split()) or f"joint{i}" for i, name in enumerate(body.joint_names))


def mean_shape(take: Take, person: int) -> Array:
    """(S,) mean shape of a person over the frames with a measurement."""
    rows = take.person == person
    measured = rows & ~take.predicted
    shapes = np.asarray(take.shape[measured if measured.any() else rows], dtype=np.float64)
    return np.asarray(shapes.mean(axis=0))


def frame_grid(take: Take) -> Array:
    """(N,) times in seconds at the nominal rate, from the first frame to the last.

    The frames' own times where they are uniform; the frames then stand as they are.

    Raises
    ------
    OutputError
        If the take is too long to be put on a grid.
    """
    times = np.asarray(take.frame_time, dtype=np.float64)
    step = float(1 / take.frame_rate)
    uniform = times[0] + np.arange(len(times)) * step
    if np.abs(times - uniform).max() <= _ON_THE_GRID * step:
        return times
    count = round((times[-1] - times[0]) / step) + 1
    if count > _MOST_FRAMES:
        raise OutputError(
            f"the take of {take.source} spans {times[-1] - times[0]:.0f} s, "
            f"{count} frames at its rate: too long for this format"
        )
    return np.asarray(times[0] + np.arange(count) * step)


def world_shift(take: Take, body: Body) -> Array:
    """(3,) m added to WORLD_FROM_CAMERA @ camera points: ground at y = 0, start at x = z = 0."""
    first = int(np.flatnonzero(take.person == people_of(take)[0])[0])
    start = WORLD_FROM_CAMERA @ np.asarray(take.joints[first, 0], dtype=np.float64)
    sample = np.unique(np.linspace(0, len(take.frame) - 1, _GROUND_SAMPLES).round().astype(int))
    points = PointSet.vertices(body, body.sample_vertices)
    lowest = []
    for part in np.array_split(sample, -(-len(sample) // 16)):  # a few at a time: memory
        placed = points.pose(
            matrix_from_axis_angle(take.pose[part]), take.shape[part], take.translation[part]
        )
        lowest.append((placed @ WORLD_FROM_CAMERA.T)[..., 1].min(axis=-1))
    ground = np.percentile(np.concatenate(lowest), _GROUND_PERCENTILE)
    return -np.array([start[0], ground, start[2]])


def person_motion(take: Take, body: Body, person: int, shift: Array) -> WorldMotion:
    """One person's motion on the take's grid.

    Between rows rotations are interpolated along the shortest turn and the root's place linearly;
    before a person's first row and after the last the pose is held, so that all people and the
    video share their time.

    Parameters
    ----------
    take : Take
        With at least one row of `person`.
    body : Body
    person : int
    shift : (3,) array
        From `world_shift`.
    """
    rows = np.flatnonzero(take.person == person)
    times = np.asarray(take.frame_time, dtype=np.float64)[take.frame[rows]]
    grid = frame_grid(take)
    after = np.clip(np.searchsorted(times, grid, side="right"), 1, max(len(rows) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(rows) - 1)
    span = times[after] - times[before]
    part = np.where(span > 0, (grid - times[before]) / np.where(span > 0, span, 1.0), 0.0)
    part = np.clip(part, 0.0, 1.0)

    rotations = matrix_from_axis_angle(take.pose[rows])
    rotations[:, 0] = WORLD_FROM_CAMERA @ rotations[:, 0]
    root = np.asarray(take.joints[rows, 0], dtype=np.float64) @ WORLD_FROM_CAMERA.T + shift
    shape = mean_shape(take, person)
    nearest = np.where(part < 0.5, before, after)
    return WorldMotion(
        shape=shape,
        rest=rest_joints(body, shape),
        rotations=_between(rotations, before, after, part),
        root=root[before] + part[:, None] * (root[after] - root[before]),
        rate=take.frame_rate,
        seen=np.isclose(times[nearest], grid, rtol=0.0, atol=1e-9),
    )


def _between(rotations: Array, before: Ints, after: Ints, part: Array) -> Array:
    between: Array = rotations[before]
    inside = np.flatnonzero((part > 0) & (part < 1))
    turn = np.swapaxes(rotations[before[inside]], -1, -2) @ rotations[after[inside]]
    step = axis_angle_from_matrix(turn) * part[inside, None, None]
    between[inside] = between[inside] @ matrix_from_axis_angle(step)
    last = part >= 1
    between[last] = rotations[after[last]]
    return between
