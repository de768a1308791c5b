"""A take's rows as people again, frame by frame."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Person


def camera_of(take: Take) -> Camera:
    """The camera that the take was seen through."""
    return Camera(take.focal_length, np.asarray(take.principal_point), take.frame_size)


def camera_at(take: Take, frame: int) -> Camera:
    """The camera of one frame; separate pictures have one each."""
    if take.picture_camera is None:
        return camera_of(take)
    width, height, focal_length, *middle = (float(value) for value in take.picture_camera[frame])
    return Camera(focal_length, np.array(middle), (int(width), int(height)))


def people_by_frame(take: Take) -> tuple[tuple[Person, ...], ...]:
    """The people of every frame, in the order of their rows.

    Returns
    -------
    tuple of tuples of Person
        One tuple for each of the take's frames, empty where nobody was seen.
    """
    rotations = matrix_from_axis_angle(take.pose)
    people: list[list[Person]] = [[] for _ in take.frame_time]
    for row, frame in enumerate(take.frame):
        people[frame].append(_person(take, row, rotations[row]))
    return tuple(map(tuple, people))


def people_at(take: Take, frame: int) -> tuple[Person, ...]:
    """The people of one frame, in the order of their rows; for takes too long to unfold whole."""
    start, end = np.searchsorted(take.frame, [frame, frame + 1])
    rotations = matrix_from_axis_angle(take.pose[start:end])
    return tuple(_person(take, start + index, turns) for index, turns in enumerate(rotations))


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
