"""Motion of one person of a take, resampled to a uniform frame rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pymaf_live.body import Body, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.export.file_names import person_name
from pymaf_live.export.world import WorldTransform
from pymaf_live.takes.editing import select_rows
from pymaf_live.takes.shape import person_shape
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Ints, Mask

_GRID_TOLERANCE = 0.1
"""Part of a frame's duration: time stamps this close to the uniform grid (such as those rounded to
milliseconds) count as on it."""
_MAX_FRAMES = 5_000_000
_MAX_RATIO, _ALWAYS_ALLOWED = 600, 100_000
"""Frames at a uniform rate for each measured one (10 s at 60 frames/s), and the number up to which
the ratio does not matter: the size of an export depends on what was measured, not on its times."""


@dataclass(frozen=True)
class PersonMotion:
    """One person's motion in the export's world; N frames, J joints."""

    person: int
    shape: Array
    """(S,) shape of the person."""
    rest: Array
    """(J, 3) m, joints of the shape at rest, body frame (y up, facing +z)."""
    rotations: Array
    """(N, J, 3, 3) relative to the parent; the root's rotates the rest body into the world."""
    root: Array
    """(N, 3) m, position of the root joint."""
    times: Array
    """(N,) s, of the source."""
    rate: Fraction
    """Frames per second."""
    seen: Mask
    """(N,) True where the person was measured; elsewhere interpolated or held."""
    transform: WorldTransform
    """From the camera frame to the world."""
    camera: Camera
    """Camera of the take; of separate images, that of the first one."""
    name: str = ""
    """Name that the user gave the person; '' without one."""


def finite_rows(take: Take) -> Take:
    """Return the take without rows that contain numbers that are not finite.

    Raises
    ------
    OutputError
        If a person has two rows in one frame, which is ambiguous.
    """
    pairs = np.stack([take.frame, take.person], axis=1)
    unique, count = np.unique(pairs, axis=0, return_counts=True)
    if len(unique) < len(pairs):
        frame, person = unique[count > 1][0]
        raise OutputError(f"the take of {take.source} has person {person} twice in frame {frame}")
    finite = np.ones(len(take.frame), dtype=bool)
    for values in (take.pose, take.shape, take.translation, take.joints):
        finite &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return take if finite.all() else select_rows(take, np.flatnonzero(finite))


def people_by_row_count(take: Take) -> list[int]:
    """Return the numbers of a take's people, most rows first (the lower number if equal)."""
    people, counts = np.unique(take.person, return_counts=True)
    return [int(people[index]) for index in np.lexsort((people, -counts))]


def frame_grid(take: Take, rate: Fraction | None = None) -> Array:
    """Return times (N,) in seconds at a uniform rate, from the first frame to the last.

    If the frames' own times are already uniform at that rate, return them unchanged.

    Parameters
    ----------
    take : Take
    rate : Fraction, optional
        Frames per second; by default the take's nominal rate.

    Raises
    ------
    OutputError
        If the take is too long for a uniform rate.
    """
    times = np.asarray(take.frame_time, dtype=np.float64)
    step = 1 / (rate or take.frame_rate)
    uniform = times[0] + _multiples(len(times), step)
    if np.abs(times - uniform).max() <= _GRID_TOLERANCE * float(step):
        return times
    count = round((times[-1] - times[0]) / float(step)) + 1
    if count > min(_MAX_FRAMES, max(_ALWAYS_ALLOWED, _MAX_RATIO * len(times))):
        raise OutputError(
            f"the take of {take.source} spans {times[-1] - times[0]:.0f} s, which is {count} "
            "frames: too long for this format"
        )
    return np.asarray(times[0] + _multiples(count, step))


def person_motion(
    take: Take, body: Body, person: int, transform: WorldTransform, rate: Fraction | None = None
) -> PersonMotion:
    """Return one person's motion at a uniform rate.

    Between rows rotations are interpolated along the shortest rotation and the root position
    linearly. Before a person's first row and after the last the pose is held, so that all people
    and the video have the same time.

    Parameters
    ----------
    take : Take
        Finite rows only, at least one of them of `person`.
    body : Body
    person : int
    transform : WorldTransform
        From `world.world_transform`.
    rate : Fraction, optional
        Frames per second; by default the take's.
    """
    rows = np.flatnonzero(take.person == person)
    frame_times = np.asarray(take.frame_time, dtype=np.float64)
    times = frame_times[take.frame[rows]]
    grid = frame_grid(take, rate)
    after = np.clip(np.searchsorted(times, grid, side="right"), 1, max(len(rows) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(rows) - 1)
    span = times[after] - times[before]
    fraction = np.where(span > 0, (grid - times[before]) / np.where(span > 0, span, 1.0), 0.0)
    fraction = np.clip(fraction, 0.0, 1.0)

    rotations = matrix_from_axis_angle(take.pose[rows])
    rotations[:, 0] = transform.rotation @ rotations[:, 0]
    root = np.asarray(take.joints[rows, 0], dtype=np.float64) @ transform.rotation.T
    root = root + transform.shift
    shape = person_shape(take, body, person)
    return PersonMotion(
        person=person,
        shape=shape,
        rest=rest_joints(body, shape),
        rotations=_interpolated(rotations, before, after, fraction),
        root=root[before] + fraction[:, None] * (root[after] - root[before]),
        times=grid,
        rate=rate or take.frame_rate,
        transform=transform,
        camera=take.camera,
        seen=_seen(take, rows, frame_times, grid),
        name=person_name(take, person),
    )


def _seen(take: Take, rows: Ints, times: Array, grid: Array) -> Mask:
    """Return for each time of the grid (N,) if the frames on both sides are measured."""
    measured = np.zeros(len(times), dtype=bool)
    measured[take.frame[rows[~take.predicted[rows]]]] = True
    left = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(times) - 1)
    right = np.clip(np.searchsorted(times, grid, side="left"), 0, len(times) - 1)
    return np.asarray(measured[left] & measured[right])


def _multiples(count: int, step: Fraction) -> Array:
    # one rounding each: summing a step of 1001/30000 s as a float would drift
    return np.asarray(np.arange(count) * float(step.numerator) / float(step.denominator))


def _interpolated(rotations: Array, before: Ints, after: Ints, fraction: Array) -> Array:
    result: Array = rotations[before]
    inner = np.flatnonzero((fraction > 0) & (fraction < 1))
    relative = np.swapaxes(rotations[before[inner]], -1, -2) @ rotations[after[inner]]
    step = axis_angle_from_matrix(relative) * fraction[inner, None, None]
    result[inner] = result[inner] @ matrix_from_axis_angle(step)
    last = fraction >= 1
    result[last] = rotations[after[last]]
    return result
