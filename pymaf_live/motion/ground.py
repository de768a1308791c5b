"""Ground plane of a take: the plane on which feet rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.vectors import unit_vectors
from pymaf_live.types import Array

_LEVEL_UP: Array = np.array([0.0, -1.0, 0.0])
"""Up direction of a level camera in the camera frame (y down)."""
_MAX_TILT = np.radians(60.0)
_STRAIGHT = np.cos(np.radians(25.0))
"""Cosine of the largest angle between trunk, thighs and shanks of a person who stands straight."""
_TILT_ERROR = np.radians(3.0)
"""Error of the up direction from standing people, who lean a little."""
_FOOT_ERROR = 0.04
"""Error of a resting foot's height, m, caused by the error of its depth."""
_EFFECTIVE_COUNT = 20
"""Number of independent feet that all feet together count as: errors of neighbours in time are
correlated."""
_ITERATIONS = 6


@dataclass(frozen=True)
class Ground:
    """Plane of the points p with ``up @ p = height``, camera frame."""

    up: Array
    """(3,) unit vector."""
    height: float
    """Metres."""

    def height_above(self, points: Array) -> Array:
        """Return the height (...) in m of points (..., 3) over the plane."""
        return np.asarray(points @ self.up - self.height)


def up_from_standing_people(joints: Array, names: Mapping[str, int]) -> Array:
    """Estimate the up direction (3,) from people who stand; that of a level camera without any.

    Parameters
    ----------
    joints : (N, J, 3) array
        Metres, camera frame.
    names : mapping
        Indices of joints by SMPL's names.
    """
    hips, knees, ankles = (
        (joints[:, names[f"left_{part}"]] + joints[:, names[f"right_{part}"]]) / 2
        for part in ("hip", "knee", "ankle")
    )
    neck = joints[:, names["neck"]]
    trunk, thigh, shank = map(unit_vectors, (neck - hips, hips - knees, knees - ankles))
    axis = unit_vectors(neck - ankles)
    standing = ((trunk * thigh).sum(-1) > _STRAIGHT) & ((thigh * shank).sum(-1) > _STRAIGHT)
    standing &= axis @ _LEVEL_UP > np.cos(_MAX_TILT)
    if not standing.any():
        return _LEVEL_UP
    return np.asarray(unit_vectors(np.median(axis[standing], axis=0)))


def fit_ground(feet: Array, up: Array) -> Ground:
    """Fit the ground plane to resting feet.

    Minimises the feet's distances from the plane and its tilt from `up`, each relative to its
    typical error; outliers count less (Huber).

    Parameters
    ----------
    feet : (P, 3) array
        Metres, at least one.
    up : (3,) array
        Approximate up direction.
    """
    first = unit_vectors(np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0]))
    second = np.cross(up, first)
    # normal = up + a first + b second; unknowns are a, b and the height
    rows = np.column_stack([feet @ first, feet @ second, -np.ones(len(feet))]) / _FOOT_ERROR
    target = -(feet @ up) / _FOOT_ERROR
    share = min(1.0, _EFFECTIVE_COUNT / len(feet))
    prior = np.diag([_TILT_ERROR**-2, _TILT_ERROR**-2, 1e-9])
    weight: Array = np.ones(len(feet))
    solution: Array = np.zeros(3)
    for _ in range(_ITERATIONS):
        weighted = rows * weight[:, None] * share
        solution = np.linalg.solve(rows.T @ weighted + prior, weighted.T @ target)
        weight = 1 / np.maximum(1.0, np.abs(rows @ solution - target))
    normal = up + solution[0] * first + solution[1] * second
    length = float(np.linalg.norm(normal))
    return Ground(normal / length, float(solution[2]) / length)
