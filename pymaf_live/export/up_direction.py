"""Which way is up in a take: the camera's pitch and roll from who stands and where the feet stand.

Three witnesses, joined by least squares. People who stand straight point up, on average (each leans
a little). Feet that rest are on the ground; where they spread, their plane says more than anybody's
posture. And who films holds the camera level from side to side, or turns it on purpose and then by
much. The estimate minimises, over the up vector n and the ground's height,

    |n - mean axis|^2 / axis_error^2 + sum |n . foot - height|^2 / foot_error^2 + (n . x / roll)^2,

x to the right in the picture. The feet are weighted down by Huber's function where they are off the
plane (a foot taken for resting that was not), and counted once for each stretch of ground, since
errors of neighbours are alike; the roll by Geman and McClure's, where it is larger than a hand is
unsteady.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.body.vectors import angle_between, unit_vectors
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints, Mask

UP_OF_CAMERA: Array = np.array([0.0, -1.0, 0.0])
"""The up direction of a camera that is held level, in its own frame (y down)."""

_MOST_TILT = np.radians(60.0)
"""Who lies stretched out before a level camera is as straight as who stands before one on its side;
beyond this angle the first is the likelier."""
_STRAIGHT = np.radians(25.0)
"""Between thigh and shank, and between trunk and legs, of who stands."""
_AXIS_ERROR = np.radians(3.0)
_FOOT_ERROR = 0.05
"""Metres; monocular depth wanders by more, but what is alike in neighbours tilts nothing."""
_ROLL_ERROR, _ROLL_MEANT = np.radians(2.0), np.radians(3.5)
"""Of a camera that is held level; and from where on it is likelier that it is not."""
_RESTING = 0.25
"""m/s, of an ankle."""
_CELL = 0.3
"""Metres: feet this near to each other count once."""
_ROUNDS = 8


@dataclass(frozen=True)
class Up:
    """The estimated up direction."""

    direction: Array
    """(3,) unit vector in the camera's frame."""
    upright: int
    """Rows in which somebody stood straight; at 0 the camera is taken to be level."""
    resting: int
    """Places on the ground where feet rested."""


def estimate_up(take: Take, body: Body) -> Up:
    """Estimate the up direction of a take's camera.

    Parameters
    ----------
    take : Take
        Its rows finite.
    body : Body
        With joints named as SMPL's; without them the camera is taken to be level.

    Returns
    -------
    Up
    """
    level = Up(UP_OF_CAMERA, 0, 0)
    names = {name: index for index, name in enumerate(body.joint_names)}
    wanted = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
    if not {*wanted, "neck"} <= set(names) or not len(take.frame):
        return level
    joints = np.asarray(take.joints, dtype=np.float64)
    axes, straight = _body_axes(joints, names)
    tilt = np.arccos(np.clip(axes @ UP_OF_CAMERA, -1.0, 1.0))
    upright = straight & (tilt < _MOST_TILT)
    if not upright.any():
        return level
    axis = _middle_direction(axes[upright])
    feet = _resting_places(take, joints, names, axis)
    # two places are a line: they say nothing of the ground's slope across it
    direction = _join(axis, feet if len(feet) > 2 else feet[:0])
    return Up(direction, int(upright.sum()), len(feet))


def levelling_rotation(up: Array) -> Array:
    """(3, 3) smallest rotation that takes `up`, in a y-up frame, to y."""
    target = np.array([0.0, 1.0, 0.0])
    axis = np.cross(up, target)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    angle = np.arctan2(sine, float(up @ target))
    return np.asarray(matrix_from_axis_angle(axis / sine * angle))


def _body_axes(joints: Array, names: dict[str, int]) -> tuple[Array, Mask]:
    """Direction (R, 3) from the ankles to the neck, and who is straight (R,)."""

    def middle(name: str) -> Array:
        return np.asarray(
            (joints[:, names[f"left_{name}"]] + joints[:, names[f"right_{name}"]]) / 2
        )

    neck = joints[:, names["neck"]]
    hips, ankles = middle("hip"), middle("ankle")
    straight = angle_between(neck - hips, hips - ankles) < _STRAIGHT
    for side in ("left", "right"):
        hip, knee, ankle = (joints[:, names[f"{side}_{part}"]] for part in ("hip", "knee", "ankle"))
        straight &= angle_between(hip - knee, knee - ankle) < _STRAIGHT
    return unit_vectors(neck - ankles), straight


def _resting_places(take: Take, joints: Array, names: dict[str, int], up: Array) -> Array:
    """(P, 3) m, one mean a stretch of ground where ankles hardly moved, camera frame."""
    times = np.asarray(take.frame_time, dtype=np.float64)[take.frame]
    found = []
    for person in np.unique(take.person):
        rows: Ints = np.flatnonzero((take.person == person) & ~take.predicted)
        if len(rows) < 2:
            continue
        duration = np.maximum(np.diff(times[rows]), 1e-6)[:, None]
        ankles = joints[rows][:, [names["left_ankle"], names["right_ankle"]]]
        speed = np.linalg.norm(np.diff(ankles, axis=0), axis=-1) / duration
        # a raised foot may be held still too: only the lower of the two counts, or both near it
        height = ankles[1:] @ up
        low = height < height.min(axis=1, keepdims=True) + _FOOT_ERROR
        found.append(ankles[1:][(speed < _RESTING) & low])
    if not found:
        return np.zeros((0, 3))
    points = np.concatenate(found)
    across = points - (points @ up)[:, None] * up
    _, cell = np.unique(np.round(across / _CELL), axis=0, return_inverse=True)
    cell = cell.ravel()
    count = np.bincount(cell)
    return np.stack([np.bincount(cell, points[:, c]) / count for c in range(3)], axis=1)


def _join(axis: Array, feet: Array) -> Array:
    # n = axis + a e1 + b e2; unknown are a, b and the ground's height
    e1 = unit_vectors(np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0]))
    e2 = np.cross(axis, e1)
    rows = np.column_stack([feet @ e1, feet @ e2, -np.ones(len(feet))]) / _FOOT_ERROR
    right = -(feet @ axis) / _FOOT_ERROR
    prior = np.diag([1 / _AXIS_ERROR**2, 1 / _AXIS_ERROR**2, 1e-9])
    across = np.array([e1[0], e2[0], 0.0]) / _ROLL_ERROR
    level = -axis[0] / _ROLL_ERROR
    weight, level_weight = np.ones(len(feet)), _likely_level(axis[0])
    answer: Array = np.zeros(3)
    for _ in range(_ROUNDS):
        weighted = rows * weight[:, None]
        matrix = rows.T @ weighted + prior + level_weight * np.outer(across, across)
        answer = np.linalg.solve(matrix, weighted.T @ right + level_weight * level * across)
        off = np.abs(rows @ answer - right)
        weight = np.where(off > 1.0, 1.0 / np.maximum(off, 1.0), 1.0)
        level_weight = _likely_level(axis[0] + answer[0] * e1[0] + answer[1] * e2[0])
    return unit_vectors(axis + answer[0] * e1 + answer[1] * e2)


def _likely_level(roll: float) -> float:
    return float(1 / (1 + (roll / _ROLL_MEANT) ** 2) ** 2)


def _middle_direction(directions: Array) -> Array:
    """The geometric median of unit vectors, as a unit vector (Weiszfeld's iteration)."""
    middle = directions.mean(axis=0)
    for _ in range(_ROUNDS):
        weight = 1.0 / np.maximum(np.linalg.norm(directions - middle, axis=1), 1e-3)
        middle = (weight[:, None] * directions).sum(axis=0) / weight.sum()
    return unit_vectors(middle)
