"""When feet stand: slow in the picture, and low."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.motion.ground import Ground, ground_under
from pymaf_live.types import Array, Mask

_LEAST_SPEED, _MOST_SPEED = 0.35, 0.9
"""m/s: between these is the speed at which a foot is as likely to stand as not."""
_NOISE = 2.5
"""That speed, in terms of how fast the slower foot mostly is: who stands seems to move by that."""
_SPEED_WIDTH = 0.2
"""Of that speed, how soft it is."""
_HEIGHT, _HEIGHT_WIDTH = 0.10, 0.025
"""m over the ground, likewise."""
_SETTLING = 0.04
"""s over which probabilities are averaged."""
_ENTER, _LEAVE = 0.6, 0.4
"""A stance begins above the one and ends below the other, so that it does not flicker."""
_SHORTEST = 0.1
"""s"""
_WINDOW = 1.5
"""s in which a person has a foot on the ground at some time."""


@dataclass(frozen=True)
class Stance:
    """A foot that stands; frames first to last, both included."""

    foot: int
    first: int
    last: int
    sure: float
    """0..1, mean probability."""

    @property
    def frames(self) -> slice:
        """Its frames."""
        return slice(self.first, self.last + 1)


def contact_probability(feet: Array, times: Array, up: Array) -> tuple[Array, Ground]:
    """Probability that feet stand.

    The speed is that across the line of sight: a foot that stands is still in the picture, whatever
    the depth does.

    Parameters
    ----------
    feet : (N, K, 3) array
        m, camera frame, of N rising times.
    times : (N,) array
        s
    up : (3,) array

    Returns
    -------
    (N, K) array and Ground
        The ground is that under the feet which stand.
    """
    # its import takes a part of the program's start, which needs none of this
    from scipy.ndimage import gaussian_filter1d, minimum_filter1d

    speed = _speed_across(feet, times)
    noise = float(np.median(speed.min(axis=1)))
    middle = float(np.clip(_NOISE * noise, _LEAST_SPEED, _MOST_SPEED))
    slow = _less(speed, middle, _SPEED_WIDTH * middle)
    # first by height over the lowest place nearby, then over the ground that this gives
    height = feet @ up
    rate = (len(times) - 1) / max(float(times[-1] - times[0]), 1e-6)
    around = max(1, round(_WINDOW * rate))
    lowest = minimum_filter1d(height.min(axis=1), size=2 * around + 1, mode="nearest")
    low = _less(height - lowest[:, None], _HEIGHT, _HEIGHT_WIDTH)
    probability = slow * low
    resting = probability > 0.5
    if resting.any():
        ground = ground_under(feet[resting], up)
        # over the ground, but a person who stands on a step stands too
        low = np.maximum(_less(ground.above(feet), _HEIGHT, _HEIGHT_WIDTH), 0.9 * low)
        probability = slow * low
    else:
        ground = Ground(up, float(np.percentile(height.min(axis=1), 10)))
    settled = gaussian_filter1d(probability, max(_SETTLING * rate, 1e-3), axis=0, mode="nearest")
    return np.asarray(settled), ground


def stances(probability: Array, times: Array) -> list[Stance]:
    """Stretches in which feet stand, from probabilities (N, K) at times (N,) s."""
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
                if times[index - 1] - times[first] >= _SHORTEST:
                    sure = float(own[first:index].mean())
                    found.append(Stance(foot, first, index - 1, sure))
    return found


def standing_mask(found: list[Stance], shape: tuple[int, int]) -> Mask:
    """(N, K) which feet stand when."""
    mask = np.zeros(shape, dtype=bool)
    for stance in found:
        mask[stance.frames, stance.foot] = True
    return mask


def _speed_across(feet: Array, times: Array) -> Array:
    depth = np.maximum(feet[..., 2:], 0.05)
    direction = feet[..., :2] / depth
    rate = np.gradient(direction, times, axis=0) if len(times) > 1 else np.zeros_like(direction)
    return np.asarray(np.linalg.norm(rate, axis=-1) * depth[..., 0])


def _less(values: Array, middle: float, width: float) -> Array:
    return np.asarray(1 / (1 + np.exp(np.clip((values - middle) / width, -50, 50))))
