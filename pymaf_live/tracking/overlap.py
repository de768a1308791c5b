"""Whether two sets of points are of one person."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array

_OVERLAP = 0.4
"""Intersection over union of the points' boxes."""

_APART = 0.2
"""Distance of the boxes' middles over the larger extent; people side by side are farther apart."""

_TOUCHING = 0.08
"""Of the smaller box; below, two people stand free of one another."""


def joints_extent(points: Array) -> float:
    """Larger extent of points (N, 2), in their unit."""
    return float((points.max(axis=0) - points.min(axis=0)).max())


def same_person(one: Array, other: Array) -> bool:
    """Whether points (N, 2) and points (M, 2) of one frame lie on the same person.

    The sets may differ (LSP's 14, BlazePose's limbs), so their boxes are compared: they must
    overlap by much and have their middles close together.
    """
    low = np.maximum(one.min(axis=0), other.min(axis=0))
    high = np.minimum(one.max(axis=0), other.max(axis=0))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float(np.prod(points.max(axis=0) - points.min(axis=0))) for points in (one, other)]
    if shared <= _OVERLAP * (sum(areas) - shared):
        return False
    middles = [(points.max(axis=0) + points.min(axis=0)) / 2 for points in (one, other)]
    apart = float(np.hypot(*(middles[0] - middles[1])))
    return apart < _APART * max(joints_extent(one), joints_extent(other))


def overlapping(one: Array, other: Array) -> bool:
    """Whether the boxes of points (N, 2) and (M, 2) share a good part of the smaller one."""
    low = np.maximum(one.min(axis=0), other.min(axis=0))
    high = np.minimum(one.max(axis=0), other.max(axis=0))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    least = min(float(np.prod(np.ptp(points, axis=0))) for points in (one, other))
    return shared > _TOUCHING * least
