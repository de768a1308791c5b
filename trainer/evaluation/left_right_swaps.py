"""Left and right that change places over time: found in a followed person's joints.

A body's left and right are told by the way across it, from its right hip and shoulder to its left
ones. A real person turns by a few degrees from frame to frame; where the way across turns over by
more than 120 degrees within two frames, left and right have changed places. And where it opposes
another observer's for more than three frames, one of the two has them the wrong way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pymaf_live.types import Array, Ints, Mask

FLIP_ANGLE = np.radians(120.0)
LASTING = 3
"""A swap counts that lasts over more frames than this."""
_WITHIN = 2
"""Frames over which a turn-over may stretch: 1,800 degrees a second at 30 frames, a skater's."""


@dataclass(frozen=True)
class Swap:
    """Frames from `first` on, `length` of them, with left and right the wrong way round."""

    first: int
    length: int


def lateral_axis(joints: Array, left: Sequence[int], right: Sequence[int]) -> Array:
    """Unit vectors (F, 3) from the right to the left hip and shoulder of joints (F, J, 3)."""
    across = (joints[:, list(left)] - joints[:, list(right)]).sum(axis=1)
    return np.asarray(across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9))


def axis_flips(frame: Ints, across: Array) -> list[int]:
    """Rows at which the way across has turned over since at most `_WITHIN` frames before."""
    found: list[int] = []
    last = -1
    for row in range(1, len(frame)):
        for back in range(1, _WITHIN + 1):
            before = row - back
            if before < 0 or before < last or frame[row] - frame[before] > _WITHIN:
                break
            if _angle(across[before], across[row]) > FLIP_ANGLE:
                found.append(row)
                last = row
                break
    return found


def swaps_against_past(frame: Ints, across: Array) -> list[Swap]:
    """Lasting swaps against the person's own past.

    The turn-overs part a track into runs that take turns; the kind of runs with fewer frames in
    all is the wrong way round.
    """
    edges = [0, *axis_flips(frame, across), len(frame)]
    runs = list(pairwise(edges))
    even, odd = runs[0::2], runs[1::2]
    wrong = min((even, odd), key=lambda kind: sum(end - start for start, end in kind))
    swaps = [Swap(int(frame[start]), end - start) for start, end in wrong]
    return [swap for swap in swaps if swap.length > LASTING]


def swaps_against_observer(frame: Ints, opposed: Mask, stride: int = 1) -> list[Swap]:
    """Lasting swaps where an observer, asked in frames (N,) `stride` apart, says the opposite."""
    swaps: list[Swap] = []
    start: int | None = None
    last = 0
    for now, says in zip([*frame.tolist(), None], [*opposed.tolist(), False], strict=True):
        if start is not None and (not says or now - last > stride):
            swaps.append(Swap(start, last - start + stride))
            start = None
        if says and start is None:
            start = now
        last = now if now is not None else last
    return [swap for swap in swaps if swap.length > LASTING]


def angles(first: Array, second: Array) -> Array:
    """Angles (N,) between unit vectors (N, 3)."""
    return np.asarray(np.arccos(np.clip((first * second).sum(axis=-1), -1.0, 1.0)))


def _angle(first: Array, second: Array) -> float:
    return float(angles(first[None], second[None])[0])
