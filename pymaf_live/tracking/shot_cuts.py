"""Shot-boundary detection: frames that do not continue the previous one."""

from __future__ import annotations

import cv2
import numpy as np

from pymaf_live.types import Array, Image

_THUMBNAIL = (32, 18)
_BINS = 16

_CHROMA_BINS, _CHROMA_RANGE = 12, 96.0
"""Bins of each color difference, and its largest value told apart, grey levels."""

_MIN_HISTOGRAM_CHANGE = 0.25
_MIN_CHROMA_CHANGE = 0.2
"""Between successive frames of four videos at most 0.05, between frames of different ones 0.35 and
more, also where their brightness is distributed alike."""
_MAX_CORRELATION = 0.5
"""A fast pan keeps the histograms and a flash keeps the layout: one of the histograms and the
layout must change."""

_MIN_CONTRAST = 2.0
"""Standard deviation in grey levels below which a thumbnail is flat and its correlation means
nothing."""


class ShotCutDetector:
    """Detects shot cuts from thumbnails of successive frames, by brightness, color and layout."""

    def __init__(self) -> None:
        self._last: tuple[Array, Array, Array] | None = None

    def reset(self) -> None:
        """Forget the last frame."""
        self._last = None

    def is_cut(self, image: Image) -> bool:
        """Return True if this frame starts a new shot; always False for the first frame."""
        small, differences = thumbnail(image)
        last, shares, colors = self._last, histogram(small), chroma_histogram(differences)
        self._last = small, shares, colors
        if last is None:
            return False
        # shares of the pixels that must move to another grey level, and to another color
        change = float(np.abs(last[1] - shares).sum() / 2)
        chroma = float(np.abs(last[2] - colors).sum() / 2)
        changed = change > _MIN_HISTOGRAM_CHANGE or chroma > _MIN_CHROMA_CHANGE
        return changed and correlation(last[0], small) < _MAX_CORRELATION


def thumbnail(image: Image) -> tuple[Array, Array]:
    """Return a small luminance image (18, 32), 0..255, and its color differences (18, 32, 2).

    The differences are those of blue and red to the luminance.
    """
    # subsample rows and columns first: area averages over a whole 4K frame cost milliseconds
    height, width = image.shape[:2]
    step = max(1, min(height // 144, width // 256))
    rows, columns = height // step, width // step
    subsampled = cv2.resize(
        image[: rows * step, : columns * step], (columns, rows), interpolation=cv2.INTER_NEAREST
    )
    small = cv2.resize(subsampled, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    color = small.astype(np.float64)
    luminance = np.asarray(color @ np.array([0.299, 0.587, 0.114]))
    return luminance, np.asarray(color[..., [2, 0]] - luminance[..., None])


def chroma_histogram(differences: Array) -> Array:
    """Return the shares of pixels per color (12, 12), each pixel split between the nearest bins."""
    scaled = (differences.reshape(-1, 2) / _CHROMA_RANGE + 1) / 2 * (_CHROMA_BINS - 1)
    position = np.clip(scaled, 0, _CHROMA_BINS - 1 - 1e-9)
    low = position.astype(np.int64)
    part = position - low
    counts = np.zeros(_CHROMA_BINS * _CHROMA_BINS)
    for right in (0, 1):
        for below in (0, 1):
            weight = np.abs(1 - right - part[:, 0]) * np.abs(1 - below - part[:, 1])
            bins = (low[:, 0] + right) * _CHROMA_BINS + low[:, 1] + below
            counts += np.bincount(bins, weight, len(counts))
    return np.asarray(counts / counts.sum())


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
