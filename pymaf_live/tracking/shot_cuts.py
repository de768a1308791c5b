"""Shot-boundary detection: frames that do not continue the previous one."""

from __future__ import annotations

import cv2
import numpy as np

from pymaf_live.types import Array, Image

_THUMBNAIL = (32, 18)
_BINS = 16

_MIN_HISTOGRAM_CHANGE = 0.25
_MAX_CORRELATION = 0.5
"""Both thresholds must be passed: a fast pan keeps the histogram, a flash keeps the layout."""

_MIN_CONTRAST = 2.0
"""Standard deviation in grey levels below which a thumbnail is flat and its correlation means
nothing."""


class ShotCutDetector:
    """Detects shot cuts from luminance thumbnails of successive frames."""

    def __init__(self) -> None:
        self._last: tuple[Array, Array] | None = None

    def reset(self) -> None:
        """Forget the last frame."""
        self._last = None

    def is_cut(self, image: Image) -> bool:
        """Return True if this frame starts a new shot; always False for the first frame."""
        small = thumbnail(image)
        shares, last = histogram(small), self._last
        self._last = small, shares
        if last is None:
            return False
        # share of the pixels that must move to another grey level
        change = float(np.abs(last[1] - shares).sum() / 2)
        return change > _MIN_HISTOGRAM_CHANGE and correlation(last[0], small) < _MAX_CORRELATION


def thumbnail(image: Image) -> Array:
    """Return a small luminance image (18, 32), 0..255."""
    # subsample rows and columns first: area averages over a whole 4K frame cost milliseconds
    height, width = image.shape[:2]
    step = max(1, min(height // 144, width // 256))
    rows, columns = height // step, width // step
    subsampled = cv2.resize(
        image[: rows * step, : columns * step], (columns, rows), interpolation=cv2.INTER_NEAREST
    )
    small = cv2.resize(subsampled, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return np.asarray(small.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))


def histogram(luminance: Array) -> Array:
    """Return the shares of pixels per grey level, each pixel split between the two nearest bins.

    A small change of light therefore changes little.
    """
    position = np.clip(luminance.ravel() / 256 * _BINS, 0, _BINS - 1 - 1e-9)
    low = position.astype(np.int64)
    part = position - low
    counts = np.bincount(low, 1 - part, _BINS) + np.bincount(low + 1, part, _BINS)
    return np.asarray(counts / counts.sum())


def correlation(a: Array, b: Array) -> float:
    """Return the correlation of two thumbnails, -1..1; 1 where both are flat."""
    a, b = a - a.mean(), b - b.mean()
    spread = float(a.std()), float(b.std())
    if max(spread) < _MIN_CONTRAST:
        return 1.0
    if min(spread) < _MIN_CONTRAST:
        return 0.0
    return float((a * b).mean()) / (spread[0] * spread[1])
