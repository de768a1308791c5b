"""Synthetic people in random poses in front of a camera."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, pose_joints, project
from pymaf_live.types import Camera, Person

SIZE = (320, 240)
CAMERA = Camera.for_frame(SIZE)


def person(
    body: Body,
    seed: int = 0,
    at: tuple[float, float, float] = (0.0, 0.2, 4.0),
    person_id: int = 1,
    bend: float = 0.3,
    turn: float = 0.0,
    camera: Camera = CAMERA,
) -> Person:
    """Return a person standing upright in the image, limbs bent at random."""
    random = np.random.default_rng(seed)
    vectors = random.normal(0, bend, (body.joint_count, 3))
    rotations = Rotation.from_rotvec(vectors).as_matrix()
    rotations[0] = Rotation.from_euler("xy", [np.pi, turn]).as_matrix()
    shape = random.normal(0, 0.7, body.shape_count)
    joints = pose_joints(body, rotations, shape, np.array(at))
    points = project(joints, camera)
    return Person(
        id=person_id,
        rotations=rotations,
        shape=shape,
        translation=np.array(at),
        joints=joints,
        joints_2d=points,
        box=np.r_[points.min(axis=0), points.max(axis=0)],
        score=1.0,
        joint_score=np.ones(body.joint_count),
    )
