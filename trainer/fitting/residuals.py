"""Residuals of fitted bodies against the annotation and the teacher."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS, LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Mask
from trainer.body.blazepose_landmarker import LANDMARKS, SIZE
from trainer.data.fits import Fits
from trainer.fitting.fitter import BodyFitter
from trainer.fitting.parameters import FitParameters
from trainer.fitting.targets import KEYPOINTS, LIMB_COUNT, CropAnnotations, FitTargets

_PCK_RADIUS = 0.2
"""Torso lengths within which a joint counts as correct."""
_DOUBTFUL = 0.4
"""Weight of an annotated joint up to which it does not decide about a fit."""

# landmarks of the left side at the two ends of each joint's bone
_BONE_ENDS = {
    "hip": (23, 25), "knee": (25, 27), "ankle": (27, 31), "foot": (31, 31),
    "shoulder": (11, 13), "elbow": (13, 15), "wrist": (15, 19), "hand": (19, 19),
    "collar": (11, 11),
}  # fmt: skip
_TRUNK_LANDMARKS = [11, 12, 23, 24]


@dataclass(frozen=True)
class FitResult:
    """Fitted bodies and their residuals; N people. Fields as in `Fits`."""

    rotations: Array
    """(N, J, 3, 3)"""
    shape: Array
    """(N, S)"""
    camera: Array
    """(N, 3)"""
    residual_2d: Array
    """(N,) crop units."""
    residual_torso: Array
    """(N,) share of the annotated limb joints, 0..1."""
    residual_3d: Array
    """(N,) m."""
    residual_3d_all: Array
    """(N,) m."""

    def to_fits(self, body: Body, people: CropAnnotations, trust: Tensor, kept: Mask) -> Fits:
        """Return the fits to store; `trust` (33, N) is that of the landmarks, `kept` (N,)."""
        return Fits(
            rotations=self.rotations,
            shape=self.shape,
            camera=self.camera,
            frame_from_crop=people.frame_from_crop,
            joint_trust=_joint_trust(body, trust.T.numpy()),
            residual_2d=self.residual_2d,
            residual_torso=self.residual_torso,
            residual_3d=self.residual_3d,
            residual_3d_all=self.residual_3d_all,
            kept=np.asarray(kept, dtype=bool),
        )


def evaluate_fit(
    fitter: BodyFitter, parameters: FitParameters, targets: FitTargets, people: CropAnnotations
) -> FitResult:
    """Measure fitted bodies against the annotation and the teacher."""
    with torch.no_grad():
        points = fitter.points(parameters)
        flat = parameters.camera[0] * (points[:2, :KEYPOINTS] + parameters.camera[1:, None])
        rotations = parameters.rotations().permute(3, 2, 0, 1).contiguous()
    distance = (flat - targets.annotated).norm(dim=0).T.numpy()
    joints = slice(0, len(LSP_NAMES))
    weight = targets.annotated_weight.T.numpy()
    total = np.maximum(weight[:, joints].sum(1), 1e-6)
    torso = people.torso_pixels() / (SIZE / 2)
    with np.errstate(invalid="ignore"):
        inside = distance[:, :LIMB_COUNT] < _PCK_RADIUS * torso[:, None]
    limb = weight[:, :LIMB_COUNT] > _DOUBTFUL
    share = (inside & limb).sum(1) / np.maximum(limb.sum(1), 1)
    limbs = list(BLAZEPOSE_LSP_LIMBS)
    landmarks = points[:, KEYPOINTS:]
    hips = landmarks[:, 23:25].mean(1, keepdim=True)
    teacher_hips = targets.world[:, 23:25].mean(1, keepdim=True)
    depth = (landmarks - hips - targets.world + teacher_hips).norm(dim=0)[limbs].T.numpy()
    trust = targets.depth_trust[limbs].T.numpy()
    return FitResult(
        rotations=rotations.numpy(),
        shape=parameters.shape.T.numpy(),
        camera=parameters.camera.T.numpy(),
        residual_2d=(distance * weight)[:, joints].sum(1) / total,
        residual_torso=np.where(np.isfinite(torso), share, np.nan),
        residual_3d=(depth * trust).sum(1) / np.maximum(trust.sum(1), 1e-6),
        residual_3d_all=depth.mean(1),
    )


def _joint_trust(body: Body, trust: Array) -> Array:
    """Return the trust (N, J) in joints: the geometric mean over the ends of each joint's bone."""
    if trust.shape[1] != LANDMARKS:
        raise InputError(f"trust has shape {trust.shape}, not (N, {LANDMARKS})")
    columns = []
    for name in body.joint_names:
        side, _, part = name.partition("_")
        if part in _BONE_ENDS:
            # a right landmark follows its left counterpart
            first, second = (end + (side == "right") for end in _BONE_ENDS[part])
            columns.append(np.sqrt(trust[:, first] * trust[:, second]))
        else:
            columns.append(trust[:, _TRUNK_LANDMARKS].mean(1))
    return np.stack(columns, axis=1)
