"""Joint positions as non-negative sums of vertices, fitted over the sampled bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from pymaf_live.body.vectors import unit_vectors
from pymaf_live.types import Array, Ints, Mask
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.skeleton import JOINT_MIRROR, JOINT_ROW

_BODIES = 400
"""Number of sampled bodies that rows are fitted to."""
_SUM_WEIGHT, _RIDGE = 30, 2e-3
"""Weights in the least squares: row sum of one, ridge penalty."""
_NEGLIGIBLE = 1e-4
"""Share of a row's largest entry below which entries are set to zero."""
_CANDIDATES = 220

UP, ACROSS, FORWARD = (0, 1, 0), (1, 0, 0), (0, 0, 1)

# joint -> axis of its bone, joints whose vertices are candidates, their minimum summed weight
_DOMAINS: dict[str, tuple[Sequence[int], tuple[str, ...], float]] = {
    "pelvis": (UP, ("pelvis", "left_hip", "spine1"), 0.7),
    "spine1": (UP, ("pelvis", "spine1", "spine2", "spine3"), 0.6),
    "spine2": (UP, ("pelvis", "spine1", "spine2", "spine3"), 0.6),
    "spine3": (UP, ("spine2", "spine3", "left_collar"), 0.8),
    "neck": (UP, ("neck", "spine3", "left_collar", "head"), 0.7),
    "head": (UP, ("neck", "head"), 0.8),
    "left_hip": (UP, ("pelvis", "left_hip"), 0.8),
    "left_knee": (UP, ("left_hip", "left_knee"), 0.8),
    "left_ankle": (UP, ("left_knee", "left_ankle"), 0.8),
    "left_foot": (FORWARD, ("left_ankle", "left_foot"), 0.9),
    "left_collar": (ACROSS, ("spine3", "left_collar", "left_shoulder", "neck"), 0.8),
    "left_shoulder": (ACROSS, ("left_collar", "left_shoulder", "spine3"), 0.8),
    "left_elbow": (ACROSS, ("left_shoulder", "left_elbow"), 0.8),
    "left_wrist": (ACROSS, ("left_elbow", "left_wrist"), 0.8),
    "left_hand": (ACROSS, ("left_wrist", "left_hand"), 0.9),
}


@dataclass(frozen=True)
class RowError:
    """Distances in metres between a regressed joint and its target over all sampled bodies."""

    name: str
    mean: float
    worst: float
    vertices: int
    """Entries above zero."""

    def __str__(self) -> str:
        """Return a line for the log."""
        return (
            f"J {self.name}: {1e3 * self.mean:.1f} mm mean, {1e3 * self.worst:.1f} mm worst over "
            f"the samples; {self.vertices} vertices"
        )


class Regression:
    """Fitting of regressor rows to positions in sampled bodies.

    Parameters
    ----------
    half : HalfMesh
    points : (S, H, 3) array
        Half bodies in the T-pose, m.
    mean : (H, 3) array
        Their mean.
    weights : (V, 24) array
        Skin weights.
    random : numpy.random.Generator
        Selects the bodies that rows are fitted to.
    """

    def __init__(
        self,
        half: HalfMesh,
        points: Array,
        mean: Array,
        weights: Array,
        random: np.random.Generator,
    ) -> None:
        self._half, self._points, self.mean = half, points, mean
        self._fitted: Ints = random.permutation(len(points))[:_BODIES]
        self.half_weights = weights[: half.half_count]

    def share(self, *joints: str) -> Array:
        """Return the summed skin weight (H,) of some joints."""
        columns = [JOINT_ROW[joint] for joint in joints]
        return np.asarray(self.half_weights[:, columns].sum(1))

    def local_row(self, target: Array, candidates: Ints, *, on_midline: bool) -> Array:
        """Return non-negative weights (C,) that sum to one, of candidate half vertices (C,).

        Parameters
        ----------
        target : (S, 3) array
            Metres.
        candidates : (C,) int array
        on_midline : bool
            Fit y and z alone; x is zero by symmetry.
        """
        axes = [1, 2] if on_midline else [0, 1, 2]
        points = self._points[self._fitted][:, candidates][:, :, axes]
        matrix = points.transpose(0, 2, 1).reshape(-1, len(candidates))
        values = target[self._fitted][:, axes].reshape(-1)
        scale = np.sqrt(len(values))
        count = len(candidates)
        matrix = np.concatenate(
            [matrix / scale, _SUM_WEIGHT * np.ones((1, count)), _RIDGE * np.eye(count)]
        )
        values = np.concatenate([values / scale, [float(_SUM_WEIGHT)], np.zeros(count)])
        row, _ = nnls(matrix, values, maxiter=20000)
        row[row < _NEGLIGIBLE * row.max()] = 0
        return np.asarray(row / row.sum())

    def row(self, name: str, target: Array, domain: str | None = None) -> tuple[Array, RowError]:
        """Return a row (V,) fitted to `target` (S, 3), and its error.

        Parameters
        ----------
        name : str
            Name in the error.
        target : (S, 3) array
        domain : str, optional
            Joint whose surrounding vertices are candidates; `name` by default.
        """
        joint = domain or name
        axis, owners, threshold = _DOMAINS[joint]
        on_midline = not joint.startswith("left")
        near = self._ring(target.mean(0), axis, self.share(*owners) > threshold)
        local = self.local_row(target, near, on_midline=on_midline)
        row = np.zeros(self._half.count)
        residual = self._points[:, near].transpose(0, 2, 1) @ local - target
        if on_midline:
            row[near] += 0.5 * local
            np.add.at(row, self._half.mirror[near], 0.5 * local)
            residual = residual[:, 1:]
        else:
            row[near] = local
        distance = np.linalg.norm(residual, axis=1)
        error = RowError(name, float(distance.mean()), float(distance.max()), int((row > 0).sum()))
        return row, error

    def _ring(self, place: Array, axis: Sequence[int], domain: Mask) -> Ints:
        """Return half vertices in a band round a joint: all round the limb, near along the bone."""
        away = self.mean - place
        unit = unit_vectors(np.asarray(axis, float))
        along = np.abs(away @ unit)
        radius = np.linalg.norm(away - (away @ unit)[:, None] * unit, axis=1)
        nearest = np.sort(np.hypot(radius, along)[domain])[:5].mean()
        chosen = np.flatnonzero(domain & (radius < max(3.6 * nearest, 0.07)))
        order = np.argsort(along[chosen] + 0.08 * radius[chosen])
        return chosen[order[:_CANDIDATES]]


def build_joint_regressor(
    regression: Regression, half: HalfMesh, joints: Array
) -> tuple[Array, list[RowError]]:
    """Return a regressor (24, V) fitted to joints (S, 24, 3) m, and the error of each row."""
    regressor = np.zeros((24, half.count))
    errors = []
    for name in _DOMAINS:
        number = JOINT_ROW[name]
        row, error = regression.row(name, joints[:, number])
        regressor[number] = row
        if name.startswith("left"):
            regressor[JOINT_MIRROR[number]] = row[half.mirror]
        errors.append(error)
    return regressor, errors
