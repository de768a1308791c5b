"""Initial parameters of a fit from a teacher's landmarks, and depth flips of a fit."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pymaf_live.body import Body
from pymaf_live.body.rotations import axis_angle_from_matrix
from trainer.fitting.batched_kinematics import BatchedKinematics
from trainer.fitting.limb_geometry import Limb, limb_rotations
from trainer.fitting.parameters import FitParameters, make_parameters
from trainer.fitting.targets import KEYPOINTS, FitTargets

_LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HIP, _RIGHT_HIP = 11, 12, 23, 24
"""BlazePose landmarks."""
_LIMB_LANDMARKS = ((23, 25, 27), (24, 26, 28), (11, 13, 15), (12, 14, 16))
"""Joints of each limb from the trunk outwards, in the order of `Limb.all_of`."""
_MIN_SCALE = 0.3


def parameters_from_teacher(
    body: Body, kinematics: BatchedKinematics, targets: FitTargets
) -> FitParameters:
    """Return parameters with the root from hip and shoulder axes and limbs along the landmarks.

    Parameters
    ----------
    body : Body
    kinematics : BatchedKinematics
        Its last points are the 33 landmarks.
    targets : FitTargets
        N people.
    """
    world = targets.world.permute(2, 1, 0)
    hips = world[:, _LEFT_HIP] - world[:, _RIGHT_HIP]
    across = hips + (world[:, _LEFT_SHOULDER] - world[:, _RIGHT_SHOULDER])
    shoulders = world[:, _LEFT_SHOULDER] + world[:, _RIGHT_SHOULDER]
    up = shoulders - (world[:, _LEFT_HIP] + world[:, _RIGHT_HIP])
    x = normalize(across, dim=-1)
    y = normalize(up - (up * x).sum(-1, keepdim=True) * x, dim=-1)
    root = torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)
    pose = torch.zeros(len(world), body.joint_count - 1, 3)
    rest = kinematics.rest_mean.T
    for limb, (a, b, c) in zip(Limb.all_of(body), _LIMB_LANDMARKS, strict=True):
        _align_limb(limb, rest, pose, root, world[:, b] - world[:, a], world[:, c] - world[:, b])
    parameters = make_parameters(root, pose, torch.zeros(len(world), body.shape_count))
    points = kinematics.pose(parameters.rotations(), parameters.shape)[0]
    parameters.camera = _fit_camera(points[:2, KEYPOINTS:], targets)
    return parameters


def depth_flips(
    body: Body, kinematics: BatchedKinematics, parameters: FitParameters
) -> list[FitParameters]:
    """Return the twelve poses with one limb flipped in depth, which project alike.

    For each limb, the upper bone, the lower bone or both are mirrored in depth.
    """
    with torch.no_grad():
        _, world, joints = kinematics.pose(parameters.rotations(), parameters.shape)
    world, joints = world.permute(3, 2, 0, 1), joints.permute(2, 1, 0)
    mirror = torch.tensor([1.0, 1.0, -1.0])
    rest = kinematics.rest_mean.T
    flips = []
    for limb in Limb.all_of(body):
        upper = joints[:, limb.second] - joints[:, limb.first]
        lower = joints[:, limb.third] - joints[:, limb.second]
        for flip_upper, flip_lower in ((True, False), (False, True), (True, True)):
            flip = parameters.clone()
            _align_limb(
                limb,
                rest,
                flip.pose.permute(2, 1, 0),
                world[:, limb.parent],
                upper * mirror if flip_upper else upper,
                lower * mirror if flip_lower else lower,
            )
            flips.append(flip)
    return flips


def _align_limb(
    limb: Limb, rest: Tensor, pose: Tensor, parent: Tensor, upper: Tensor, lower: Tensor
) -> None:
    """Write the rotation vectors of a limb into `pose` (N, J - 1, 3), in place."""
    first, second = limb_rotations(limb, rest, parent, upper, lower)
    vectors = axis_angle_from_matrix(first.numpy().astype(np.float64))
    pose[:, limb.first - 1] = torch.tensor(vectors, dtype=torch.float32)
    pose[:, limb.second - 1] = second


def _fit_camera(points: Tensor, targets: FitTargets) -> Tensor:
    """Return s, tx, ty (3, N) that fit points (2, 33, N) to the landmarks by least squares."""
    weight = targets.landmark_trust + 1e-3
    total = weight.sum(0)
    centre = (weight * points).sum(1) / total
    target = (weight * targets.landmarks).sum(1) / total
    model, image = points - centre[:, None], targets.landmarks - target[:, None]
    scale = (weight * model * image).sum((0, 1)) / (weight * model * model).sum((0, 1))
    scale = scale.clamp(min=_MIN_SCALE)
    return torch.cat([scale[None], target / scale - centre])
