"""Kalman filter of rotations: the error lives in the tangent space of a reference rotation.

No angle is ever filtered as such, so nothing happens at 180 degrees. State of a joint: rotation R
and angular velocity w in its own frame, R(t + dt) = R(t) exp(w dt). The covariance is the same
about the three axes, so (2, 2) a joint does, and all joints go through NumPy at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.motion.model import doubt, transition, turn_spread, turn_start
from pymaf_live.types import Array


@dataclass(frozen=True)
class Turning:
    """What is believed of J joints at one time."""

    rotations: Array
    """(J, 3, 3)"""
    velocities: Array
    """(J, 3) rad/s, in the joint's own frame."""
    covariance: Array
    """(J, 2, 2) of rotation (rad) and velocity, about each axis."""

    @classmethod
    def start(cls, measured: Array, variance: Array) -> Turning:
        """From a first measurement (J, 3, 3) of variance (J,) rad^2."""
        # through the axis-angle: float32 and sums of rotations are not quite rotations
        rotations = matrix_from_axis_angle(axis_angle_from_matrix(measured))
        return cls(rotations, np.zeros((len(rotations), 3)), turn_start(variance))

    def after(self, dt: float) -> Turning:
        """What is believed dt seconds later without a measurement."""
        F = transition(dt)
        return Turning(
            self.rotations @ matrix_from_axis_angle(self.velocities * dt),
            self.velocities,
            F @ self.covariance @ F.T + turn_spread(dt),
        )

    def corrected(self, measured: Array, variance: Array) -> Turning:
        """What is believed after a measurement (J, 3, 3) of variance (J,) rad^2."""
        error = axis_angle_from_matrix(np.swapaxes(self.rotations, -1, -2) @ measured)
        expected = self.covariance[:, 0, 0]
        deviations = np.linalg.norm(error, axis=-1) / np.sqrt(expected + variance)
        gain = self.covariance[:, :, 0] / (expected + variance * doubt(deviations))[:, None]
        step = matrix_from_axis_angle(gain[:, :1] * error)
        return Turning(
            self.rotations @ step,
            self.velocities + gain[:, 1:] * error,
            self.covariance - gain[:, :, None] * self.covariance[:, None, 0, :],
        )

    def carried(self, seconds: float) -> Array:
        """(J, 3, 3) rotations after going on for so many seconds at the present velocity."""
        return self.rotations @ matrix_from_axis_angle(self.velocities * seconds)


def smooth_backward(forward: list[Turning], times: Array) -> Array:
    """Rauch-Tung-Striebel pass over a filter's beliefs.

    Parameters
    ----------
    forward : list of Turning
        After each time's measurement (or without one), N of them.
    times : (N,) array
        Seconds.

    Returns
    -------
    (N, J, 3, 3) array
    """
    smoothed = np.empty((len(forward), *forward[-1].rotations.shape))
    later = forward[-1]
    smoothed[-1] = later.rotations
    for index in range(len(forward) - 2, -1, -1):
        now, dt = forward[index], float(times[index + 1] - times[index])
        expected = now.after(dt)
        F = transition(dt)
        gain = now.covariance @ F.T @ np.linalg.inv(expected.covariance)
        moved = np.swapaxes(expected.rotations, -1, -2) @ later.rotations
        # the error is told in the later frame; the correction is applied in the present one
        turned = matrix_from_axis_angle(now.velocities * dt)
        error = (turned @ axis_angle_from_matrix(moved)[..., None])[..., 0]
        faster = later.velocities - now.velocities
        step = gain[:, 0, :1] * error + gain[:, 0, 1:] * faster
        later = Turning(
            now.rotations @ matrix_from_axis_angle(step),
            now.velocities + gain[:, 1, :1] * error + gain[:, 1, 1:] * faster,
            now.covariance,  # the smoothed covariance is not asked for
        )
        smoothed[index] = later.rotations
    return smoothed
