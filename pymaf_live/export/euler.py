"""Euler angles without jumps, for formats that know nothing else."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pymaf_live.types import Array, Mask

Order = Literal["zxy", "zyx"]
"""R = Rz Rx Ry (BVH's usual), R = Rz Ry Rx (FBX's default, there called XYZ)."""

_LOCKED = 1e-6
"""Radians from the pole, where only the sum or the difference of the outer two is determined."""


def continuous_angles(rotations: Array, order: Order) -> Array:
    """Angles in the order's letters, each continuous along time.

    Every rotation has two triples, (a, b, c) and (a + pi, pi - b, c + pi), each up to whole turns;
    the one nearest to the frame before is taken. At the poles (b = +-90 degrees) the last is kept
    from the frame before.

    Parameters
    ----------
    rotations : (N, K, 3, 3) array
        N frames in order, K joints.
    order : {'zxy', 'zyx'}

    Returns
    -------
    (N, K, 3) array
        Radians, any number of turns.
    """
    R = np.asarray(rotations, dtype=np.float64)
    first, second, third = ("xyz".index(letter) for letter in order)
    # +1 where the order runs as z, x, y, z... and -1 where it runs backwards
    sign = 1.0 if (second - first) % 3 == 1 else -1.0
    a = np.arctan2(-sign * R[..., second, third], R[..., third, third])
    b = np.arcsin(np.clip(sign * R[..., first, third], -1.0, 1.0))
    c = np.arctan2(-sign * R[..., first, second], R[..., first, first])
    locked = np.hypot(R[..., first, second], R[..., first, first]) < _LOCKED
    return _nearest(R, np.stack([a, b, c], axis=-1), locked, (first, second, third), sign)


def _nearest(
    R: Array, angles: Array, locked: Mask, axes: tuple[int, int, int], sign: float
) -> Array:
    a, b, c = np.moveaxis(angles, -1, 0)
    other = np.stack([a + np.pi, np.pi - b, c + np.pi], axis=-1)
    previous = np.zeros(angles.shape[1:])
    for frame in range(len(R)):
        if locked[frame].any():
            for joint in np.flatnonzero(locked[frame]):
                last = previous[joint, 2]
                angles[frame, joint] = _at_the_pole(R[frame, joint], last, axes, sign)
                other[frame, joint] = angles[frame, joint]
        choices = np.stack([angles[frame], other[frame]])
        choices += 2 * np.pi * np.round((previous - choices) / (2 * np.pi))
        distance = np.abs(choices - previous).sum(axis=-1)
        previous = np.where((distance[0] <= distance[1])[:, None], choices[0], choices[1])
        angles[frame] = previous
    return angles


def _at_the_pole(rotation: Array, last: float, axes: tuple[int, int, int], sign: float) -> Array:
    first, second, third = axes
    middle = np.copysign(np.pi / 2, sign * rotation[first, third])
    left = rotation @ _about(third, -last) @ _about(second, -middle)
    one, other = (first + 1) % 3, (first + 2) % 3
    return np.array([np.arctan2(left[other, one], left[one, one]), middle, last])


def _about(axis: int, angle: float) -> Array:
    turn = np.eye(3)
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turn[[one, other], [one, other]] = np.cos(angle)
    turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
    return turn
