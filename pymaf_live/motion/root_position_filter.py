"""Kalman filter of the root position, in the coordinates that a camera measures.

State: the root joint's bearing (x/z, y/z), the logarithm of its depth z, and their velocities. An
error of the depth, which the network guesses from the size, therefore never moves the body in the
image. The filter itself is filterpy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pymaf_live.motion.kalman_import import kalman_filter_class
from pymaf_live.motion.motion_model import (
    DIFFUSE_COVARIANCE,
    INITIAL_SPEED,
    INNOVATION_MEMORY,
    MotionModel,
)
from pymaf_live.types import Array

PositionState = tuple[Array, Array]
"""Mean (6,) of bearing, log depth and their velocities; covariance (6, 6)."""

_MIN_DEPTH = 0.05
"""Smallest depth in metres."""


def bearing_from_position(position: Array) -> Array:
    """Convert positions (..., 3) m in the camera frame to x/z, y/z and log z."""
    depth = np.maximum(position[..., 2:], _MIN_DEPTH)
    return np.concatenate([position[..., :2] / depth, np.log(depth)], axis=-1)


def position_from_bearing(bearing: Array) -> Array:
    """Convert x/z, y/z and log z (..., 3) to positions (..., 3) m in the camera frame."""
    depth = np.exp(bearing[..., 2:])
    return np.concatenate([bearing[..., :2] * depth, depth], axis=-1)


class RootPositionFilter:
    """Kalman filter of one root joint's position and velocity.

    Parameters
    ----------
    position : (3,) array
        First measurement, m in the camera frame.
    model : MotionModel
    """

    def __init__(self, position: Array, model: MotionModel) -> None:
        self._filter: Any = kalman_filter_class()(dim_x=6, dim_z=3)
        self._filter.H = np.eye(3, 6)
        self._filter.x = np.r_[bearing_from_position(position), np.zeros(3)]
        speed = INITIAL_SPEED / self._depth
        self._filter.P = np.diag(np.r_[self._variance(model), np.full(3, speed**2)])
        # mean normalised innovation squared, lateral and in depth
        self._nis = np.ones(2)

    @property
    def position(self) -> Array:
        """Current position (3,) m."""
        return position_from_bearing(np.array(self._filter.x[:3]))

    @property
    def state(self) -> PositionState:
        """Copy of the current mean and covariance."""
        return np.array(self._filter.x), np.array(self._filter.P)

    @property
    def velocity(self) -> Array:
        """Velocity (3,) of x/z, y/z and log z, 1/s."""
        return np.array(self._filter.x[3:])

    @property
    def _depth(self) -> float:
        return max(float(np.exp(self._filter.x[2])), _MIN_DEPTH)

    def _variance(self, model: MotionModel) -> Array:
        lateral = model.lateral_error / self._depth
        return np.array([lateral, lateral, model.depth_error]) ** 2

    def predict(self, dt: float, model: MotionModel) -> None:
        """Advance the state by dt seconds."""
        depth = self._depth
        speed = np.abs(self._filter.x[3:]) * depth
        lateral = model.lateral.process_noise(dt, np.hypot(speed[0], speed[1]), self._nis[0])
        along = model.depth.process_noise(dt, speed[2], self._nis[1])
        noise = np.stack([lateral, lateral, along]) / depth**2
        Q = np.zeros((6, 6))
        for axis in range(3):
            Q[axis::3, axis::3] = noise[axis]
        self._filter.predict(F=transition(dt, model), Q=Q)

    def extrapolated(self, dt: float, model: MotionModel) -> Array:
        """Return the position (3,) m dt seconds later; the state does not change."""
        bearing = np.array(self._filter.x[:3])
        bearing[:2] += model.lateral.transition(dt)[0, 1] * self._filter.x[3:5]
        bearing[2] += model.depth.transition(dt)[0, 1] * self._filter.x[5]
        return position_from_bearing(bearing)

    def make_diffuse(self) -> None:
        """Discard all knowledge after an accepted jump."""
        self._filter.P = np.kron(DIFFUSE_COVARIANCE, np.eye(3))
        self._filter.x[3:] = 0.0

    def update(self, dt: float, position: Array, model: MotionModel, variance_scale: float) -> None:
        """Update the state by a measurement.

        Parameters
        ----------
        dt : float
            Seconds since the last measurement.
        position : (3,) array
            Measured position, m.
        model : MotionModel
        variance_scale : float
            Factor on the measurement variance.
        """
        bearing = bearing_from_position(position)
        variance = self._variance(model) * variance_scale
        nis = (bearing - self._filter.x[:3]) ** 2 / (np.diag(self._filter.P)[:3] + variance)
        weight = 1 - np.exp(-dt / INNOVATION_MEMORY)
        self._nis = self._nis + weight * (np.r_[nis[:2].mean(), nis[2]] - self._nis)
        self._filter.update(bearing, R=np.diag(variance))

    def shrink_covariance(self, model: MotionModel) -> None:
        """Reduce the covariance like an update, for a measurement that was rejected.

        A grown covariance would follow the next measurement more strongly and show a jump.
        """
        P = np.array(self._filter.P)
        gain = P[:, :3] @ np.linalg.inv(P[:3, :3] + np.diag(self._variance(model)))
        self._filter.P = P - gain @ P[:3]


def transition(dt: float, model: MotionModel) -> Array:
    """Return the transition (6, 6) of the state over dt seconds."""
    F = np.eye(6)
    blocks = [model.lateral.transition(dt)] * 2 + [model.depth.transition(dt)]
    for axis, block in enumerate(blocks):
        F[axis, axis + 3], F[axis + 3, axis + 3] = block[0, 1], block[1, 1]
    return F


def rts_smooth(
    predicted: Sequence[PositionState],
    updated: Sequence[PositionState],
    transitions: Sequence[Array],
) -> Array:
    """Run the Rauch-Tung-Striebel backward pass over a filter's states.

    Parameters
    ----------
    predicted : sequence of N states
        State at each time before its measurement.
    updated : sequence of N states
        State at each time after its measurement.
    transitions : sequence of N (6, 6) arrays
        Transition into each time; the first is not used.

    Returns
    -------
    (N, 3) array
        Positions in metres.
    """
    mean = updated[-1][0]
    smoothed = [mean[:3]]
    for index in range(len(updated) - 2, -1, -1):
        (current, covariance), (expected, prior) = updated[index], predicted[index + 1]
        gain = covariance @ transitions[index + 1].T @ np.linalg.inv(prior)
        mean = current + gain @ (mean - expected)
        smoothed.append(mean[:3])
    return position_from_bearing(np.array(smoothed[::-1]))
