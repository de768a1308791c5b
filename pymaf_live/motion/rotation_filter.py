"""Kalman filter of rotations: the error lives in the tangent space of a reference rotation.

No angle is ever filtered as such, so nothing happens at 180 degrees. State of a joint: rotation R
and angular velocity w in its own frame, R(t + dt) = R(t) exp(w dt). The covariance is the same
about the three axes, so (2, 2) a joint does, and all joints go through NumPy at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import (
    axis_angle_from_rotation,
    matrix_from_axis_angle,
)
from pymaf_live.motion.motion_model import (
    CARRIED_FADING,
    NOTHING_KNOWN,
    START_TURN,
    SURPRISE_MEMORY,
    Walk,
)
from pymaf_live.types import Array, Mask


@dataclass(frozen=True)
class Turning:
    """What is believed of J joints at one time."""

    rotations: Array
    """(J, 3, 3)"""
    velocities: Array
    """(J, 3) rad/s, in the joint's own frame."""
    covariance: Array
    """(J, 2, 2) of rotation (rad) and velocity, about each axis."""
    surprise: Array
    """(J,) as `Walk.spread` has it."""

    @classmethod
    def start(cls, measured: Array, variance: Array) -> Turning:
        """From a first measurement (J, 3, 3) of variance (J,) rad^2."""
        # through the axis-angle: float32 and sums of rotations are not quite rotations
        rotations = matrix_from_axis_angle(axis_angle_from_rotation(measured))
        covariance = np.zeros((len(rotations), 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = variance, START_TURN**2
        return cls(rotations, np.zeros((len(rotations), 3)), covariance, np.ones(len(rotations)))

    def after(self, dt: float, walk: Walk) -> Turning:
        """What is believed dt seconds later without a measurement."""
        F = walk.transition(dt)
        speed = np.sqrt((self.velocities**2).sum(axis=-1))
        return Turning(
            self.rotations @ matrix_from_axis_angle(self.velocities * F[0, 1]),
            self.velocities * F[1, 1],
            F @ self.covariance @ F.T + walk.spread(dt, speed, self.surprise),
            self.surprise,
        )

    def carried(self, dt: float) -> Turning:
        """Rotations and velocities dt seconds later where nothing is measured.

        The best guess is then that the motion seen last goes on for a while; that it fades as fast
        as the walk says is true on average only.
        """
        left = float(np.exp(-CARRIED_FADING * dt))
        step = self.velocities * ((1 - left) / CARRIED_FADING)
        rotations = self.rotations @ matrix_from_axis_angle(step)
        return Turning(rotations, self.velocities * left, self.covariance, self.surprise)

    def moved_to(self, other: Turning, joints: Mask) -> Turning:
        """The same with another's rotations and velocities for some joints (J,)."""
        return Turning(
            np.where(joints[:, None, None], other.rotations, self.rotations),
            np.where(joints[:, None], other.velocities, self.velocities),
            self.covariance,
            self.surprise,
        )

    def opened(self, joints: Mask) -> Turning:
        """The same with nothing known of some joints (J,): they turned by surprise."""
        velocities, covariance = self.velocities.copy(), self.covariance.copy()
        velocities[joints], covariance[joints] = 0.0, NOTHING_KNOWN
        return Turning(self.rotations, velocities, covariance, self.surprise)

    def corrected(self, dt: float, measured: Array, variance: Array, taken: Mask) -> Turning:
        """What is believed after measurements.

        Parameters
        ----------
        dt : float
            Seconds since the last ones.
        measured : (J, 3, 3) array
        variance : (J,) array
            rad^2, about each axis.
        taken : (J,) array of bool
            Which of them count.
        """
        # in the joint's own frame
        error = axis_angle_from_rotation(np.swapaxes(self.rotations, -1, -2) @ measured)
        spread = self.covariance[:, 0, 0] + variance
        new = np.where(taken, 1 - np.exp(-dt / SURPRISE_MEMORY), 0.0)
        surprise = self.surprise + new * ((error**2).mean(axis=-1) / spread - self.surprise)
        gain = self.covariance[:, :, 0] / spread[:, None]
        gain = np.where(taken[:, None], gain, 0.0)
        return Turning(
            self.rotations @ matrix_from_axis_angle(gain[:, :1] * error),
            self.velocities + gain[:, 1:] * error,
            self.covariance - gain[:, :, None] * self.covariance[:, None, 0, :],
            surprise,
        )


def smooth_backward(
    before: Sequence[Turning], after: Sequence[Turning], transitions: Sequence[Array]
) -> Array:
    """Rauch-Tung-Striebel pass over a filter's beliefs.

    Parameters
    ----------
    before : sequence of Turning
        What was expected at each time ahead of its measurement, N of them.
    after : sequence of Turning
        What was believed after it.
    transitions : sequence of (2, 2) arrays
        That led to each time; the first is not used.

    Returns
    -------
    (N, J, 3, 3) array
    """
    smoothed = np.empty((len(after), *after[-1].rotations.shape))
    later = after[-1]
    smoothed[-1] = later.rotations
    for index in range(len(after) - 2, -1, -1):
        now, expected, F = after[index], before[index + 1], transitions[index + 1]
        gain = now.covariance @ F.T @ np.linalg.inv(expected.covariance)
        moved = np.swapaxes(expected.rotations, -1, -2) @ later.rotations
        # the error is told in the later frame; the correction is applied in the present one
        turned = matrix_from_axis_angle(now.velocities * F[0, 1])
        error = (turned @ axis_angle_from_rotation(moved)[..., None])[..., 0]
        faster = later.velocities - expected.velocities
        step = gain[:, 0, :1] * error + gain[:, 0, 1:] * faster
        later = Turning(
            now.rotations @ matrix_from_axis_angle(step),
            now.velocities + gain[:, 1, :1] * error + gain[:, 1, 1:] * faster,
            now.covariance,  # the smoothed covariance is not asked for
            now.surprise,
        )
        smoothed[index] = later.rotations
    return smoothed
