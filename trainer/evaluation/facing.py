"""Facing: the direction of the trunk, compared apart from the pose of the limbs.

A body that faces away instead of towards the camera has small errors in the image and large ones
in 3D. The yaw error is the rotation about the body's own long axis that best aligns the estimated
root with the true one (the twist of their relative rotation), so that it is defined for people who
lie as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.types import Array

WRONG, DOUBTFUL = 90.0, 45.0
"""Degrees beyond which the facing is wrong, and off."""


def yaw_errors(found: Array, true: Array) -> Array:
    """Return the angles (N,) about the body's long axis between roots (N, 3, 3), degrees 0..180.

    The axis is the rest body's y axis. Both roots rotate the rest body into the same frame.
    """
    relative = np.swapaxes(true, 1, 2) @ found
    # the angle t that maximises trace(R_y(t)^T relative)
    sine = relative[:, 0, 2] - relative[:, 2, 0]
    cosine = relative[:, 0, 0] + relative[:, 2, 2]
    return np.asarray(np.degrees(np.abs(np.arctan2(sine, cosine))))


def rotation_errors(found: Array, true: Array) -> Array:
    """Return the angles (N,) of the relative rotations of roots (N, 3, 3), degrees 0..180."""
    trace = np.einsum("nij,nij->n", found, true)
    return np.asarray(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))


def trunk_rotations(joints: Array) -> Array:
    """Return the rotations (N, 3, 3) of trunks from LSP joints (N, >= 12, 3).

    Columns: the person's left, up (hips to shoulders) and forward, as the axes of the rest body.
    """
    right, left = (
        np.array([LSP_HIPS[0], LSP_SHOULDERS[0]]),
        np.array([LSP_HIPS[1], LSP_SHOULDERS[1]]),
    )
    across = (joints[:, left] - joints[:, right]).sum(axis=1)
    up = joints[:, list(LSP_SHOULDERS)].mean(axis=1) - joints[:, list(LSP_HIPS)].mean(axis=1)
    forward = _unit(np.cross(across, up))
    up = _unit(up)
    return np.stack([np.cross(up, forward), up, forward], axis=-1)


def facing_figures(found: Array, true: Array) -> dict[str, Any]:
    """Return shares of people whose root (N, 3, 3) is off.

    ``facing_over_90`` and ``facing_over_45``: yaw error beyond 90 and 45 degrees;
    ``root_over_45``: whole rotation beyond 45 degrees.
    """
    yaw = yaw_errors(found, true)
    return {
        "facing_over_90": float((yaw > WRONG).mean()),
        "facing_over_45": float((yaw > DOUBTFUL).mean()),
        "root_over_45": float((rotation_errors(found, true) > DOUBTFUL).mean()),
    }


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12))
