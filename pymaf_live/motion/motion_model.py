"""Motion and measurement model of the filters.

Position and rotations move with a velocity that is driven by white noise of spectral density q and
decays at a rate of its own (an Ornstein-Uhlenbeck velocity: constant over short times, forgotten
over long ones; Bar-Shalom et al., 'Estimation with Applications to Tracking and Navigation', 2001,
sections 6.2.2 and 8.2). People who move fast also change fast: q grows with the square of the
speed, so that a person who stands is held still and one who jumps is not held back. If recent
innovations are larger than the model predicts, q grows by the same factor. All times are seconds
and all lengths metres, so any interval between frames is valid. docs/notes/smoothing.md describes
how the parameters were found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pymaf_live.types import Array

RESET_GAP = 0.5
"""Seconds without a measurement after which a person's filter starts anew."""
MAX_COAST = 0.25
"""Seconds for which a person without measurements is extrapolated."""
SHAPE_MEMORY = 1.0
"""Averaging time of the live shape, seconds."""
INNOVATION_MEMORY = 0.2
"""Averaging time of the normalised innovations, seconds."""


@dataclass(frozen=True)
class VelocityProcess:
    """Process model of one kind of coordinate: a velocity driven by noise that decays."""

    noise_density: float
    """Spectral density of the noise that drives the velocity at rest, unit^2/s^3."""
    speed_gain: float
    """Inverse of the speed at which the density has doubled, s/unit."""
    decay_rate: float
    """Rate at which the velocity decays, 1/s."""

    def transition(self, dt: float) -> Array:
        """Return the transition (2, 2) of (value, velocity) over dt seconds."""
        left = float(np.exp(-self.decay_rate * dt))
        return np.array([[1.0, (1 - left) / self.decay_rate], [0.0, left]])

    def process_noise(self, dt: float, speed: Array, nis: Array | float = 1.0) -> Array:
        """Return the covariance (..., 2, 2) that dt seconds add to (value, velocity).

        Parameters
        ----------
        dt : float
            Seconds.
        speed : (...) array
            Unit/s.
        nis : (...) array or float
            Mean normalised innovation squared of the last measurements: 1 if the model holds. A
            larger value means that the density was too low by that factor (Bar-Shalom et al.,
            section 11.2).
        """
        density = self.noise_density * (1 + (self.speed_gain * speed) ** 2) * np.maximum(nis, 1.0)
        a, left = self.decay_rate, float(np.exp(-self.decay_rate * dt))
        value = (dt - 2 * (1 - left) / a + (1 - left**2) / (2 * a)) / a**2
        both, velocity = (1 - left) ** 2 / (2 * a**2), (1 - left**2) / (2 * a)
        unit = np.array([[value, both], [both, velocity]])
        return np.asarray(np.asarray(density)[..., None, None] * unit)


@dataclass(frozen=True)
class MotionModel:
    """Process and measurement noise for a smoothing strength."""

    lateral: VelocityProcess
    """Root position across the line of sight, metres."""
    depth: VelocityProcess
    """Root position along the line of sight, metres: the camera sees size, and the network guesses
    it."""
    rotation: VelocityProcess
    """Joint rotations, radians."""
    lateral_error: float = 0.005
    """Standard deviation of a measurement, m."""
    depth_error: float = 0.0085
    """Standard deviation of a measured depth, relative to the depth."""
    rotation_error: float = 0.03
    """Standard deviation of a measured joint rotation with score 1, rad; up to three times as large
    with score 0."""
    output_delay: float = 0.0
    """Seconds by which live motion is shown late, so that one more measurement contributes."""

    @classmethod
    def live(cls, strength: float) -> MotionModel:
        """Return the live model for a strength above 0 (responsive) and up to 1 (smooth)."""
        responsiveness = 4.0 ** (1 - 2 * strength)
        return cls(
            lateral=VelocityProcess(0.008 * responsiveness, 12.0, 2.0),
            depth=VelocityProcess(0.006 * responsiveness, 1.5, 2.0),
            # even the smoothest setting follows fast motion
            rotation=VelocityProcess(
                7.0 * 8.0 ** (1 - 2 * strength), 2.0 ** (2 * strength - 1), 7.0
            ),
            output_delay=0.02 * strength,
        )

    @classmethod
    def offline(cls, strength: float) -> MotionModel:
        """Return the model for smoothing that also knows later frames."""
        responsiveness = 8.0 ** (1 - 2 * strength)
        return replace(
            cls.live(strength),
            lateral=VelocityProcess(0.008 * 4.0 ** (1 - 2 * strength), 6.0, 2.0),
            depth=VelocityProcess(0.03 * 4.0 ** (1 - 2 * strength), 1.5, 1.0),
            rotation=VelocityProcess(3.5 * responsiveness, 0.35 * 4.0 ** (strength - 0.5), 6.0),
        )

    @classmethod
    def refined(cls, strength: float) -> MotionModel:
        """Return the model for the take-level refinement, which drives velocities directly."""
        model, responsiveness = cls.live(strength), 8.0 ** (1 - 2 * strength)
        return replace(
            model,
            lateral=replace(model.lateral, speed_gain=6.0),
            depth=replace(model.depth, noise_density=0.09 * 4.0 ** (1 - 2 * strength)),
            rotation=VelocityProcess(1.75 * responsiveness, 0.5 * 4.0 ** (strength - 0.5), 6.0),
        )

    def rotation_variance(self, joint_score: Array) -> Array:
        """Return the measurement variance (..., J) in rad^2 about each axis."""
        uncertainty = 1 - np.clip(np.nan_to_num(joint_score), 0.0, 1.0)
        return np.asarray((self.rotation_error * (1 + 2 * uncertainty)) ** 2)


FAST_TURN, FAST_WALK = 2.0, 1.0
"""Speeds at which the output delay is halved: of a joint, rad/s, and of the root across the line of
sight, m/s."""
INITIAL_ANGULAR_SPEED = 3.0
"""Standard deviation of a new person's joint velocities, rad/s."""
INITIAL_SPEED = 1.0
"""Standard deviation of a new person's velocity, m/s."""
COAST_DECAY_RATE = 2.0
"""Rate at which the angular velocity of a joint without measurements decays, 1/s."""
DIFFUSE_COVARIANCE: Array = np.diag([100.0, 900.0])
"""Covariance of an unknown value and velocity, which the next measurement determines alone."""
