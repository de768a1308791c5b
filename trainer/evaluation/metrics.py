"""How well estimates lie on people: figures of arrays, in plain NumPy.

Lengths come in metres or pixels and go out in the unit that a name states. Nothing here knows a
network, a data set or a file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array
from trainer.data.lspet import LIMBS, torso_length

PCK_THRESHOLD = 0.2
"""Torso lengths within which a joint counts as found."""

IGNORED = 255
"""Label of pixels that nobody annotated, as in UP-3D's part maps."""

Labels = npt.NDArray[np.integer]


def normalized_errors(found: Array, joints: Array) -> Array:
    """Distance of the 12 limb joints from their annotation in torso lengths.

    Parameters
    ----------
    found : (N, >= 12, 2) array
        LSP joints in picture pixels; NaN = no result, which misses by infinity.
    joints : (N, 14, 3) array
        Annotation: x, y in picture pixels, flag.

    Returns
    -------
    (N, 12) array
        NaN where the joint, or one of the torso's two ends, is not annotated.
    """
    torso = torso_length(joints)
    distance = np.linalg.norm(found[:, LIMBS] - joints[:, LIMBS, :2], axis=-1)
    distance = np.where(np.isnan(distance), np.inf, distance) / torso[:, None]
    return np.asarray(np.where(joints[:, LIMBS, 2] > 0, distance, np.nan))


def pck(found: Array, joints: Array, near: float = PCK_THRESHOLD) -> float:
    """Share of annotated limb joints found within `near` torso lengths ('LSPET PCK').

    Parameters
    ----------
    found : (N, >= 12, 2) array
        LSP joints in picture pixels; NaN = no result, which counts as wrong.
    joints : (N, 14, 3) array
        Annotation: x, y in picture pixels, flag. Pictures without both torso joints are left out.
    near : float
        Of |right hip - left shoulder|.
    """
    missed = normalized_errors(found, joints)
    counted = ~np.isnan(missed)
    return float((missed[counted] < near).sum() / max(int(counted.sum()), 1))


def procrustes(found: Array, true: Array) -> Array:
    """`found` (N, K, 3) moved, turned and scaled onto `true` (N, K, 3), least squares.

    Umeyama, 'Least-squares estimation of transformation parameters between two point patterns'
    (PAMI 1991), without reflection.
    """
    middle_found = found.mean(axis=1, keepdims=True)
    middle_true = true.mean(axis=1, keepdims=True)
    a, b = found - middle_found, true - middle_true
    u, s, vt = np.linalg.svd(np.einsum("nki,nkj->nij", b, a))
    sign = np.ones_like(s)
    sign[:, -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None, :]) @ vt
    scale = (s * sign).sum(-1) / np.maximum((a**2).sum((1, 2)), 1e-12)
    turned: Array = np.einsum("nij,nkj->nki", rotation, a) * scale[:, None, None] + middle_true
    return turned


def joint_error(found: Array, true: Array) -> float:
    """Mean distance of joints (N, K, 3) in the unit given."""
    return float(np.linalg.norm(found - true, axis=-1).mean())


def root_aligned(points: Array, joints: Array, roots: Sequence[int]) -> Array:
    """Points (N, P, 3) relative to the middle of the joints (N, K, 3) numbered `roots`."""
    return np.asarray(points - joints[:, list(roots)].mean(axis=1, keepdims=True))


def mpjpe(found: Array, true: Array, roots: Sequence[int]) -> float:
    """Mean per-joint position error in mm of joints (N, K, 3) in metres, roots aligned.

    Parameters
    ----------
    found, true : (N, K, 3) arrays
        Metres, in frames that are parallel.
    roots : sequence of int
        Joints whose middle is laid on the truth's: both hips, or the pelvis.
    """
    aligned = (root_aligned(points, points, roots) for points in (found, true))
    return 1000 * joint_error(*aligned)


def pa_mpjpe(found: Array, true: Array) -> float:
    """The same after the best similarity transform of every person (`procrustes`), mm."""
    return 1000 * joint_error(procrustes(found, true), true)


def vertex_error(
    found: Array, true: Array, found_joints: Array, true_joints: Array, roots: Sequence[int]
) -> float:
    """Mean per-vertex error in mm ('PVE') of meshes (N, V, 3) whose joints' roots are aligned."""
    return 1000 * joint_error(
        root_aligned(found, found_joints, roots), root_aligned(true, true_joints, roots)
    )


def accelerations(points: Array) -> Array:
    """Second differences (F - 2, K, 3) of points (F, K, 3) over frames, per frame squared."""
    return np.asarray(points[2:] - 2 * points[1:-1] + points[:-2])


def acceleration_error(
    found: Array, true: Array, frame_rate: float | None = None
) -> tuple[float, float]:
    """Mean distance of accelerations, as Kanazawa et al., 'Learning 3D human dynamics from video'.

    Parameters
    ----------
    found, true : (F, K, 3) arrays
        One person over F successive frames, metres.
    frame_rate : float, optional
        Frames a second; the second figure is NaN without it.

    Returns
    -------
    tuple of float
        mm per frame squared, and mm/s^2. NaN for fewer than three frames.
    """
    if len(found) < 3:
        return float("nan"), float("nan")
    error = 1000 * joint_error(accelerations(found), accelerations(true))
    return error, error * (float("nan") if frame_rate is None else frame_rate**2)


def jitter(points: Array) -> float:
    """Mean way of points (F, K, 3) in metres from one frame to the next, in mm.

    The noise of a person who stands still; NaN for fewer than two frames.
    """
    if len(points) < 2:
        return float("nan")
    return 1000 * float(np.linalg.norm(np.diff(points, axis=0), axis=-1).mean())


class ConfusionMatrix:
    """Right and wrong pixels of label maps, pooled over pictures (SPIN's and UP-3D's protocol).

    Parameters
    ----------
    classes : int
        C labels, 0 = background.
    """

    def __init__(self, classes: int) -> None:
        self._table = np.zeros((classes, classes), np.int64)

    def add(self, found: Labels, true: Labels) -> None:
        """Count a picture: label maps of one shape; true `IGNORED` pixels are left out."""
        seen = true != IGNORED
        classes = len(self._table)
        pairs = true[seen].astype(np.int64) * classes + found[seen].astype(np.int64)
        self._table += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    @property
    def accuracy(self) -> float:
        """Share of pixels with the right label."""
        return float(np.trace(self._table) / max(int(self._table.sum()), 1))

    @property
    def f1(self) -> Array:
        """(C,) 2 tp / (2 tp + fp + fn) of every label; NaN where neither has it."""
        right = np.diag(self._table).astype(np.float64)
        either = self._table.sum(axis=0) + self._table.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(2 * right / either)

    @property
    def mean_f1(self) -> float:
        """Mean f1 of all labels, the background among them, as Table 2 has it."""
        return float(np.nanmean(self.f1))
