"""The frames of reference that a take is exported in, both y up (docs/exports.md).

'camera': the camera's frame turned by 180 degrees about x (x right, y up, z towards the camera: who
faces the camera faces +z), the camera at the origin. 'ground': turned on so that y is against
gravity, then shifted, by one shift for the whole take, so that the ground is at y = 0 and the first
person starts at x = z = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.export.options import World
from pymaf_live.export.up_direction import level_turn, up_of
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

Y_UP_FROM_CAMERA: Array = np.diag([1.0, -1.0, -1.0])

SCALE: Mapping[str, float] = MappingProxyType({"m": 1.0, "cm": 100.0})
"""File units in a metre."""

_GROUND_SAMPLES = 300
_GROUND_PERCENTILE = 10.0
"""Of the lowest points: jumps and a few frames sunk by a bad estimate do not move the ground."""
_TOLD_TILT = 0.5
"""Degrees."""


@dataclass(frozen=True)
class Placed:
    """From the camera's frame to the exports': ``turn @ point + shift``."""

    turn: Array
    """(3, 3) rotation."""
    shift: Array
    """(3,) m."""
    note: str = ""
    """What was estimated, for a person."""


def place(take: Take, body: Body, world: World, first_person: int) -> Placed:
    """Where a take stands in the exports' world.

    Parameters
    ----------
    take : Take
        With finite rows, at least one of them of `first_person`.
    body : Body
    world : {'ground', 'camera'}
    first_person : int
        Who starts at the origin.
    """
    if world == "camera":
        return Placed(Y_UP_FROM_CAMERA, np.zeros(3))
    up = up_of(take, body)
    turn = level_turn(Y_UP_FROM_CAMERA @ up.direction) @ Y_UP_FROM_CAMERA
    first = int(np.flatnonzero(take.person == first_person)[0])
    start = turn @ np.asarray(take.joints[first, 0], dtype=np.float64)
    shift = -np.array([start[0], _ground(take, body, turn), start[2]])
    return Placed(turn, shift, _told(up.direction, up.upright))


def _told(up: Array, upright: int) -> str:
    if not upright:
        return "nobody stands upright: the camera was taken to be level"
    pitch = np.degrees(np.arctan2(-up[2], -up[1]))
    roll = np.degrees(np.arctan2(up[0], -up[1]))
    if max(abs(pitch), abs(roll)) < _TOLD_TILT:
        return ""
    return f"turned upright by the camera's pitch of {pitch:.1f} and roll of {roll:.1f} degrees"


def _ground(take: Take, body: Body, turn: Array) -> float:
    """Height of the ground in metres, in the turned frame."""
    sample = np.unique(np.linspace(0, len(take.frame) - 1, _GROUND_SAMPLES).round().astype(int))
    points = PointSet.vertices(body, body.sample_vertices)
    lowest = []
    for part in np.array_split(sample, -(-len(sample) // 16)):  # a few at a time: memory
        posed = points.pose(
            matrix_from_axis_angle(take.pose[part]), take.shape[part], take.translation[part]
        )
        lowest.append((posed @ turn.T)[..., 1].min(axis=-1))
    return float(np.percentile(np.concatenate(lowest), _GROUND_PERCENTILE))
