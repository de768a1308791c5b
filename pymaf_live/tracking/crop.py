"""The crop rule: the one function that the trainer, the fitting and the program share.

Turned so that mid-hip -> mid-shoulder points up; centre = middle of the points' box in the turned
frame; side = 1.75 x the box's larger extent, where BlazePose's features are at their best
(measured on LSPET: unturned crops lose a third of the joints, and 1.6 to 2.0 is a plateau).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array, Crop

SIDE = 1.75
"""Side of the crop as a multiple of the larger extent of the points' box."""

_LEAST_RULE, _MOST_RULE = 1.0, 4.0


@dataclass(frozen=True)
class CropRule:
    """How a model wants its crops; ours turns them, others were trained on upright squares."""

    turned: bool = True
    """Whether the trunk points up in the crop; else the crop is upright in the frame."""
    side: float = SIDE
    """Multiple of the larger extent of the points' box."""

    @classmethod
    def read(cls, text: str) -> CropRule | None:
        """The rule that a model file names, such as 'trunk-up 1.75' or 'upright 1.20'.

        None where it is neither.
        """
        found = re.fullmatch(r"(trunk-up|upright) ([0-9]\.[0-9]{2})", text)
        if found is None or not _LEAST_RULE <= float(found[2]) <= _MOST_RULE:
            return None
        return cls(found[1] == "trunk-up", float(found[2]))


# how far, of the side, in ratio and in turn, a crop may be off before it follows
_STAYS_WITHIN = 0.03
_STAYS_SCALED = 1.06
_STAYS_TURNED = np.radians(4.0)

_LEAST_SIDE = 4.0
"""Frame pixels; a box of no extent still gives a crop."""


def crop_about(centre: Array, side: float, turn: float, size: int) -> Crop:
    """Square crop from its centre and side in frame pixels and its in-plane turn in radians.

    Parameters
    ----------
    centre : (2,) array
        Frame pixels.
    side : float
        Frame pixels.
    turn : float
        Angle of the crop's x axis in the frame, radians (y down).
    size : int
        Side in crop pixels.
    """
    scale = max(float(side), _LEAST_SIDE) / size
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.full(2, (size - 1) / 2)
    shift = np.asarray(centre, dtype=np.float64) - rotation @ middle
    return Crop(np.column_stack([rotation, shift]), size)


def trunk_turn(mid_hip: Array, mid_shoulder: Array) -> float:
    """In-plane turn that makes mid-hip -> mid-shoulder point up in the crop, radians."""
    along = np.asarray(mid_shoulder, dtype=np.float64) - np.asarray(mid_hip, dtype=np.float64)
    if float(np.hypot(*along)) < 1e-6:
        return 0.0
    return float(np.arctan2(along[0], -along[1]))


def crop_from_points(points: Array, turn: float, size: int, side: float = SIDE) -> Crop:
    """Crop round body points, turned.

    Parameters
    ----------
    points : (N, 2) array
        Frame pixels, N >= 1; the annotated or projected joints (LSP's 14 where all are known).
    turn : float
        From `trunk_turn`; 0 while the trunk is unknown.
    size : int
        Side in crop pixels.
    side : float
        Multiple of the points' larger extent.
    """
    c, s = np.cos(turn), np.sin(turn)
    turned = np.asarray(points, dtype=np.float64) @ np.array([[c, -s], [s, c]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    middle = (low + high) / 2 @ np.array([[c, s], [-s, c]])
    return crop_about(middle, side * float((high - low).max()), turn, size)


def crop_from_box(box: Array, turn: float, size: int, side: float = SIDE) -> Crop:
    """Crop round a box (4,) x0, y0, x1, y1 of a person, turned about its centre."""
    corners = np.asarray(box, dtype=np.float64).reshape(2, 2)
    extent = float((corners[1] - corners[0]).max())
    return crop_about(corners.mean(axis=0), side * extent, turn, size)


def steadied(crop: Crop, before: Crop) -> Crop:
    """`before` while it lies nearly where `crop` would: the crop of a still person is still.

    Every change of the crop changes the estimate a little, and the next crop comes from the
    estimate: without this the two keep each other trembling. The tolerance is well within what the
    network is trained to be given.
    """
    away = float(np.hypot(*(crop.centre - before.centre)))
    ratio = crop.side / before.side
    turn = (crop.turn - before.turn + np.pi) % (2 * np.pi) - np.pi
    near = (
        crop.size == before.size
        and away < _STAYS_WITHIN * before.side
        and 1 / _STAYS_SCALED < ratio < _STAYS_SCALED
        and abs(turn) < _STAYS_TURNED
    )
    return before if near else crop
