"""Kalman filter of joint rotations, with the error in the tangent space of the current rotation.

No angle is filtered directly, so nothing happens at 180 degrees. State of a joint: rotation R and
angular velocity w in its own frame, R(t + dt) = R(t) exp(w dt). The covariance is the same about
the three axes, so one (2, 2) matrix per joint is enough, and all joints are processed at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import axis_angle_from_rotation, matrix_from_axis_angle
from pymaf_live.motion.motion_model import (
    COAST_DECAY_RATE,
    DIFFUSE_COVARIANCE,
    INITIAL_ANGULAR_SPEED,
    INNOVATION_MEMORY,
    VelocityProcess,
)
from pymaf_live.types import Array, Mask


@dataclass(frozen=True)
class RotationState:
    """Filter state of J joints at one time."""

    rotations: Array
    """(J, 3, 3)"""
    velocities: Array
    """(J, 3) rad/s, in the joint's own frame."""
    covariance: Array
    """(J, 2, 2) of rotation (rad) and velocity (rad/s), about each axis."""
    nis: Array
    """(J,) mean normalised innovation squared; see `VelocityProcess.process_noise`."""

    @classmethod
    def initial(cls, measured: Array, variance: Array) -> RotationState:
        """Create the state from a first measurement (J, 3, 3) of variance (J,) rad^2."""
        # through the axis-angle: float32 matrices and sums of rotations are not exact rotations
        rotations = matrix_from_axis_angle(axis_angle_from_rotation(measured))
        covariance = np.zeros((len(rotations), 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = variance, INITIAL_ANGULAR_SPEED**2
        return cls(rotations, np.zeros((len(rotations), 3)), covariance, np.ones(len(rotations)))

    def predicted(self, dt: float, process: VelocityProcess) -> RotationState:
        """Return the state dt seconds later, before a measurement."""
        F = process.transition(dt)
        speed = np.sqrt((self.velocities**2).sum(axis=-1))
        return RotationState(
            self.rotations @ matrix_from_axis_angle(self.velocities * F[0, 1]),
            self.velocities * F[1, 1],
            F @ self.covariance @ F.T + process.process_noise(dt, speed, self.nis),
            self.nis,
        )

    def coasted(self, dt: float | Array) -> RotationState:
        """Return rotations and velocities dt seconds, or (J, 1) s, later without measurements.

        The best guess is that the last motion continues for a while; the faster decay of the
        process model is right only on average.
        """
        left = np.exp(-COAST_DECAY_RATE * np.asarray(dt))
        step = self.velocities * ((1 - left) / COAST_DECAY_RATE)
        rotations = self.rotations @ matrix_from_axis_angle(step)
        return RotationState(rotations, self.velocities * left, self.covariance, self.nis)

    def with_motion_of(self, other: RotationState, joints: Mask) -> RotationState:
        """Return the state with another's rotations and velocities for some joints (J,)."""
        return RotationState(
            np.where(joints[:, None, None], other.rotations, self.rotations),
            np.where(joints[:, None], other.velocities, self.velocities),
            self.covariance,
            self.nis,
        )

    def made_diffuse(self, joints: Mask) -> RotationState:
        """Return the state without knowledge of some joints (J,), after an accepted jump."""
        velocities, covariance = self.velocities.copy(), self.covariance.copy()
        velocities[joints], covariance[joints] = 0.0, DIFFUSE_COVARIANCE
        return RotationState(self.rotations, velocities, covariance, self.nis)

    def updated(self, dt: float, measured: Array, variance: Array, accepted: Mask) -> RotationState:
        """Return the state after measurements.

        Parameters
        ----------
        dt : float
            Seconds since the last measurements.
        measured : (J, 3, 3) array
        variance : (J,) array
            rad^2, about each axis.
        accepted : (J,) array of bool
            Joints whose measurement is used.
        """
        # innovation in the joint's own frame
        error = axis_angle_from_rotation(np.swapaxes(self.rotations, -1, -2) @ measured)
        innovation_variance = self.covariance[:, 0, 0] + variance
        weight = np.where(accepted, 1 - np.exp(-dt / INNOVATION_MEMORY), 0.0)
        nis = self.nis + weight * ((error**2).mean(axis=-1) / innovation_variance - self.nis)
        gain = self.covariance[:, :, 0] / innovation_variance[:, None]
        gain = np.where(accepted[:, None], gain, 0.0)
        return RotationState(
            self.rotations @ matrix_from_axis_angle(gain[:, :1] * error),
            self.velocities + gain[:, 1:] * error,
            self.covariance - gain[:, :, None] * self.covariance[:, None, 0, :],
            nis,
        )


def rts_smooth(
    predicted: Sequence[RotationState],
    updated: Sequence[RotationState],
    transitions: Sequence[Array],
) -> Array:
    """Run the Rauch-Tung-Striebel backward pass over a filter's states.

    Parameters
    ----------
    predicted : sequence of N RotationState
        State at each time before its measurement.
    updated : sequence of N RotationState
        State at each time after its measurement.
    transitions : sequence of N (2, 2) arrays
        Transition into each time; the first is not used.

    Returns
    -------
    (N, J, 3, 3) array
    """
    smoothed = np.empty((len(updated), *updated[-1].rotations.shape))
    later = updated[-1]
    smoothed[-1] = later.rotations
    for index in range(len(updated) - 2, -1, -1):
        current, expected, F = updated[index], predicted[index + 1], transitions[index + 1]
        gain = current.covariance @ F.T @ np.linalg.inv(expected.covariance)
        difference = np.swapaxes(expected.rotations, -1, -2) @ later.rotations
        # the error is expressed in the later frame; the correction is applied in the current one
        step_rotation = matrix_from_axis_angle(current.velocities * F[0, 1])
        error = (step_rotation @ axis_angle_from_rotation(difference)[..., None])[..., 0]
        velocity_error = later.velocities - expected.velocities
        step = gain[:, 0, :1] * error + gain[:, 0, 1:] * velocity_error
        later = RotationState(
            current.rotations @ matrix_from_axis_angle(step),
            current.velocities + gain[:, 1, :1] * error + gain[:, 1, 1:] * velocity_error,
            current.covariance,  # the smoothed covariance is not needed
            current.nis,
        )
        smoothed[index] = later.rotations
    return smoothed
