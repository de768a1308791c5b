"""Estimation of the up direction of a take: the camera's pitch and roll.

Three cues are combined by least squares. People who stand straight point up on average (each leans
a little). Resting feet are on the ground; where they are spread out, their plane is more accurate
than posture. And a camera is usually held level from side to side, or else tilted on purpose and
then by a lot. The estimate minimises, over the up vector n and the ground's height,

    |n - mean axis|^2 / axis_error^2 + sum |n . foot - height|^2 / foot_error^2 + (n . x / roll)^2,

with x to the right in the image. Feet off the plane (that were not really resting) are weighted
down by Huber's function, and feet on the same patch of ground count once, because errors of
neighbours are correlated. The roll is weighted down by Geman and McClure's function where it is
larger than a hand is unsteady.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.body.vectors import angle_between, unit_vectors
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints, Mask

UP_OF_LEVEL_CAMERA: Array = np.array([0.0, -1.0, 0.0])
"""Up direction of a level camera in its own frame (y down)."""

_MAX_TILT = np.radians(60.0)
"""A person who lies stretched out before a level camera is as straight as one who stands before a
camera on its side; beyond this angle the first is more likely."""
_STRAIGHT = np.radians(25.0)
"""Largest angle between thigh and shank, and between trunk and legs, of a person who stands."""
_AXIS_ERROR = np.radians(3.0)
_FOOT_ERROR = 0.05
"""Metres; the error of monocular depth is larger, but its correlated part does not tilt the
plane."""
_ROLL_ERROR, _DELIBERATE_ROLL = np.radians(2.0), np.radians(3.5)
"""Roll of a camera that is held level, and roll from which it is more likely deliberate."""
_MAX_RESTING_SPEED = 0.25
"""Largest speed of the ankle of a resting foot, m/s."""
_PATCH_SIZE = 0.3
"""Side of a patch of ground within which feet count once, metres."""
_ITERATIONS = 8
_MIN_FEET = 3
"""Number of patches that define a plane."""


@dataclass(frozen=True)
class UpEstimate:
    """Estimated up direction."""

    direction: Array
    """(3,) unit vector in the camera frame."""
    upright: int
    """Number of rows with a person who stands straight; with 0 the camera is assumed to be
    level."""
    resting: int
    """Number of patches of ground with resting feet."""


def estimate_up(take: Take, body: Body) -> UpEstimate:
    """Estimate the up direction of a take's camera.

    Parameters
    ----------
    take : Take
        Finite rows only.
    body : Body
        With SMPL's joint names; without them the camera is assumed to be level.
    """
    level = UpEstimate(UP_OF_LEVEL_CAMERA, 0, 0)
    names = {name: index for index, name in enumerate(body.joint_names)}
    required = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
    if not {*required, "neck"} <= set(names) or not len(take.frame):
        return level
    joints = np.asarray(take.joints, dtype=np.float64)
    axes, straight = _body_axes(joints, names)
    tilt = np.arccos(np.clip(axes @ UP_OF_LEVEL_CAMERA, -1.0, 1.0))
    upright = straight & (tilt < _MAX_TILT)
    if not upright.any():
        return level
    axis = _median_direction(axes[upright])
    feet = _resting_feet(take, joints, names, axis)
    # two points are a line and do not define the slope across it
    direction = _combine(axis, feet if len(feet) >= _MIN_FEET else feet[:0])
    return UpEstimate(direction, int(upright.sum()), len(feet))


def levelling_rotation(up: Array) -> Array:
    """Return the smallest rotation (3, 3) from `up`, in a y-up frame, to y."""
    target = np.array([0.0, 1.0, 0.0])
    axis = np.cross(up, target)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    angle = np.arctan2(sine, float(up @ target))
    return np.asarray(matrix_from_axis_angle(axis / sine * angle))


def _body_axes(joints: Array, names: dict[str, int]) -> tuple[Array, Mask]:
    """Return directions (R, 3) from ankles to neck, and which people (R,) are straight."""

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


def _resting_feet(take: Take, joints: Array, names: dict[str, int], up: Array) -> Array:
    """Return positions (P, 3) m of resting ankles, one mean per patch of ground, camera frame."""
    times = np.asarray(take.frame_time, dtype=np.float64)[take.frame]
    resting = []
    for person in np.unique(take.person):
        rows: Ints = np.flatnonzero((take.person == person) & ~take.predicted)
        if len(rows) < 2:
            continue
        duration = np.maximum(np.diff(times[rows]), 1e-6)[:, None]
        ankles = joints[rows][:, [names["left_ankle"], names["right_ankle"]]]
        speed = np.linalg.norm(np.diff(ankles, axis=0), axis=-1) / duration
        # a raised foot may be held still too: only the lower of the two counts, or both if close
        height = ankles[1:] @ up
        low = height < height.min(axis=1, keepdims=True) + _FOOT_ERROR
        resting.append(ankles[1:][(speed < _MAX_RESTING_SPEED) & low])
    if not resting:
        return np.zeros((0, 3))
    points = np.concatenate(resting)
    horizontal = points - (points @ up)[:, None] * up
    _, patch = np.unique(np.round(horizontal / _PATCH_SIZE), axis=0, return_inverse=True)
    patch = patch.ravel()
    count = np.bincount(patch)
    return np.stack([np.bincount(patch, points[:, c]) / count for c in range(3)], axis=1)


def _combine(axis: Array, feet: Array) -> Array:
    """Return the up direction (3,) from the people's axis and resting feet (P, 3)."""
    # n = axis + a e1 + b e2; unknowns are a, b and the ground's height
    e1 = unit_vectors(np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0]))
    e2 = np.cross(axis, e1)
    rows = np.column_stack([feet @ e1, feet @ e2, -np.ones(len(feet))]) / _FOOT_ERROR
    target = -(feet @ axis) / _FOOT_ERROR
    prior = np.diag([1 / _AXIS_ERROR**2, 1 / _AXIS_ERROR**2, 1e-9])
    roll_row = np.array([e1[0], e2[0], 0.0]) / _ROLL_ERROR
    roll_target = -axis[0] / _ROLL_ERROR
    weight, roll_weight = np.ones(len(feet)), _level_weight(axis[0])
    solution: Array = np.zeros(3)
    for _ in range(_ITERATIONS):
        weighted = rows * weight[:, None]
        matrix = rows.T @ weighted + prior + roll_weight * np.outer(roll_row, roll_row)
        right = weighted.T @ target + roll_weight * roll_target * roll_row
        solution = np.linalg.solve(matrix, right)
        residual = np.abs(rows @ solution - target)
        weight = np.where(residual > 1.0, 1.0 / np.maximum(residual, 1.0), 1.0)
        roll_weight = _level_weight(axis[0] + solution[0] * e1[0] + solution[1] * e2[0])
    return unit_vectors(axis + solution[0] * e1 + solution[1] * e2)


def _level_weight(roll: float) -> float:
    """Return Geman and McClure's weight of the assumption that the camera is level."""
    return float(1 / (1 + (roll / _DELIBERATE_ROLL) ** 2) ** 2)


def _median_direction(directions: Array) -> Array:
    """Return the geometric median (3,) of unit vectors, scaled to length 1 (Weiszfeld)."""
    median = directions.mean(axis=0)
    for _ in range(_ITERATIONS):
        weight = 1.0 / np.maximum(np.linalg.norm(directions - median, axis=1), 1e-3)
        median = (weight[:, None] * directions).sum(axis=0) / weight.sum()
    return unit_vectors(median)
