"""People and cameras of a take, frame by frame."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Person


def camera_at(take: Take, frame: int) -> Camera:
    """Return the camera of one frame; separate images have one each."""
    if take.picture_camera is None:
        return take.camera
    width, height, focal_length, *center = (float(value) for value in take.picture_camera[frame])
    return Camera(focal_length, np.array(center), (int(width), int(height)))


def people_at(take: Take, frame: int) -> tuple[Person, ...]:
    """Return the people of one frame, in the order of their rows."""
    start, end = np.searchsorted(take.frame, [frame, frame + 1])
    rotations = matrix_from_axis_angle(take.pose[start:end])
    return tuple(_person(take, start + index, pose) for index, pose in enumerate(rotations))


def _person(take: Take, row: int, rotations: Array) -> Person:
    return Person(
        id=int(take.person[row]),
        rotations=rotations,
        shape=np.asarray(take.shape[row], dtype=np.float64),
        translation=np.asarray(take.translation[row], dtype=np.float64),
        joints=np.asarray(take.joints[row], dtype=np.float64),
        joints_2d=np.asarray(take.joints_2d[row], dtype=np.float64),
        box=np.asarray(take.box[row], dtype=np.float64),
        score=float(take.score[row]),
        joint_score=np.asarray(take.joint_score[row], dtype=np.float64),
        predicted=bool(take.predicted[row]),
    )
