"""Peaks of heat maps."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array

_REACH = 3
"""Cells around the highest cell whose mean, weighted by height, is the peak's place."""


def heat_map_peaks(maps: Array, size: int) -> tuple[Array, Array]:
    """Return the places and heights of the peaks of heat maps.

    Parameters
    ----------
    maps : (B, H, H, L) array
        Probabilities 0..1.
    size : int
        Side of the crop that a map covers, pixels.

    Returns
    -------
    points : (B, L, 2) array
        x, y in crop pixels, pixel centres at integers.
    heights : (B, L) array
        0..1
    """
    count, side, _, landmarks = maps.shape
    flat = maps.reshape(count, side * side, landmarks)
    top = flat.argmax(axis=1)
    heights = np.take_along_axis(flat, top[:, None], axis=1)[:, 0]
    steps = np.arange(-_REACH, _REACH + 1)
    rows = (top // side)[:, None, None] + steps[None, :, None, None]
    columns = (top % side)[:, None, None] + steps[None, None, :, None]
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    people, marks = np.arange(count)[:, None, None, None], np.arange(landmarks)
    near = maps[people, rows.clip(0, side - 1), columns.clip(0, side - 1), marks] * inside
    total = near.sum(axis=(1, 2)) + 1e-12
    cells = [(near * place).sum(axis=(1, 2)) / total for place in (columns, rows)]
    points = (np.stack(cells, axis=-1) + 0.5) * size / side - 0.5
    return np.asarray(points, dtype=np.float64), np.asarray(heights, dtype=np.float64)
