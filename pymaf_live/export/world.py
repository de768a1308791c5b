"""Frames of reference of an export, both y up (docs/exports.md).

'camera': the camera frame rotated by 180 degrees about x (x right, y up, z towards the camera: a
person who faces the camera faces +z), with the camera at the origin. 'ground': rotated further so
that y is against gravity, then shifted, by the same shift for the whole take, so that the ground is
at y = 0 and the first person starts at x = z = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.export.options import World
from pymaf_live.export.up_direction import estimate_up, levelling_rotation
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

Y_UP_FROM_CAMERA: Array = np.diag([1.0, -1.0, -1.0])
"""Rotation from the camera frame (y down, z forward) to the 'camera' world (y up)."""

UNITS_PER_METRE: Mapping[str, float] = MappingProxyType({"m": 1.0, "cm": 100.0, "mm": 1000.0})
"""File units per metre."""

_GROUND_SAMPLES = 300
_GROUND_PERCENTILE = 10.0
"""Percentile of the lowest points of the body that is the ground: jumps and a few frames sunk by a
bad estimate do not move it."""
_REPORTED_TILT = 0.5
"""Smallest pitch or roll worth a note, degrees."""
_BATCH_ROWS = 16
"""Rows posed at once, to bound memory."""


@dataclass(frozen=True)
class WorldTransform:
    """Rigid transform from the camera frame to the export's world: ``rotation @ point + shift``."""

    rotation: Array
    """(3, 3)"""
    shift: Array
    """(3,) m"""
    note: str = ""
    """Remark for the user on what was estimated; '' without one."""


def world_transform(take: Take, body: Body, world: World, first_person: int) -> WorldTransform:
    """Return the transform of a take into an export's world.

    Parameters
    ----------
    take : Take
        Finite rows only, at least one of them of `first_person`.
    body : Body
    world : {'ground', 'camera'}
    first_person : int
        Number of the person that starts at the origin.
    """
    if world == "camera":
        return WorldTransform(Y_UP_FROM_CAMERA, np.zeros(3))
    up = estimate_up(take, body)
    rotation = levelling_rotation(Y_UP_FROM_CAMERA @ up.direction) @ Y_UP_FROM_CAMERA
    first = int(np.flatnonzero(take.person == first_person)[0])
    start = rotation @ np.asarray(take.joints[first, 0], dtype=np.float64)
    shift = -np.array([start[0], _ground_height(take, body, rotation), start[2]])
    return WorldTransform(rotation, shift, _tilt_note(up.direction, up.upright))


def _tilt_note(up: Array, upright: int) -> str:
    if not upright:
        return "no one stands upright; the camera was assumed to be level"
    pitch = np.degrees(np.arctan2(-up[2], -up[1]))
    roll = np.degrees(np.arctan2(up[0], -up[1]))
    if max(abs(pitch), abs(roll)) < _REPORTED_TILT:
        return ""
    return f"corrected the camera's pitch of {pitch:.1f} and roll of {roll:.1f} degrees"


def _ground_height(take: Take, body: Body, rotation: Array) -> float:
    """Return the height of the ground in metres, in the rotated frame."""
    sample = np.unique(np.linspace(0, len(take.frame) - 1, _GROUND_SAMPLES).round().astype(int))
    points = PointSet.vertices(body, body.sample_vertices)
    lowest = []
    for rows in np.array_split(sample, -(-len(sample) // _BATCH_ROWS)):
        posed = points.pose(
            matrix_from_axis_angle(take.pose[rows]), take.shape[rows], take.translation[rows]
        )
        lowest.append((posed @ rotation.T)[..., 1].min(axis=-1))
    return float(np.percentile(np.concatenate(lowest), _GROUND_PERCENTILE))
