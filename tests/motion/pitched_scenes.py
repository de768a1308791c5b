"""Synthetic scenes with a known camera: people who stand and walk on level ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, PointSet, rest_joints
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.takes.take import Take
from tests.helpers.take import UPRIGHT, make_take, moving_limbs

RATE = 30.0
CAMERA_HEIGHT = 2.2
"""Metres over the ground."""
_MARGIN = 3000
"""px on every side of the image."""


def true_up(pitch: float, roll: float) -> np.ndarray:
    """Return the up direction (3,) in the frame of a camera that looks down and is rolled (deg)."""
    return camera_from_level(pitch, roll) @ np.array([0.0, -1.0, 0.0])


def camera_from_level(pitch: float, roll: float) -> np.ndarray:
    return Rotation.from_euler("xz", [pitch, roll], degrees=True).as_matrix()


def scene(
    body: Body,
    pitch: float,
    roll: float,
    people: int,
    *,
    count: int = 90,
    noise: float = 0.0,
    sizes: tuple[float, ...] = (),
) -> tuple[Take, np.ndarray]:
    """Return a take seen by the camera and which of its rows (R,) show a person who stands.

    The first half of the time people stand, lean and move their arms; then they walk to and fro.
    With `noise`, rotations have errors of 0.03 rad, and depths slow errors of 3 %, times `noise`.
    `sizes` are factors on the people's distances from the camera: errors as of a network that takes
    them for taller than they are.
    """
    random = np.random.default_rng(int(7 * pitch + roll + 100 + people))
    times = np.arange(count) / RATE
    turn = camera_from_level(pitch, roll)
    points = PointSet.vertices(body, body.sample_vertices)
    rotations, translations, shapes = {}, {}, {}
    for person in range(people):
        moves = moving_limbs(body, times + 1.7 * person, 0.12)
        facing = Rotation.from_euler("y", random.uniform(0, 2 * np.pi)).as_matrix()
        moves[:, 0] = UPRIGHT @ facing
        parts = ("hip", "knee", "ankle", "foot")
        legs = [i for i, n in enumerate(body.joint_names) if n.split("_")[-1] in parts]
        moves[:, legs] = np.eye(3)
        walking = np.clip(times / times[-1] * 2 - 1, 0, 1)
        swing = 0.5 * np.sin(2 * np.pi * 1.0 * times) * np.minimum(1, 4 * walking)
        for side, sign in (("left", 1), ("right", -1)):
            hip, knee = (body.joint_names.index(f"{side}_{part}") for part in ("hip", "knee"))
            moves[:, hip] = Rotation.from_euler("x", (sign * swing)[:, None]).as_matrix()
            bend = np.maximum(0, -sign * swing) * 0.8
            moves[:, knee] = Rotation.from_euler("x", bend[:, None]).as_matrix()
        shape = np.zeros(body.shape_count)
        shape[0] = random.normal(0, 0.8)
        place = np.array([1.3 * (person - (people - 1) / 2), 0, 4.5 + 0.8 * person])
        path = place + np.outer(1.2 * walking, moves[0, 0] @ [0, 0, 1])
        posed = points.pose(moves, np.broadcast_to(shape, (count, len(shape))))
        path[:, 1] = CAMERA_HEIGHT - posed[..., 1].max(axis=1)
        moves[:, 0] = turn @ moves[:, 0]
        root = _root(body, shape)
        seen = (path + root) @ turn.T - root
        if noise:
            error = random.normal(0, 0.03 * noise, (count, body.joint_count, 3))
            moves = moves @ matrix_from_axis_angle(error)
            drift = 1 + 0.03 * noise * np.sin(2 * np.pi * times / 2 + person)
            seen = (seen + root) * drift[:, None] - root
        if sizes:
            seen = (seen + root) * sizes[person] - root
        rotations[person], translations[person] = moves, seen
        shapes[person] = np.broadcast_to(shape, (count, len(shape)))
    take = make_take(body, times, rotations, translations, shapes=shapes)
    # an image so large that all feet are in it
    take = replace(
        take,
        frame_size=tuple(2 * _MARGIN + side for side in take.frame_size),
        principal_point=take.principal_point + _MARGIN,
        joints_2d=take.joints_2d + _MARGIN,
        box=take.box + _MARGIN,
    )
    return take, np.asarray(take.frame_time)[take.frame] < times[-1] / 2


def _root(body: Body, shape: np.ndarray) -> np.ndarray:
    return np.asarray(rest_joints(body, shape)[0])


def lowest_points(take: Take, body: Body, up: np.ndarray) -> np.ndarray:
    """Return the height (R,) of each row's lowest point along `up`, from the camera."""
    points = PointSet.vertices(body, body.sample_vertices)
    posed = points.pose(matrix_from_axis_angle(take.pose), take.shape, take.translation)
    return np.asarray((posed @ up).min(axis=-1))
