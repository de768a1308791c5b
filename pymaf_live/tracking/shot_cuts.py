"""Shot cuts: frames that do not continue the one before."""

from __future__ import annotations

import cv2
import numpy as np

from pymaf_live.types import Array, Image

_THUMBNAIL = (32, 18)
_BINS = 16

_LEAST_HISTOGRAM_CHANGE = 0.25
_MOST_LIKENESS = 0.5
"""Both must be passed: a fast pan keeps the histogram, a flash keeps the picture's layout."""

_LEAST_CONTRAST = 2.0
"""Grey levels; below, a thumbnail is flat and likeness means nothing."""


class CutFinder:
    """Tells shot cuts from luminance thumbnails of successive frames."""

    def __init__(self) -> None:
        self._last: tuple[Array, Array] | None = None

    def reset(self) -> None:
        """Forget the last frame."""
        self._last = None

    def is_cut(self, image: Image) -> bool:
        """Whether this frame starts a new shot; the very first frame does not."""
        picture = thumbnail(image)
        levels, last = histogram(picture), self._last
        self._last = picture, levels
        if last is None:
            return False
        # share of the pixels that must move to another level
        changed = float(np.abs(last[1] - levels).sum() / 2)
        return changed > _LEAST_HISTOGRAM_CHANGE and likeness(last[0], picture) < _MOST_LIKENESS


def thumbnail(image: Image) -> Array:
    """Small luminance picture, 0..255."""
    # thin the rows and columns out first: area means over a whole 4K frame cost milliseconds
    height, width = image.shape[:2]
    step = max(1, min(height // 144, width // 256))
    rows, columns = height // step, width // step
    thinned = cv2.resize(
        image[: rows * step, : columns * step], (columns, rows), interpolation=cv2.INTER_NEAREST
    )
    small = cv2.resize(thinned, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return np.asarray(small.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))


def histogram(picture: Array) -> Array:
    """Shares of a picture's pixels by grey level, of two neighbouring ones each a part.

    So a small change of light moves little.
    """
    place = np.clip(picture.ravel() / 256 * _BINS, 0, _BINS - 1 - 1e-9)
    low = place.astype(np.int64)
    part = place - low
    counts = np.bincount(low, 1 - part, _BINS) + np.bincount(low + 1, part, _BINS)
    return np.asarray(counts / counts.sum())


def likeness(one: Array, other: Array) -> float:
    """Correlation of two thumbnails, -1..1; 1 where both are flat."""
    a, b = one - one.mean(), other - other.mean()
    spread = float(a.std()), float(b.std())
    if max(spread) < _LEAST_CONTRAST:
        return 1.0
    if min(spread) < _LEAST_CONTRAST:
        return 0.0
    return float((a * b).mean()) / (spread[0] * spread[1])
