"""What the filters believe: how people move between frames and how wrong a measurement is.

Place and rotations move with a velocity that white noise of density q drives and that fades with a
rate of its own (an Ornstein-Uhlenbeck velocity: constant over short times, forgotten over long
ones; Bar-Shalom et al., 'Estimation with Applications to Tracking and Navigation', 2001, sections
6.2.2 and 8.2). Who moves fast also changes fast: q grows with the square of the speed, so that a
person who stands is held still and one who jumps is not held back. And where measurements have
lately been further from what was expected than the model says, q grows by as much. All is in
seconds and metres, so any interval between frames is right. docs/notes/smoothing.md says how
the numbers were found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pymaf_live.types import Array

RESET_GAP = 0.5
"""Seconds without a measurement after which a person's motion starts anew."""
COAST = 0.25
"""Seconds for which a person who is not seen is carried on."""
SHAPE_MEMORY = 1.0
"""Seconds over which the live shape is averaged."""
SURPRISE_MEMORY = 0.2
"""Seconds over which it is averaged how far measurements are from what was expected."""


@dataclass(frozen=True)
class Walk:
    """How one kind of coordinate moves by itself."""

    density: float
    """unit^2/s^3, of the noise that drives the velocity at rest."""
    liveliness: float
    """s/unit: at the inverse of this speed the density has doubled."""
    fading: float
    """1/s, at which the velocity is forgotten."""

    def transition(self, dt: float) -> Array:
        """(2, 2) of (value, velocity) over dt seconds."""
        left = float(np.exp(-self.fading * dt))
        return np.array([[1.0, (1 - left) / self.fading], [0.0, left]])

    def spread(self, dt: float, speed: Array, surprise: Array | float = 1.0) -> Array:
        """(..., 2, 2) covariance that dt seconds at speeds (...) add to (value, velocity).

        `surprise` (...) is the mean of the squared, normalised distances of the last measurements
        from what was expected: 1 where the model holds. Above, it is the density that was too low
        (as in Bar-Shalom et al., section 11.2).
        """
        density = self.density * (1 + (self.liveliness * speed) ** 2) * np.maximum(surprise, 1.0)
        a, left = self.fading, float(np.exp(-self.fading * dt))
        value = (dt - 2 * (1 - left) / a + (1 - left**2) / (2 * a)) / a**2
        both, velocity = (1 - left) ** 2 / (2 * a**2), (1 - left**2) / (2 * a)
        unit = np.array([[value, both], [both, velocity]])
        return np.asarray(np.asarray(density)[..., None, None] * unit)


@dataclass(frozen=True)
class Model:
    """Motion and measurement, for a strength of the smoothing."""

    across: Walk
    """Of the root across the line of sight, metres."""
    depth: Walk
    """Of the root along it, metres: a camera sees size, and the network guesses it."""
    turn: Walk
    """Of a joint's rotation, radians."""
    across_error: float = 0.005
    """m, standard deviation of a measurement."""
    depth_error: float = 0.0085
    """Of a measured depth, as a part of it."""
    turn_error: float = 0.03
    """rad, of a sure joint's measured rotation; an unsure joint's is up to three times as large."""
    lag: float = 0.0
    """Seconds that live motion is shown late, so that one measurement more tells of it."""

    @classmethod
    def of(cls, strength: float) -> Model:
        """Model for a strength over 0 (snappy) and up to 1 (smooth)."""
        snappy = 4.0 ** (1 - 2 * strength)
        return cls(
            across=Walk(0.008 * snappy, 6.0, 2.0),
            depth=Walk(0.012 * snappy, 1.5, 2.0),
            # the smoothest still follows who moves fast
            turn=Walk(7.0 * 8.0 ** (1 - 2 * strength), 2.0 ** (2 * strength - 2), 16.0),
            lag=0.02 * strength,
        )

    @classmethod
    def in_hindsight(cls, strength: float) -> Model:
        """Model for a strength where what comes after is known too, and waiting costs nothing."""
        snappy = 8.0 ** (1 - 2 * strength)
        return replace(
            cls.of(strength),
            depth=Walk(0.03 * 4.0 ** (1 - 2 * strength), 1.5, 1.0),
            turn=Walk(3.5 * snappy, 0.35 * 4.0 ** (strength - 0.5), 6.0),
        )

    def turn_variance(self, joint_score: Array) -> Array:
        """(..., J) rad^2 about each axis."""
        unsure = 1 - np.clip(np.nan_to_num(joint_score), 0.0, 1.0)
        return np.asarray((self.turn_error * (1 + 2 * unsure)) ** 2)


START_TURN = 3.0
"""rad/s, spread of a new person's joint velocities."""
START_SPEED = 1.0
"""m/s, spread of a new person's velocity."""
CARRIED_FADING = 2.0
"""1/s, at which the turning of a joint that is not seen fades."""
NOTHING_KNOWN: Array = np.diag([100.0, 900.0])
"""Covariance of a value and its velocity that a measurement then decides alone."""
