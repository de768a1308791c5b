"""Two-bone inverse kinematics of a leg or an arm: two rotations that place the limb's end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.body.vectors import unit_vectors
from pymaf_live.types import Array

_MAX_STRETCH = 0.999
"""Largest distance from hip to ankle, relative to the length of the straight leg."""
_KNEE_AXIS_WEIGHT = 0.05
"""Weight of the knee's own axis beside the plane's normal, which a straight leg lacks."""


@dataclass(frozen=True)
class Leg:
    """N poses of a leg; positions (N, 3) m, rotations (N, 3, 3) in the same world.

    An arm is a leg with shoulder, elbow and wrist for hip, knee and ankle.
    """

    hip: Array
    knee: Array
    ankle: Array
    hip_rotation: Array
    """World rotation of the thigh."""
    knee_rotation: Array
    """World rotation of the shank."""
    hinge: Array | None = None
    """(N, 3) axis that the knee bends about; None: the x axis of `knee_rotation`, as in SMPL."""


def solve_two_bone(
    leg: Leg, target: Array, stiffness: float = 0.0, easing: float = 0.0
) -> tuple[Array, Array]:
    """Return world rotations of thigh and shank that bring the ankle to a target (N, 3) m.

    The knee bends in the leg's plane, then the leg rotates by the smallest angle towards the
    target. A target out of reach is approached as closely as possible.

    A nearly straight leg changes its length by a millimetre only when the knee turns by degrees, so
    that errors of the target would make it snap. With a stiffness s, in m/rad, the knee goes the
    part w of the way that minimises ((1 - w) d)^2 + (s w b)^2, where b is the whole turn and d the
    change of length.

    Parameters
    ----------
    leg : Leg
    target : (N, 3) array
        Metres.
    stiffness : float
        0 reaches the target exactly.
    easing : float
        Standard deviation, in poses that follow each other in time, over which the change of the
        knee's angle is averaged.

    Returns
    -------
    hip_rotation, knee_rotation : (N, 3, 3) arrays
    """
    thigh, shank = leg.knee - leg.hip, leg.ankle - leg.knee
    a, b = np.linalg.norm(thigh, axis=-1), np.linalg.norm(shank, axis=-1)
    distance = np.clip(
        np.linalg.norm(target - leg.hip, axis=-1), np.abs(a - b) + 1e-3, _MAX_STRETCH * (a + b)
    )
    hinge = leg.knee_rotation[..., 0] if leg.hinge is None else leg.hinge
    normal = np.cross(thigh, shank) / (a * b)[:, None] + _KNEE_AXIS_WEIGHT * hinge
    axis = unit_vectors(normal - _projected(normal, unit_vectors(thigh)))
    current = np.arctan2((np.cross(thigh, shank) * axis).sum(-1), (thigh * shank).sum(-1))
    cosine = (distance**2 - a**2 - b**2) / (2 * a * b)
    bend_angle = np.arccos(np.clip(cosine, -1.0, 1.0)) - current
    if stiffness > 0:
        change = distance - np.linalg.norm(leg.ankle - leg.hip, axis=-1)
        resistance = (stiffness * bend_angle) ** 2
        bend_angle = bend_angle * change**2 / np.maximum(change**2 + resistance, 1e-18)
    if easing > 0:
        from scipy.ndimage import gaussian_filter1d

        bend_angle = gaussian_filter1d(bend_angle, easing, mode="nearest")
    bend = matrix_from_axis_angle(axis * bend_angle[:, None])
    ankle = leg.knee + (bend @ shank[..., None])[..., 0]
    swing = _rotation_between_units(unit_vectors(ankle - leg.hip), unit_vectors(target - leg.hip))
    return swing @ leg.hip_rotation, swing @ bend @ leg.knee_rotation


def _rotation_between_units(start: Array, end: Array) -> Array:
    """Return the smallest rotations (N, 3, 3) from unit vectors to others, not opposite ones."""
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start * end).sum(-1, keepdims=True))
    return matrix_from_axis_angle(axis / np.maximum(sine, 1e-12) * angle)


def _projected(vectors: Array, unit: Array) -> Array:
    return np.asarray((vectors * unit).sum(-1, keepdims=True) * unit)
