"""Motion-adaptive temporal denoising of crops: sensor noise makes a still person tremble.

While a person's crop stays in place, each pixel whose neighbourhood changes by no more than noise
is a running mean of the last frames; a pixel that moves is taken over at once, so nothing lags.
Video encoders and cameras do the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Crop, Image

_STILL_WEIGHT = 0.25
"""Weight s of a new frame where nothing moves; noise falls to sqrt(s / (2 - s)) = 0.38 of its
value."""
_NEIGHBOURHOOD = (9, 9)
"""Pixels over which a change is averaged; noise averages out there and motion does not."""
_MAX_NOISE, _MIN_MOTION = 3.0, 7.0
"""Mean absolute change, of 255, up to which it is noise and from which on it is motion. Two frames
with noise of standard deviation 3 differ by 3 * 2 / sqrt(pi) = 3.4; resampling averages some of
it."""


@dataclass(frozen=True)
class RunningMean:
    """A denoised crop, which the next frame is averaged into."""

    crop: Crop
    image: Image
    """(S, S, 3)"""


def blend(previous: RunningMean | None, crop: Crop, image: Image) -> RunningMean:
    """Average a new frame's crop into a running mean.

    Parameters
    ----------
    previous : RunningMean or None
    crop : Crop
        Where the image was cut; if it is not the very crop of `previous`, the mean restarts.
    image : (S, S, 3) uint8 array

    Returns
    -------
    RunningMean
        Its image is the denoised crop.
    """
    if previous is None or previous.crop is not crop:
        return RunningMean(crop, image)
    change = cv2.cvtColor(cv2.absdiff(image, previous.image), cv2.COLOR_RGB2GRAY)
    weight = cv2.LUT(cv2.blur(change, _NEIGHBOURHOOD), _WEIGHTS)
    mean = np.asarray(cv2.blendLinear(image, previous.image, weight, 1 - weight), dtype=np.uint8)
    return RunningMean(crop, mean)


def _weights() -> npt.NDArray[np.float32]:
    """Return the weight of a new frame by the change of a pixel, 0..255."""
    change = np.arange(256)
    motion = np.clip((change - _MAX_NOISE) / (_MIN_MOTION - _MAX_NOISE), 0, 1)
    return np.asarray(_STILL_WEIGHT + (1 - _STILL_WEIGHT) * motion, dtype=np.float32)


_WEIGHTS = _weights()
