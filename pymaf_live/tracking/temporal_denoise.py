"""Taking the grain out of what stands still: a sensor's noise makes a still person tremble.

While a person's crop stays where it was, each pixel whose neighbourhood changes by no more than
noise does is a running mean of the last frames; whatever moves is taken as it is, at once, so
nothing lags. (Motion-adaptive temporal noise reduction, as video encoders and cameras have it.)
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Crop, Image

_SHARE = 0.25
"""Of a new frame where nothing moves; noise falls to sqrt(s / (2 - s)) = 0.38 of what it was."""
_NEIGHBOURHOOD = (9, 9)
"""Pixels over which a change is averaged; noise averages out there and motion does not."""
_LEAST_CHANGE, _MOST_CHANGE = 3.0, 7.0
"""Mean absolute change, of 255, up to which it is noise and from which on it is motion. Two
frames with noise of a deviation of 3 differ by 3 * 2 / sqrt(pi) = 3.4; cutting averages some."""


@dataclass(frozen=True)
class Mean:
    """A crop without its grain: a running mean, which the next frame goes on from."""

    crop: Crop
    image: Image
    """(S, S, 3)"""


class Grain:
    """The running means of the people that are followed."""

    def __init__(self) -> None:
        self._kept: dict[int, Mean] = {}

    def removed(self, person: int, crop: Crop, cut: Image) -> Image:
        """A person's crop without its grain.

        Parameters
        ----------
        person : int
            Number of the person, who has one crop a frame.
        crop : Crop
            Where it was cut; anywhere else than the last one, and the mean begins anew.
        cut : (S, S, 3) uint8 array

        Returns
        -------
        (S, S, 3) uint8 array
        """
        mean = self.mean(self.kept(person), crop, cut)
        self.keep(person, mean)
        return mean.image

    def kept(self, person: int) -> Mean | None:
        """What a person's next mean goes on from."""
        return self._kept.get(person)

    @staticmethod
    def mean(kept: Mean | None, crop: Crop, cut: Image) -> Mean:
        """As `removed`, going on from a given one: for a frame that may not count."""
        if kept is None or kept.crop is not crop:
            return Mean(crop, cut)
        change = cv2.cvtColor(cv2.absdiff(cut, kept.image), cv2.COLOR_RGB2GRAY)
        share = cv2.LUT(cv2.blur(change, _NEIGHBOURHOOD), _SHARES)
        found = np.asarray(cv2.blendLinear(cut, kept.image, share, 1 - share), dtype=np.uint8)
        return Mean(crop, found)

    def keep(self, person: int, mean: Mean) -> None:
        """Go on from a person's mean."""
        self._kept[person] = mean


def _shares() -> npt.NDArray[np.float32]:
    change = np.arange(256)
    moves = np.clip((change - _LEAST_CHANGE) / (_MOST_CHANGE - _LEAST_CHANGE), 0, 1)
    return np.asarray(_SHARE + (1 - _SHARE) * moves, dtype=np.float32)


_SHARES = _shares()
