"""Moving an ankle by bending the knee and turning the hip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.body.vectors import unit_vectors
from pymaf_live.types import Array

_STRETCHED = 0.999
"""Part of the leg's length beyond which the knee would have to break."""
_ANATOMY = 0.05
"""Weight of the knee's own axis beside the plane of the leg, which a straight leg has not."""


@dataclass(frozen=True)
class Leg:
    """N poses of a leg; places (N, 3) m, rotations (N, 3, 3) in the same world."""

    hip: Array
    knee: Array
    ankle: Array
    hip_rotation: Array
    """Of the thigh."""
    knee_rotation: Array
    """Of the shank."""


def reach(leg: Leg, target: Array) -> tuple[Array, Array]:
    """Rotations of thigh and shank that bring the ankle to a target (N, 3) m, or nearest to it.

    The knee bends in the leg's plane; the leg then turns, by the smallest turn, to the target.

    Returns
    -------
    hip_rotation, knee_rotation : (N, 3, 3) arrays
    """
    thigh, shank = leg.knee - leg.hip, leg.ankle - leg.knee
    a, b = np.linalg.norm(thigh, axis=-1), np.linalg.norm(shank, axis=-1)
    wanted = np.clip(
        np.linalg.norm(target - leg.hip, axis=-1), np.abs(a - b) + 1e-3, _STRETCHED * (a + b)
    )
    # as SMPL's, a knee bends about its x axis
    normal = np.cross(thigh, shank) / (a * b)[:, None] + _ANATOMY * leg.knee_rotation[..., 0]
    axis = unit_vectors(normal - _along(normal, unit_vectors(thigh)))
    now = np.arctan2((np.cross(thigh, shank) * axis).sum(-1), (thigh * shank).sum(-1))
    cosine = (wanted**2 - a**2 - b**2) / (2 * a * b)
    bent = np.arccos(np.clip(cosine, -1.0, 1.0)) - now
    bend = matrix_from_axis_angle(axis * bent[:, None])
    ankle = leg.knee + (bend @ shank[..., None])[..., 0]
    turn = _between(unit_vectors(ankle - leg.hip), unit_vectors(target - leg.hip))
    return turn @ leg.hip_rotation, turn @ bend @ leg.knee_rotation


def _between(start: Array, end: Array) -> Array:
    """(N, 3, 3) smallest rotations from unit vectors to others."""
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start * end).sum(-1, keepdims=True))
    return matrix_from_axis_angle(axis / np.maximum(sine, 1e-12) * angle)


def _along(vectors: Array, unit: Array) -> Array:
    return np.asarray((vectors * unit).sum(-1, keepdims=True) * unit)
