"""From the network's crop camera to metres before the frame's camera, and projection."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.kinematics import pose_joints, rest_joints
from pymaf_live.body.model import Body
from pymaf_live.body.rotations import about_z
from pymaf_live.types import Array, Camera, Crop, Estimate, Person

_LEAST_SCALE = 1e-3
_NEAREST = 0.05
"""Metres; points nearer than this are projected as if at this distance, so that none blows up."""


def project(points: Array, camera: Camera) -> Array:
    """Camera-frame metres (..., 3) to frame pixels (..., 2)."""
    depth = np.maximum(points[..., 2:], _NEAREST)
    return points[..., :2] / depth * camera.focal_length + camera.principal_point


def crop_units_from_pixels(points: Array, size: int) -> Array:
    """Crop pixels (pixel centres at integers) to crop units (outer edges at -1 and 1)."""
    return (points + 0.5) * (2 / size) - 1


def pixels_from_crop_units(units: Array, size: int) -> Array:
    """Crop units to crop pixels."""
    return (units + 1) * (size / 2) - 0.5


def person_from_estimate(
    body: Body, estimate: Estimate, crop: Crop, camera: Camera, person_id: int = 0
) -> Person:
    """Carry a crop's estimate into the camera's frame and the frame's pixels.

    With focal length f, crop side b, crop centre (u, v), principal point (px, py) and the crop's
    in-plane turn R: depth z = 2 f / (b s). The root rotation becomes R R_0. Since SMPL turns the
    body about its root joint J_0 and not about the origin, turning the posed body by R also moves
    J_0: translation = R (J_0 + (tx, ty, 0)) - J_0 + ((u - px) z / f, (v - py) z / f, z).

    Parameters
    ----------
    body : Body
    estimate : Estimate
        In the crop's frame.
    crop : Crop
    camera : Camera
    person_id : int

    Returns
    -------
    Person
    """
    scale = max(float(estimate.camera[0]), _LEAST_SCALE)
    turn = about_z(crop.turn)
    depth = 2 * camera.focal_length / (crop.side * scale)
    root = rest_joints(body, estimate.shape)[0]
    in_crop = np.array([estimate.camera[1], estimate.camera[2], 0.0])
    centre = (crop.centre - camera.principal_point) * depth / camera.focal_length
    translation = turn @ (root + in_crop) - root + np.array([centre[0], centre[1], depth])
    # J_0 has a depth of its own; the crop camera is about the body's origin, so it keeps it
    rotations = np.array(estimate.rotations, dtype=np.float64)
    rotations[0] = turn @ rotations[0]
    joints = pose_joints(body, rotations, estimate.shape, translation)
    joints_2d = project(joints, camera)
    return Person(
        id=person_id,
        rotations=rotations,
        shape=np.asarray(estimate.shape, dtype=np.float64),
        translation=translation,
        joints=joints,
        joints_2d=joints_2d,
        box=np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)],
        score=float(estimate.score),
        joint_score=np.asarray(estimate.joint_score, dtype=np.float64),
    )


def crop_points_2d(points: Array, camera: Array) -> Array:
    """Weak-perspective projection of posed points (..., N, 3) m to crop units (..., N, 2).

    `camera` is (..., 3): s, tx, ty.
    """
    scale, shift = camera[..., None, :1], camera[..., None, 1:]
    return scale * (points[..., :2] + shift)
