"""Synthetic takes with known ground truth."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, pose_joints, project
from pymaf_live.takes.playback import people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, Person

SIZE = (1280, 720)
UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Root rotation of a person who stands in front of the camera and faces it."""


def make_take(
    body: Body,
    times: np.ndarray,
    rotations: dict[int, np.ndarray],
    translations: dict[int, np.ndarray],
    *,
    rate: Fraction = Fraction(30),
    frames: dict[int, np.ndarray] | None = None,
    shapes: dict[int, np.ndarray] | None = None,
) -> Take:
    """Return a take of people with rotations (N, J, 3, 3) and translations (N, 3), N frames each.

    `frames` are the frames of each person, all by default; `shapes` (N, S) are zero by default.
    """
    camera = Camera.for_frame(SIZE)
    rows = []
    for person, turns in rotations.items():
        which = np.arange(len(times)) if frames is None else frames[person]
        shape = np.zeros((len(turns), body.shape_count)) if shapes is None else shapes[person]
        joints = pose_joints(body, turns, shape, translations[person])
        rows += [
            (int(f), person, turns[i], shape[i], translations[person][i], joints[i])
            for i, f in enumerate(which)
        ]
    rows.sort(key=lambda row: row[:2])
    count, J = len(rows), body.joint_count
    turns = np.array([row[2] for row in rows]).reshape(count, J, 3, 3)
    pose = np.zeros((count, J, 3))
    if count:
        pose = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(count, J, 3)
    joints = np.array([row[5] for row in rows]).reshape(count, J, 3)
    joints_2d = project(joints, camera)
    return Take(
        source="synthetic",
        frame_size=SIZE,
        frame_rate=rate,
        frame_time=np.asarray(times, dtype=np.float64),
        focal_length=camera.focal_length,
        principal_point=camera.principal_point,
        frame=np.array([row[0] for row in rows], dtype=np.int64),
        person=np.array([row[1] for row in rows], dtype=np.int64),
        pose=pose,
        shape=np.array([row[3] for row in rows]).reshape(count, body.shape_count),
        translation=np.array([row[4] for row in rows]).reshape(count, 3),
        joints=joints,
        joints_2d=joints_2d,
        box=np.concatenate([joints_2d.min(axis=1), joints_2d.max(axis=1)], axis=1)
        if count
        else np.zeros((0, 4)),
        score=np.ones(count),
        joint_score=np.ones((count, J)),
        predicted=np.zeros(count, dtype=bool),
        joint_names=body.joint_names,
        parents=body.parents,
        body_sha256=body.sha256,
        model="none",
        smoothing="off",
    )


def moving_limbs(body: Body, times: np.ndarray, amount: float = 0.5) -> np.ndarray:
    """Return rotations (N, J, 3, 3) of a person whose joints all swing smoothly."""
    random = np.random.default_rng(3)
    axes = random.normal(size=(body.joint_count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    phases = random.uniform(0, 2 * np.pi, body.joint_count)
    angles = amount * np.sin(2 * np.pi * 0.5 * np.asarray(times)[:, None] + phases)
    vectors = angles[..., None] * axes
    turns = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    turns = turns.reshape(len(times), body.joint_count, 3, 3)
    turns[:, 0] = UPRIGHT @ turns[:, 0]
    return turns


def standing(body: Body, count: int) -> np.ndarray:
    """Return rotations (N, J, 3, 3) of a person who stands in T-pose and faces the camera."""
    turns = np.broadcast_to(np.eye(3), (count, body.joint_count, 3, 3)).copy()
    turns[:, 0] = UPRIGHT
    return turns


def walking_past(times: np.ndarray, start: float = 0.0) -> np.ndarray:
    """Return translations (N, 3) in metres: 0.5 m/s to the right, 4 m in front of the camera."""
    times = np.asarray(times)
    return np.column_stack([start - 0.5 + 0.5 * times, 0.1 + 0 * times, 4.0 + 0.1 * times])


def people_by_frame(take: Take) -> tuple[tuple[Person, ...], ...]:
    """Return the people of every frame of a take."""
    return tuple(people_at(take, frame) for frame in range(len(take.frame_time)))
