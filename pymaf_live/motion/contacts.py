"""Foot contact detection: a foot stands when it is slow in the image and low."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.takes.ground import Ground
from pymaf_live.types import Array

_MIN_SPEED_LIMIT, _MAX_SPEED_LIMIT = 0.35, 0.9
"""m/s: range of the speed at which contact has a probability of one half."""
_NOISE_FACTOR = 2.5
"""That speed relative to the median speed of the slower foot, which is the apparent speed of people
who stand."""
_SPEED_SOFTNESS = 0.2
"""Width of the transition, relative to that speed."""
_HEIGHT_LIMIT, _HEIGHT_SOFTNESS = 0.10, 0.025
"""Height over the ground, m: probability one half, and width of the transition."""
_SMOOTHING_TIME = 0.04
"""Standard deviation of the averaging of probabilities, s."""
_ENTER, _LEAVE = 0.6, 0.4
"""A stance begins above the one probability and ends below the other (hysteresis)."""
_MIN_DURATION = 0.1
"""Shortest stance, s."""
_GROUND_WINDOW = 1.5
"""Time in which a person has a foot on the ground at least once, s."""
_STEP_PENALTY = 0.9
"""Factor on the contact probability of a foot that is low only relative to its surroundings."""


@dataclass(frozen=True)
class Stance:
    """Period in which a foot stands; frames first to last, both included."""

    foot: int
    first: int
    last: int
    confidence: float
    """Mean contact probability, 0..1."""

    @property
    def frames(self) -> slice:
        """Frames of the stance."""
        return slice(self.first, self.last + 1)


def contact_probability(feet: Array, times: Array, ground: Ground) -> Array:
    """Estimate the probability that feet are in contact with the ground.

    The speed is measured across the line of sight: a standing foot does not move in the image,
    whatever the error of the depth.

    Parameters
    ----------
    feet : (N, K, 3) array
        Positions in m, camera frame, at N increasing times.
    times : (N,) array
        Seconds.
    ground : Ground
        Where these points of a foot are when it rests.

    Returns
    -------
    (N, K) array
    """
    # imported here: a part of the program's start time that most commands do not need
    from scipy.ndimage import gaussian_filter1d, minimum_filter1d

    speed = _lateral_speed(feet, times)
    noise = float(np.median(speed.min(axis=1)))
    limit = float(np.clip(_NOISE_FACTOR * noise, _MIN_SPEED_LIMIT, _MAX_SPEED_LIMIT))
    slow = _soft_below(speed, limit, _SPEED_SOFTNESS * limit)
    # by the height over the ground, and over the lowest foot nearby: a person on a step stands too
    height = ground.height_above(feet)
    rate = (len(times) - 1) / max(float(times[-1] - times[0]), 1e-6)
    window = max(1, round(_GROUND_WINDOW * rate))
    lowest = minimum_filter1d(height.min(axis=1), size=2 * window + 1, mode="nearest")
    near_lowest = _soft_below(height - lowest[:, None], _HEIGHT_LIMIT, _HEIGHT_SOFTNESS)
    near_ground = _soft_below(height, _HEIGHT_LIMIT, _HEIGHT_SOFTNESS)
    probability = slow * np.maximum(near_ground, _STEP_PENALTY * near_lowest)
    sigma = max(_SMOOTHING_TIME * rate, 1e-3)
    return np.asarray(gaussian_filter1d(probability, sigma, axis=0, mode="nearest"))


def find_stances(probability: Array, times: Array) -> list[Stance]:
    """Return the stances in contact probabilities (N, K) at times (N,) s."""
    found = []
    for foot in range(probability.shape[1]):
        standing, first = False, 0
        own = probability[:, foot]
        for index in range(len(own) + 1):
            value = own[index] if index < len(own) else 0.0
            if not standing and value > _ENTER:
                standing, first = True, index
            elif standing and value < _LEAVE:
                standing = False
                if times[index - 1] - times[first] >= _MIN_DURATION:
                    confidence = float(own[first:index].mean())
                    found.append(Stance(foot, first, index - 1, confidence))
    return found


def _lateral_speed(feet: Array, times: Array) -> Array:
    depth = np.maximum(feet[..., 2:], 0.05)
    direction = feet[..., :2] / depth
    rate = np.gradient(direction, times, axis=0) if len(times) > 1 else np.zeros_like(direction)
    return np.asarray(np.linalg.norm(rate, axis=-1) * depth[..., 0])


def _soft_below(values: Array, limit: float, width: float) -> Array:
    """Return 1 well below a limit and 0 well above, by a logistic function."""
    return np.asarray(1 / (1 + np.exp(np.clip((values - limit) / width, -50, 50))))
