"""Left-right swaps over time in a tracked person's joints.

A body's lateral axis runs from its right hip and shoulder to its left ones. A real person turns by
a few degrees from frame to frame; an axis that flips by more than 120 degrees within two frames
means that left and right have been swapped. An axis that opposes another observer's for more than
three frames means that one of the two has them swapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Mask

FLIP_ANGLE = np.radians(120.0)
MAX_TOLERATED_FRAMES = 3
"""Swaps that last longer than this are counted."""
_MAX_GAP = 2
"""Frames that a flip may take: 1,800 degrees a second at 30 frames, a figure skater's."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Swap:
    """Run of frames, `length` from `first` on, with left and right swapped."""

    first: int
    length: int


def lateral_axis(joints: Array, left: Sequence[int], right: Sequence[int]) -> Array:
    """Return unit vectors (F, 3) from the right to the left side of joints (F, J, 3)."""
    across = (joints[:, list(left)] - joints[:, list(right)]).sum(axis=1)
    return np.asarray(across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9))


def axis_flips(frame: Ints, axis: Array) -> list[int]:
    """Return the rows whose axis has flipped against one at most `_MAX_GAP` frames before."""
    flips: list[int] = []
    last = -1
    for row in range(1, len(frame)):
        for back in range(1, _MAX_GAP + 1):
            before = row - back
            if before < 0 or before < last or frame[row] - frame[before] > _MAX_GAP:
                break
            if _angle(axis[before], axis[row]) > FLIP_ANGLE:
                flips.append(row)
                last = row
                break
    return flips


def swaps_against_past(frame: Ints, axis: Array) -> list[Swap]:
    """Return lasting swaps against the person's own past.

    Flips divide a track into runs that alternate between two kinds; the kind with fewer frames in
    all is the swapped one.
    """
    edges = [0, *axis_flips(frame, axis), len(frame)]
    runs = list(pairwise(edges))
    even, odd = runs[0::2], runs[1::2]
    swapped = min((even, odd), key=lambda kind: sum(end - start for start, end in kind))
    swaps = [Swap(int(frame[start]), end - start) for start, end in swapped]
    return [swap for swap in swaps if swap.length > MAX_TOLERATED_FRAMES]


def swaps_against_observer(frame: Ints, opposed: Mask, stride: int = 1) -> list[Swap]:
    """Return lasting swaps against an observer that saw frames (N,) which are `stride` apart.

    `opposed` (N,) is True in frames whose lateral axis the observer sees the other way round.
    """
    swaps: list[Swap] = []
    start: int | None = None
    last = 0
    for now, is_opposed in zip([*frame.tolist(), None], [*opposed.tolist(), False], strict=True):
        if start is not None and (not is_opposed or now - last > stride):
            swaps.append(Swap(start, last - start + stride))
            start = None
        if is_opposed and start is None:
            start = now
        last = now if now is not None else last
    return [swap for swap in swaps if swap.length > MAX_TOLERATED_FRAMES]


def angles(first: Array, second: Array) -> Array:
    """Return the angles (N,) between unit vectors (N, 3)."""
    return np.asarray(np.arccos(np.clip((first * second).sum(axis=-1), -1.0, 1.0)))


def _angle(first: Array, second: Array) -> float:
    return float(angles(first[None], second[None])[0])
