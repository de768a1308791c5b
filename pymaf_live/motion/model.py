"""What the filters believe: how people move between frames and how wrong a measurement is.

Place and rotations move with constant velocity but for white noise in the acceleration of density q
(Bar-Shalom et al., 'Estimation with Applications to Tracking and Navigation', 2001, section 6.2.2),
so everything is in seconds and any interval between frames is right. The response to motion has
a bandwidth of about (q / (r dt))^(1/4) rad/s for measurements of variance r every dt seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, rest_joints
from pymaf_live.types import Array

RESET_GAP = 0.5
"""Seconds without a measurement after which a person's motion starts anew."""
COAST = 0.25
"""Seconds for which a person who is not seen is carried on."""
COAST_DECAY = 0.1
"""Seconds in which velocities fade while a person is carried on."""
SHAPE_MEMORY = 3.0
"""Seconds over which the live shape is averaged."""

_PLACE_DENSITY = 0.5
"""m^2/s^3: sudden walking, some 0.15 m/s of change within 1/20 s."""
_TURN_DENSITY = 12.0
"""rad^2/s^3"""
_START_SPEED = 1.0
"""m/s, spread of a new person's velocity."""
_START_TURN = 3.0
"""rad/s, spread of a new person's joint velocities."""
_OUTLIER = 4.0
"""Standard deviations beyond which a measurement counts for less, in proportion."""


@dataclass(frozen=True)
class Noise:
    """Standard deviations of measurements; they grow with the strength of the smoothing."""

    across: float
    """Of the place across the line of sight, as a part of the depth."""
    depth: float
    """Of the depth, as a part of it: a camera sees size, and the network guesses it."""
    turn: float
    """Of a sure joint's rotation, radians; an unsure joint's is up to three times as large."""

    @classmethod
    def of(cls, strength: float) -> Noise:
        """Noise for a strength over 0 and up to 1; measured networks are near 0.5."""
        scale = 4.0 ** (2 * strength - 1)
        return cls(across=0.003 * scale, depth=0.02 * scale, turn=0.03 * scale)

    def place_covariance(self, place: Array) -> Array:
        """(3, 3) m^2 of a measured place (3,) m in the camera's frame.

        Depth comes from size and is uncertain; the direction in the picture is not: so the error
        lies along the ray and moves all three coordinates together.
        """
        distance = max(float(np.linalg.norm(place)), 0.1)
        ray = place / distance
        across, along = (self.across * distance) ** 2, (self.depth * distance) ** 2
        return across * np.eye(3) + (along - across) * np.outer(ray, ray)

    def turn_variance(self, joint_score: Array) -> Array:
        """(J,) rad^2 about each axis."""
        unsure = 1 - np.clip(joint_score, 0.0, 1.0)
        return np.asarray((self.turn * (1 + 2 * unsure)) ** 2)


def transition(dt: float) -> Array:
    """(2, 2) of one coordinate's (value, velocity) over dt seconds."""
    return np.array([[1.0, dt], [0.0, 1.0]])


def _spread(dt: float) -> Array:
    return np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])


def turn_spread(dt: float) -> Array:
    """(2, 2) covariance that dt seconds add to a rotation and its velocity, about each axis."""
    return _TURN_DENSITY * _spread(dt)


def turn_start(variance: Array) -> Array:
    """(J, 2, 2) covariance of rotations and velocities after the first measurement."""
    start = np.zeros((len(variance), 2, 2))
    start[:, 0, 0], start[:, 1, 1] = variance, _START_TURN**2
    return start


def place_transition(dt: float) -> Array:
    """(6, 6) of x, y, z and their velocities."""
    return np.kron(transition(dt), np.eye(3))


def place_spread(dt: float) -> Array:
    """(6, 6)"""
    return _PLACE_DENSITY * np.kron(_spread(dt), np.eye(3))


def place_start(covariance: Array) -> Array:
    """(6, 6) covariance after the first measurement of covariance (3, 3)."""
    start = np.zeros((6, 6))
    start[:3, :3], start[3:, 3:] = covariance, _START_SPEED**2 * np.eye(3)
    return start


def doubt(deviations: Array) -> Array:
    """Factor on a measurement's variance that lies this many standard deviations off (Huber)."""
    return np.asarray(np.maximum(1.0, deviations / _OUTLIER))


def faded(seconds: float) -> float:
    """Seconds' worth of the last velocity that a person has moved by after `seconds` unseen."""
    return COAST_DECAY * (1 - float(np.exp(-seconds / COAST_DECAY)))


def skeleton_size(body: Body, shape: Array) -> Array:
    """(...,) m, summed lengths of the bones: how large a body (..., S) looks at a given depth."""
    rest = rest_joints(body, shape)
    child = np.flatnonzero(body.parents >= 0)
    bones = rest[..., child, :] - rest[..., body.parents[child], :]
    return np.asarray(np.linalg.norm(bones, axis=-1).sum(axis=-1))
