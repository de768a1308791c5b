"""Joint limits accept natural poses and reject impossible ones."""

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from trainer.body.joint_limits import violates_joint_limits


@pytest.fixture(scope="module")
def body():
    return default_body()


def posed_rotations(body, **vectors):
    pose = np.zeros((body.joint_count, 3))
    for name, vector in vectors.items():
        pose[body.joint_names.index(name)] = vector
    return matrix_from_axis_angle(pose)[None]


@pytest.mark.parametrize(
    "pose",
    [
        {},
        {"left_knee": (2.2, 0, 0), "right_hip": (-1.8, 0, 0)},
        {"left_elbow": (0, -2.4, 0), "right_elbow": (0, 2.4, 0)},
        # a handstand, seen from behind, arms up
        {"pelvis": (0, 0, 3.1), "left_shoulder": (0, 0, 1.4), "right_shoulder": (0, 0, -1.4)},
    ],
)
def test_natural_poses_are_within_the_limits(body, pose):
    assert not violates_joint_limits(body, posed_rotations(body, **pose))[0]


@pytest.mark.parametrize(
    "pose",
    [
        {"left_knee": (-1.0, 0, 0)},
        {"right_elbow": (0, -1.0, 0)},
        {"left_elbow": (0, 1.0, 0)},
        {"right_knee": (0, 0, 0.9)},
        {"neck": (0, 1.6, 0)},
    ],
)
def test_impossible_poses_violate_the_limits(body, pose):
    assert violates_joint_limits(body, posed_rotations(body, **pose))[0]


def test_people_are_checked_independently(body):
    people = np.concatenate(
        [
            posed_rotations(body),
            posed_rotations(body, left_knee=(-1.0, 0, 0)),
            posed_rotations(body),
        ]
    )
    people[2, 3, 0, 0] = np.nan
    assert violates_joint_limits(body, people).tolist() == [False, True, True]
