"""Accuracy metrics on plain NumPy arrays.

Inputs are in metres or pixels; results are in the unit that a name states. This module knows no
network, data set or file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array
from trainer.data.lspet import LIMBS, torso_length

PCK_THRESHOLD = 0.2
"""Torso lengths within which a joint counts as correct."""

IGNORED = 255
"""Label of pixels without an annotation, as in UP-3D's part maps."""

LabelMap = npt.NDArray[np.integer]


def normalized_errors(found: Array, joints: Array) -> Array:
    """Return the distance of the 12 limb joints from their annotation in torso lengths.

    Parameters
    ----------
    found : (N, >= 12, 2) array
        LSP joints in image pixels; NaN = no result, whose error is infinite.
    joints : (N, 14, 3) array
        Annotation: x, y in image pixels, flag.

    Returns
    -------
    (N, 12) array
        NaN if the joint, or one of the torso's two ends, is not annotated.
    """
    torso = torso_length(joints)
    distance = np.linalg.norm(found[:, LIMBS] - joints[:, LIMBS, :2], axis=-1)
    distance = np.where(np.isnan(distance), np.inf, distance) / torso[:, None]
    return np.asarray(np.where(joints[:, LIMBS, 2] > 0, distance, np.nan))


def pck(found: Array, joints: Array, threshold: float = PCK_THRESHOLD) -> float:
    """Return the share of annotated limb joints that are correct ('LSPET PCK').

    Parameters
    ----------
    found : (N, >= 12, 2) array
        LSP joints in image pixels; NaN = no result, which counts as wrong.
    joints : (N, 14, 3) array
        Annotation: x, y in image pixels, flag. Images without both torso joints are left out.
    threshold : float
        In units of |right hip - left shoulder|.
    """
    errors = normalized_errors(found, joints)
    counted = ~np.isnan(errors)
    return float((errors[counted] < threshold).sum() / max(int(counted.sum()), 1))


def procrustes(found: Array, true: Array) -> Array:
    """Align `found` (N, K, 3) with `true` (N, K, 3) by the least-squares similarity transform.

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
    aligned: Array = np.einsum("nij,nkj->nki", rotation, a) * scale[:, None, None] + middle_true
    return aligned


def joint_error(found: Array, true: Array) -> float:
    """Return the mean distance of joints (N, K, 3), in their own unit."""
    return float(np.linalg.norm(found - true, axis=-1).mean())


def root_aligned(points: Array, joints: Array, roots: Sequence[int]) -> Array:
    """Return points (N, P, 3) relative to the middle of the joints (N, K, 3) numbered `roots`."""
    return np.asarray(points - joints[:, list(roots)].mean(axis=1, keepdims=True))


def mpjpe(found: Array, true: Array, roots: Sequence[int]) -> float:
    """Return the mean per-joint position error in mm, roots aligned.

    Parameters
    ----------
    found, true : (N, K, 3) arrays
        Metres, in parallel frames.
    roots : sequence of int
        Joints whose middle is moved to the truth's: both hips, or the pelvis.
    """
    aligned = (root_aligned(points, points, roots) for points in (found, true))
    return 1000 * joint_error(*aligned)


def pa_mpjpe(found: Array, true: Array) -> float:
    """Return the mean per-joint position error in mm after each person's `procrustes` alignment."""
    return 1000 * joint_error(procrustes(found, true), true)


def vertex_error(
    found: Array, true: Array, found_joints: Array, true_joints: Array, roots: Sequence[int]
) -> float:
    """Return the mean per-vertex error (PVE) in mm of meshes (N, V, 3), joints' roots aligned."""
    return 1000 * joint_error(
        root_aligned(found, found_joints, roots), root_aligned(true, true_joints, roots)
    )


def jitter(points: Array) -> float:
    """Return the mean distance of points (F, K, 3), m, from one frame to the next, in mm.

    On a person who stands still this is noise. NaN for fewer than two frames.
    """
    if len(points) < 2:
        return float("nan")
    return 1000 * float(np.linalg.norm(np.diff(points, axis=0), axis=-1).mean())


class ConfusionMatrix:
    """Pixel counts of label maps, pooled over images (SPIN's and UP-3D's protocol).

    Parameters
    ----------
    classes : int
        C labels, 0 = background.
    """

    def __init__(self, classes: int) -> None:
        self._table = np.zeros((classes, classes), np.int64)

    def add(self, found: LabelMap, true: LabelMap) -> None:
        """Count an image: label maps of one shape; true `IGNORED` pixels are left out."""
        annotated = true != IGNORED
        classes = len(self._table)
        pairs = true[annotated].astype(np.int64) * classes + found[annotated].astype(np.int64)
        self._table += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    @property
    def accuracy(self) -> float:
        """Share of pixels with the correct label."""
        return float(np.trace(self._table) / max(int(self._table.sum()), 1))

    @property
    def f1(self) -> Array:
        """(C,) 2 tp / (2 tp + fp + fn) of every label; NaN for labels that do not occur."""
        correct = np.diag(self._table).astype(np.float64)
        either = self._table.sum(axis=0) + self._table.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(2 * correct / either)

    @property
    def mean_f1(self) -> float:
        """Mean f1 of all labels including the background, as in Table 2."""
        return float(np.nanmean(self.f1))
