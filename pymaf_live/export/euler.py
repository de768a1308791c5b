"""Continuous Euler angles, for formats without another representation of rotations."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pymaf_live.types import Array, Mask

Order = Literal["zxy", "zyx", "yzx", "xzy", "yxz", "xyz"]
"""Order of the matrix product: R = Rz Rx Ry (usual in BVH), R = Rz Ry Rx (FBX's default, there
called XYZ) and the other orders of FBX files."""

_GIMBAL_LOCK = 1e-6
"""Distance from the pole, radians, within which only the sum or difference of the outer two angles
is determined."""


def continuous_angles(rotations: Array, order: Order) -> Array:
    """Return Euler angles that are continuous over time.

    Every rotation has two triples, (a, b, c) and (a + pi, pi - b, c + pi), each up to whole turns;
    the one nearest to the previous frame is used. At the poles (b = +-90 degrees) the last angle is
    kept from the previous frame.

    Parameters
    ----------
    rotations : (N, K, 3, 3) array
        N frames in order, K joints.
    order : Order

    Returns
    -------
    (N, K, 3) array
        Radians in the order's letters, any number of turns.
    """
    R = np.asarray(rotations, dtype=np.float64)
    first, second, third = ("xyz".index(letter) for letter in order)
    # +1 for a cyclic order (z, x, y), -1 for an anti-cyclic one
    sign = 1.0 if (second - first) % 3 == 1 else -1.0
    a = np.arctan2(-sign * R[..., second, third], R[..., third, third])
    b = np.arcsin(np.clip(sign * R[..., first, third], -1.0, 1.0))
    c = np.arctan2(-sign * R[..., first, second], R[..., first, first])
    locked = np.hypot(R[..., first, second], R[..., first, first]) < _GIMBAL_LOCK
    return _unwrap(R, np.stack([a, b, c], axis=-1), locked, (first, second, third), sign)


def _unwrap(
    R: Array, angles: Array, locked: Mask, axes: tuple[int, int, int], sign: float
) -> Array:
    a, b, c = np.moveaxis(angles, -1, 0)
    alternative = np.stack([a + np.pi, np.pi - b, c + np.pi], axis=-1)
    previous = np.zeros(angles.shape[1:])
    for frame in range(len(R)):
        if locked[frame].any():
            for joint in np.flatnonzero(locked[frame]):
                last = previous[joint, 2]
                angles[frame, joint] = _angles_at_pole(R[frame, joint], last, axes, sign)
                alternative[frame, joint] = angles[frame, joint]
        choices = np.stack([angles[frame], alternative[frame]])
        choices += 2 * np.pi * np.round((previous - choices) / (2 * np.pi))
        distance = np.abs(choices - previous).sum(axis=-1)
        previous = np.where((distance[0] <= distance[1])[:, None], choices[0], choices[1])
        angles[frame] = previous
    return angles


def _angles_at_pole(rotation: Array, last: float, axes: tuple[int, int, int], sign: float) -> Array:
    """Return the angles (3,) of a rotation at a pole with a given last angle."""
    first, second, third = axes
    middle = np.copysign(np.pi / 2, sign * rotation[first, third])
    rest = rotation @ _about(third, -last) @ _about(second, -middle)
    i, j = (first + 1) % 3, (first + 2) % 3
    return np.array([np.arctan2(rest[j, i], rest[i, i]), middle, last])


def _about(axis: int, angle: float) -> Array:
    rotation = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rotation[[i, j], [i, j]] = np.cos(angle)
    rotation[i, j], rotation[j, i] = -np.sin(angle), np.sin(angle)
    return rotation
