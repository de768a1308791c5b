"""Euler angles without jumps, for formats that know nothing else."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.rotations import about_x, about_y
from pymaf_live.types import Array

_LOCKED = 1e-6
"""Radians from the pole, where only the sum or the difference of z and y is determined."""


def continuous_zxy(rotations: Array) -> Array:
    """Angles (z, x, y) with R = Rz Rx Ry, each continuous along time.

    Every rotation has two triples, (z, x, y) and (z + pi, pi - x, y + pi), each up to whole turns;
    the one nearest to the frame before is taken. At the poles (x = +-90 degrees) y is kept from the
    frame before.

    Parameters
    ----------
    rotations : (N, K, 3, 3) array
        N frames in order, K joints.

    Returns
    -------
    (N, K, 3) array
        Radians, any number of turns.
    """
    R = np.asarray(rotations, dtype=np.float64)
    x = np.arcsin(np.clip(R[..., 2, 1], -1.0, 1.0))
    z = np.arctan2(-R[..., 0, 1], R[..., 1, 1])
    y = np.arctan2(-R[..., 2, 0], R[..., 2, 2])
    locked = np.hypot(R[..., 2, 0], R[..., 2, 2]) < _LOCKED
    angles = np.stack([z, x, y], axis=-1)
    other = np.stack([z + np.pi, np.pi - x, y + np.pi], axis=-1)
    previous = np.zeros(angles.shape[1:])
    for frame in range(len(R)):
        for joint in np.flatnonzero(locked[frame]):
            angles[frame, joint] = _at_the_pole(R[frame, joint], previous[joint, 2])
            other[frame, joint] = angles[frame, joint]
        choices = np.stack([angles[frame], other[frame]])
        choices += 2 * np.pi * np.round((previous - choices) / (2 * np.pi))
        distance = np.abs(choices - previous).sum(axis=-1)
        previous = np.where((distance[0] <= distance[1])[:, None], choices[0], choices[1])
        angles[frame] = previous
    return angles


def _at_the_pole(rotation: Array, y: float) -> Array:
    x = np.copysign(np.pi / 2, rotation[2, 1])
    about_z = rotation @ about_y(-y) @ about_x(-x)
    return np.array([np.arctan2(about_z[1, 0], about_z[0, 0]), x, y])
