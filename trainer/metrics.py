"""How well estimates lie on people."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array
from trainer.data.lspet import LIMBS, torso_length

NEAR = 0.2


def pck(found: Array, joints: Array, near: float = NEAR) -> float:
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
    torso = torso_length(joints)
    counted = (joints[:, LIMBS, 2] > 0) & np.isfinite(torso)[:, None]
    miss = np.linalg.norm(found[:, LIMBS] - joints[:, LIMBS, :2], axis=-1)
    with np.errstate(invalid="ignore"):
        right = miss < near * torso[:, None]
    return float((right & counted).sum() / max(int(counted.sum()), 1))


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
