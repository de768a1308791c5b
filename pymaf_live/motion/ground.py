"""The ground of a take: a plane before the camera on which feet come to rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.vectors import unit_vectors
from pymaf_live.types import Array

_LEVEL: Array = np.array([0.0, -1.0, 0.0])
"""The up direction of a camera that is held level, camera frame (y down)."""
_MOST_TILT = np.radians(60.0)
_STRAIGHT = np.cos(np.radians(25.0))
"""Between the legs' directions and the trunk's, of who stands."""
_TILT_ERROR = np.radians(3.0)
"""Of the up direction that standing people show: each leans a little."""
_FOOT_ERROR = 0.04
"""m, of a resting foot's height; depth that wanders moves it."""
_ROUNDS = 6


@dataclass(frozen=True)
class Ground:
    """The points p with ``up @ p = height``, camera frame."""

    up: Array
    """(3,) unit vector."""
    height: float
    """m"""

    def above(self, points: Array) -> Array:
        """(...) m over the ground, of points (..., 3)."""
        return np.asarray(points @ self.up - self.height)


def up_of_standing(joints: Array, names: Mapping[str, int]) -> Array:
    """(3,) up direction that standing people show; the level camera's where nobody stands.

    Parameters
    ----------
    joints : (N, J, 3) array
        m, camera frame.
    names : mapping
        From SMPL's joint names to indices.
    """
    hips, knees, ankles = (
        (joints[:, names[f"left_{part}"]] + joints[:, names[f"right_{part}"]]) / 2
        for part in ("hip", "knee", "ankle")
    )
    neck = joints[:, names["neck"]]
    trunk, thigh, shank = (
        unit_vectors(neck - hips),
        unit_vectors(hips - knees),
        unit_vectors(knees - ankles),
    )
    axis = unit_vectors(neck - ankles)
    stands = ((trunk * thigh).sum(-1) > _STRAIGHT) & ((thigh * shank).sum(-1) > _STRAIGHT)
    stands &= axis @ _LEVEL > np.cos(_MOST_TILT)
    return np.asarray(unit_vectors(np.median(axis[stands], axis=0))) if stands.any() else _LEVEL


def ground_under(feet: Array, up: Array) -> Ground:
    """Ground under resting feet.

    Minimises the feet's distances from the plane and its tilt from `up`, each in units of what is
    usual; feet far from the plane count less (Huber).

    Parameters
    ----------
    feet : (P, 3) array
        m, at least one.
    up : (3,) array
        Where up is about.
    """
    one = unit_vectors(np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0]))
    other = np.cross(up, one)
    # up + a one + b other; unknown are a, b and the height
    rows = np.column_stack([feet @ one, feet @ other, -np.ones(len(feet))]) / _FOOT_ERROR
    wanted = -(feet @ up) / _FOOT_ERROR
    # neighbours in time err alike: all feet together say as much as a few
    share = min(1.0, 20 / len(feet))
    prior = np.diag([_TILT_ERROR**-2, _TILT_ERROR**-2, 1e-9])
    weight: Array = np.ones(len(feet))
    answer: Array = np.zeros(3)
    for _ in range(_ROUNDS):
        weighted = rows * weight[:, None] * share
        answer = np.linalg.solve(rows.T @ weighted + prior, weighted.T @ wanted)
        weight = 1 / np.maximum(1.0, np.abs(rows @ answer - wanted))
    tilted = up + answer[0] * one + answer[1] * other
    length = float(np.linalg.norm(tilted))
    return Ground(tilted / length, float(answer[2]) / length)
