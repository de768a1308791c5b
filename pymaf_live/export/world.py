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

from pymaf_live.body import Body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.export.options import World
from pymaf_live.takes.ground import UP_OF_LEVEL_CAMERA, Ground, ground_of
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

Y_UP_FROM_CAMERA: Array = np.diag([1.0, -1.0, -1.0])
"""Rotation from the camera frame (y down, z forward) to the 'camera' world (y up)."""

UNITS_PER_METRE: Mapping[str, float] = MappingProxyType({"m": 1.0, "cm": 100.0, "mm": 1000.0})
"""File units per metre."""

_REPORTED_TILT = 0.5
"""Smallest pitch or roll worth a note, degrees."""


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
    ground = ground_of(take, body)
    rotation = levelling_rotation(Y_UP_FROM_CAMERA @ ground.up) @ Y_UP_FROM_CAMERA
    first = int(np.flatnonzero(take.person == first_person)[0])
    start = rotation @ np.asarray(take.joints[first, 0], dtype=np.float64)
    shift = -np.array([start[0], ground.height, start[2]])
    return WorldTransform(rotation, shift, _tilt_note(ground))


def levelling_rotation(up: Array) -> Array:
    """Return the smallest rotation (3, 3) from `up`, in a y-up frame, to y."""
    target = np.array([0.0, 1.0, 0.0])
    axis = np.cross(up, target)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    angle = np.arctan2(sine, float(up @ target))
    return np.asarray(matrix_from_axis_angle(axis / sine * angle))


def _tilt_note(ground: Ground) -> str:
    up = ground.up
    if not ground.upright and np.array_equal(up, UP_OF_LEVEL_CAMERA):
        return "no one stands upright; the camera was assumed to be level"
    pitch = np.degrees(np.arctan2(-up[2], -up[1]))
    roll = np.degrees(np.arctan2(up[0], -up[1]))
    if max(abs(pitch), abs(roll)) < _REPORTED_TILT:
        return ""
    return f"corrected the camera's pitch of {pitch:.1f} and roll of {roll:.1f} degrees"
