"""Outlier gate: rejects measurements that are impossible within the time since the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.motion.root_position_filter import bearing_from_position
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints, Mask

_VELOCITY_DECAY_RATE = 8.0
"""Rate at which the expected velocity decays, 1/s."""
_MAX_ANGLE, _MAX_ANGULAR_SPEED = 0.25, 8.0
"""Limit between a joint's measured and expected rotation: rad, plus rad/s since the last one."""
_MAX_DISTANCE, _MAX_SPEED = 0.05, 2.0
"""Limit between the root's measured and expected lateral position: m, plus m/s."""
_MAX_DEPTH_CHANGE, _MAX_DEPTH_RATE = 0.08, 1.5
"""Limit of the relative depth: a part of it, plus 1/s."""
_FULL_TRUST = 0.4
"""Part of these limits within which a measurement counts in full."""
_MAX_OUTLIER_JOINTS = 0.4
"""Part of the joints; with more outliers, the whole frame is one."""
_MAX_OUTLIER_JOINTS_FLIPPED = 0.15
"""Part of the joints up to which a frame is accepted as flipped in depth."""
_SOME_OUTLIER_JOINTS = 0.1
"""Part of the joints; with more outliers, or with an outlier root, the limit of the position is
halved."""
_FLIPPED_VARIANCE_SCALE = 2.0
"""Factor on the variance of a measurement that was flipped back."""
_PERSISTENCE = 0.11
"""Seconds: outliers that last longer, and over more than `_PERSISTENCE_FRAMES`, are real."""
_PERSISTENCE_FRAMES = 3

_MIRROR_X: Array = np.diag([-1.0, 1.0, 1.0])
_HALF_TURN_Y: Array = np.diag([-1.0, 1.0, -1.0])


@dataclass(frozen=True)
class Measurement:
    """A person's root position and joint rotations in one frame; J joints."""

    rotations: Array
    """(J, 3, 3)"""
    position: Array
    """(3,) m, root joint, camera frame."""
    joint_score: Array
    """(J,) 0..1"""

    def depth_flipped(self, mirror: Ints) -> Measurement:
        """Return the measurement with depth reversed: front for back, and left for right.

        In the image both look alike, and the network sometimes confuses them. Flipped back, such a
        frame still shows how the limbs lie.

        Parameters
        ----------
        mirror : (J,) array
            Index of each joint's opposite.
        """
        reflected = depth_flipped_rotations(self.rotations, mirror)
        return Measurement(reflected, self.position, self.joint_score[mirror])


def depth_flipped_rotations(rotations: Array, mirror: Ints) -> Array:
    """Return rotations (..., J, 3, 3) with depth reversed; see `Measurement.depth_flipped`."""
    reflected = _MIRROR_X @ rotations[..., mirror, :, :] @ _MIRROR_X
    reflected[..., 0, :, :] = rotations[..., 0, :, :] @ _HALF_TURN_Y
    return np.asarray(reflected)


@dataclass(frozen=True)
class GateDecision:
    """Decision on a measurement; P = J + 1 parts: the joints, and last the position."""

    accepted: Mask
    """(P,) parts that are used."""
    flipped: bool
    """True if the parts are used as in `Measurement.depth_flipped`."""
    jumped: Mask
    """(P,) parts that were far from the expectation and are accepted now: the filter's knowledge is
    void."""
    persistent: Mask
    """(P,) parts accepted because they had deviated for long enough."""
    variance_scale: Array
    """(P,) factor on the measurement variance."""


def finite_row_mask(take: Take) -> Mask:
    """Return which rows (R,) of a take have finite numbers only."""
    values = (take.pose, take.shape, take.translation)
    finite = [np.isfinite(value).all(axis=tuple(range(1, value.ndim))) for value in values]
    return np.asarray(np.logical_and.reduce(finite))


class OutlierGate:
    """Compares each measurement with the last accepted one.

    It does not compare with the filter's prediction, so that its decisions are the same for any
    smoothing strength.

    Parameters
    ----------
    measurement : Measurement
        The first one.
    mirror : (J,) array
        Index of each joint's opposite.
    """

    def __init__(self, measurement: Measurement, mirror: Ints) -> None:
        self._mirror = mirror
        parts = len(measurement.rotations) + 1
        self._rotations = np.array(measurement.rotations, dtype=np.float64)
        self._bearing = bearing_from_position(measurement.position)
        self._since_accepted = np.zeros(parts)
        self._outlier_time = np.zeros(parts)
        self._outlier_frames = np.zeros(parts, dtype=np.int64)
        self._was_far = np.zeros(parts, dtype=bool)
        # the limits widen with time, so an outlier of the first frames may be within them later
        self._had_outlier = np.zeros(parts, dtype=bool)

    def advance(self, dt: float) -> None:
        """Advance the clock by dt seconds."""
        self._since_accepted += dt
        self._outlier_time += dt

    def evaluate(
        self, measurement: Measurement, angular_velocity: Array, bearing_velocity: Array
    ) -> GateDecision:
        """Decide on a measurement.

        Parameters
        ----------
        measurement : Measurement
        angular_velocity : (J, 3) array
            rad/s, in the joints' own frames.
        bearing_velocity : (3,) array
            1/s, of x/z, y/z and log z.
        """
        deviation = self._deviation(measurement, angular_velocity, bearing_velocity)
        if deviation[0] > 1 or (deviation[:-1] > 1).mean() > _SOME_OUTLIER_JOINTS:
            deviation[-1] *= 2
        outliers = deviation > 1
        whole_frame = bool(outliers[:-1].mean() > _MAX_OUTLIER_JOINTS)
        suspect = np.ones_like(outliers) if whole_frame else outliers
        persistent = (
            suspect
            & (self._outlier_frames >= _PERSISTENCE_FRAMES)
            & (self._outlier_time > _PERSISTENCE)
        )
        accepted = ~suspect | persistent
        self._had_outlier |= outliers
        if (whole_frame or outliers[0]) and not accepted[0]:
            flipped = self._deviation(
                measurement.depth_flipped(self._mirror), angular_velocity, bearing_velocity
            )
            if flipped[0] <= 1 and (flipped[:-1] > 1).mean() <= _MAX_OUTLIER_JOINTS_FLIPPED:
                self._was_far = np.zeros_like(outliers)
                scale = _FLIPPED_VARIANCE_SCALE * np.maximum(1.0, flipped / _FULL_TRUST) ** 2
                return GateDecision(flipped <= 1, True, np.zeros_like(outliers), persistent, scale)
        # a part that is far off twice in a row is no accident
        far = deviation > _FULL_TRUST
        scale = np.where(
            self._was_far | persistent, 1.0, np.maximum(1.0, deviation / _FULL_TRUST) ** 2
        )
        self._was_far = far & accepted
        return GateDecision(accepted, False, self._had_outlier & persistent, persistent, scale)

    def update(self, measurement: Measurement, decision: GateDecision) -> None:
        """Store the accepted parts of a measurement as the reference of the next ones."""
        accepted = decision.accepted
        used = measurement.depth_flipped(self._mirror) if decision.flipped else measurement
        self._rotations[accepted[:-1]] = used.rotations[accepted[:-1]]
        if accepted[-1]:
            self._bearing = bearing_from_position(measurement.position)
        self._since_accepted[accepted] = 0.0
        # a person who is always measured flipped really is that way
        as_measured = accepted & (not decision.flipped)
        self._outlier_frames = np.where(as_measured, 0, self._outlier_frames + 1)
        self._outlier_time[as_measured] = 0.0
        self._had_outlier &= ~as_measured

    def _deviation(
        self, measurement: Measurement, angular_velocity: Array, bearing_velocity: Array
    ) -> Array:
        """Return the distance (P,) from the expectation, relative to the limits."""
        since = self._since_accepted
        ahead = (1 - np.exp(-_VELOCITY_DECAY_RATE * since)) / _VELOCITY_DECAY_RATE
        expected = self._rotations @ matrix_from_axis_angle(angular_velocity * ahead[:-1, None])
        bearing = bearing_from_position(measurement.position)
        change = bearing - self._bearing - bearing_velocity * ahead[-1]
        lateral = np.hypot(change[0], change[1]) * np.exp(self._bearing[2])
        lateral = lateral / (_MAX_DISTANCE + _MAX_SPEED * since[-1])
        depth = abs(change[2]) / (_MAX_DEPTH_CHANGE + _MAX_DEPTH_RATE * since[-1])
        # angle of expected^T measured, from its trace
        angle = np.arccos(
            np.clip(((expected * measurement.rotations).sum((-2, -1)) - 1) / 2, -1, 1)
        )
        limits = _MAX_ANGLE + _MAX_ANGULAR_SPEED * since[:-1]
        return np.append(angle / limits, max(lateral, depth))


def revise_in_hindsight(decisions: Sequence[GateDecision]) -> list[GateDecision]:
    """Return the decisions with persistent outliers accepted from their first frame on.

    Parameters
    ----------
    decisions : sequence of GateDecision
        One per measured frame, in order.
    """
    if not decisions:
        return []
    accepted = np.array([decision.accepted for decision in decisions])
    flipped = np.array([decision.flipped for decision in decisions])
    jumped = np.array([decision.jumped for decision in decisions])
    persistent = np.array([decision.persistent for decision in decisions])
    variance_scale = np.array([decision.variance_scale for decision in decisions])
    for index, part in np.argwhere(persistent):
        first = index
        while first > 0 and (flipped[first - 1] or not accepted[first - 1, part]):
            first -= 1
        had_jumped = jumped[index, part]
        accepted[first:index, part] = True
        variance_scale[first:index, part] = 1.0
        jumped[index, part] = False
        jumped[first, part] = had_jumped
        flipped[first:index] &= part != 0
    return [
        GateDecision(*fields)
        for fields in zip(accepted, flipped, jumped, persistent, variance_scale, strict=True)
    ]
