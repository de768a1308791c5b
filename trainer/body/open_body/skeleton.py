"""Joints of SMPL and their kinematic tree, shared by the open body."""

from __future__ import annotations

import numpy as np

JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar",
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
    "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
"""SMPL's 24 joints in its order (Loper et al., 'SMPL', SIGGRAPH Asia 2015)."""

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Parent of each joint; -1 for the root."""

JOINT_ROW = {name: row for row, name in enumerate(JOINTS)}


def mirrored_name(name: str) -> str:
    """Return the name with left and right exchanged."""
    return name.replace("left", "@").replace("right", "left").replace("@", "right")


JOINT_MIRROR = np.array([JOINT_ROW[mirrored_name(name)] for name in JOINTS])
"""(24,) row of each joint's counterpart on the other side."""

MIRROR = np.array([-1.0, 1.0, 1.0])
"""Factors that reflect a point at the body's plane of symmetry, x = 0."""
