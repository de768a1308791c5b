"""Overlap of two people's key points in one frame."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array

_SAME_IOU = 0.4
"""Intersection over union of the boxes from which on they may be one person."""

_SAME_DISTANCE = 0.2
"""Largest distance of the box centres of one person, as a fraction of the larger extent; people
side by side are farther apart."""

_OVERLAP_SHARE = 0.08
"""Share of the smaller box below which two people do not occlude one another."""


def joints_extent(points: Array) -> float:
    """Return the larger side of the box of points (N, 2), in their unit."""
    return float((points.max(axis=0) - points.min(axis=0)).max())


def same_person(a: Array, b: Array) -> bool:
    """Return True if points (N, 2) and points (M, 2) of one frame belong to the same person.

    The sets may differ (LSP's 14, BlazePose's limbs), so their boxes are compared: they must
    overlap largely and have their centres close together.
    """
    low = np.maximum(a.min(axis=0), b.min(axis=0))
    high = np.minimum(a.max(axis=0), b.max(axis=0))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float(np.prod(points.max(axis=0) - points.min(axis=0))) for points in (a, b)]
    if shared <= _SAME_IOU * (sum(areas) - shared):
        return False
    centres = [(points.max(axis=0) + points.min(axis=0)) / 2 for points in (a, b)]
    distance = float(np.hypot(*(centres[0] - centres[1])))
    return distance < _SAME_DISTANCE * max(joints_extent(a), joints_extent(b))


def overlapping(a: Array, b: Array) -> bool:
    """Return True if the boxes of points (N, 2) and (M, 2) share a good part of the smaller one."""
    low = np.maximum(a.min(axis=0), b.min(axis=0))
    high = np.minimum(a.max(axis=0), b.max(axis=0))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    smaller = min(float(np.prod(np.ptp(points, axis=0))) for points in (a, b))
    return shared > _OVERLAP_SHARE * smaller
