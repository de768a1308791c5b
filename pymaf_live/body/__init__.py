"""The parametric body: loading, rotations, kinematics, cameras, decoding of estimates."""

from pymaf_live.body.camera import (
    crop_points_2d,
    crop_units_from_pixels,
    pixels_from_crop_units,
    project,
)
from pymaf_live.body.decode import person_from_estimate, person_with_points
from pymaf_live.body.kinematics import PointSet, joint_transforms, pose_joints, rest_joints
from pymaf_live.body.model import Body, load_body
from pymaf_live.body.registry import default_body

__all__ = [
    "Body",
    "PointSet",
    "crop_points_2d",
    "crop_units_from_pixels",
    "default_body",
    "joint_transforms",
    "load_body",
    "person_from_estimate",
    "person_with_points",
    "pixels_from_crop_units",
    "pose_joints",
    "project",
    "rest_joints",
]
