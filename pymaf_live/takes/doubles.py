"""People in a take who may be no people of their own: on pictures, and in mirrors."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints

_MIN_SECONDS = 1.0
"""Time for which somebody must be seen before anything is said of them."""
_STILL = 0.002
"""Movement of the joints in the image, relative to the person's size, below which a person is a
picture: about 3 mm. Somebody who stands still sways by more."""
_MIRRORED_POSE = np.radians(6.0)
"""Mean difference of all joints' rotations from the mirrored ones of the person in the mirror."""
_MIRRORED_SHARE = 0.75
"""That difference relative to the difference from the ones that are not mirrored."""
_MIRROR_WOBBLE = np.radians(12.0)
"""Mean deviation of the mirror's direction, which two people who dance alike do not share."""


def pictures_in(take: Take) -> list[int]:
    """Return the numbers of the people who never move, as on a poster or a screen's still image.

    Empty where the camera moves, as then pictures move too, and for separate images.
    """
    if take.camera_motion is not None or take.picture_name:
        return []
    found = []
    for person in np.unique(take.person):
        rows = np.flatnonzero((take.person == person) & ~take.predicted)
        if not _is_long(take, take.frame[rows]):
            continue
        points = np.asarray(take.joints_2d[rows], dtype=np.float64)
        size = float(np.median(np.ptp(points, axis=1).max(axis=1)))
        moved = np.linalg.norm(points - np.median(points, axis=0), axis=2)
        if float(np.percentile(moved, 95)) < _STILL * size:
            found.append(int(person))
    return found


def reflections_in(take: Take) -> list[tuple[int, int]]:
    """Return the pairs of people of whom one may be the other's reflection.

    One does what the other does with left and right exchanged, as seen in one plane mirror.
    """
    names = list(take.joint_names)
    if take.picture_name or not len(take.frame):
        return []
    other_side = [names.index(_other_side(name)) for name in names if _other_side(name) in names]
    if len(other_side) != len(names):
        return []
    still = set(pictures_in(take))
    people = [int(person) for person in np.unique(take.person) if int(person) not in still]
    found = []
    for one, other in combinations(people, 2):
        rows = _common_rows(take, one, other)
        if _is_long(take, take.frame[rows[0]]) and _are_mirrored(take, rows, other_side):
            found.append((one, other))
    return found


def _is_long(take: Take, frames: Ints) -> bool:
    return len(frames) >= 2 and float(np.ptp(take.frame_time[frames])) >= _MIN_SECONDS


def _common_rows(take: Take, one: int, other: int) -> tuple[Ints, Ints]:
    """Return the rows of two people in the frames that show both."""
    rows = [np.flatnonzero(take.person == person) for person in (one, other)]
    _, first, second = np.intersect1d(
        take.frame[rows[0]], take.frame[rows[1]], assume_unique=True, return_indices=True
    )
    return rows[0][first], rows[1][second]


def _are_mirrored(take: Take, rows: tuple[Ints, Ints], other_side: list[int]) -> bool:
    one, other = (matrix_from_axis_angle(take.pose[each]) for each in rows)
    flip = np.diag([-1.0, 1.0, 1.0])
    mirrored = flip @ other[:, other_side] @ flip
    difference = float(_angles(one[:, 1:], mirrored[:, 1:]).mean())
    if difference > min(
        _MIRRORED_POSE, _MIRRORED_SHARE * float(_angles(one[:, 1:], other[:, 1:]).mean())
    ):
        return False
    # the reflection that takes one person to the other: the same for the whole take
    mirror = other[:, 0] @ flip @ np.swapaxes(one[:, 0], 1, 2)
    left, _, right = np.linalg.svd(mirror.mean(axis=0))
    mean = np.broadcast_to(left @ right, mirror.shape)
    return bool(float(_angles(mirror, mean).mean()) < _MIRROR_WOBBLE)


def _angles(one: Array, other: Array) -> Array:
    """Return the angles (...) between rotations (..., 3, 3), radians."""
    cosine = (np.einsum("...ij,...ij->...", one, other) - 1) / 2
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _other_side(name: str) -> str:
    side, _, part = name.partition("_")
    swapped = {"left": "right", "right": "left"}.get(side)
    return f"{swapped}_{part}" if swapped and part else name
