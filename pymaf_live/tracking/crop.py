"""The crop rule, shared by the trainer, the fitting and the program.

The crop is rotated so that mid-hip -> mid-shoulder points up; its centre is the centre of the
points' box in the rotated frame; its side is 1.75 x the box's larger extent, where BlazePose's
features are at their best (measured on LSPET: unrotated crops lose a third of the joints, and 1.6
to 2.0 is a plateau).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array, Crop

SIDE = 1.75
"""Side of the crop as a multiple of the larger extent of the points' box."""

_MIN_RULE_SIDE, _MAX_RULE_SIDE = 1.0, 4.0

# largest deviation at which a crop keeps its place: fraction of the side, ratio, radians
_KEEP_DISTANCE = 0.03
_KEEP_RATIO = 1.06
_KEEP_TURN = np.radians(4.0)

_MIN_SIDE = 4.0
"""Smallest side in frame pixels; a box without extent still has a crop."""


@dataclass(frozen=True)
class CropRule:
    """Crop rule of a model; ours rotates crops, others were trained on upright squares."""

    turned: bool = True
    """True if the trunk points up in the crop, False if the crop is upright in the frame."""
    side: float = SIDE
    """Multiple of the larger extent of the points' box."""

    @classmethod
    def parse(cls, text: str) -> CropRule | None:
        """Return the rule named in a model file, such as 'trunk-up 1.75' or 'upright 1.20'.

        Returns None for an unknown rule.
        """
        found = re.fullmatch(r"(trunk-up|upright) ([0-9]\.[0-9]{2})", text)
        if found is None or not _MIN_RULE_SIDE <= float(found[2]) <= _MAX_RULE_SIDE:
            return None
        return cls(found[1] == "trunk-up", float(found[2]))


def crop_about(centre: Array, side: float, turn: float, size: int) -> Crop:
    """Return a square crop from its centre, side and in-plane rotation.

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
    scale = max(float(side), _MIN_SIDE) / size
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    crop_centre = np.full(2, (size - 1) / 2)
    shift = np.asarray(centre, dtype=np.float64) - rotation @ crop_centre
    return Crop(np.column_stack([rotation, shift]), size)


def trunk_turn(mid_hip: Array, mid_shoulder: Array) -> float:
    """Return the in-plane rotation that makes mid-hip -> mid-shoulder point up, radians."""
    along = np.asarray(mid_shoulder, dtype=np.float64) - np.asarray(mid_hip, dtype=np.float64)
    if float(np.hypot(*along)) < 1e-6:
        return 0.0
    return float(np.arctan2(along[0], -along[1]))


def crop_from_points(points: Array, turn: float, size: int, side: float = SIDE) -> Crop:
    """Return the rotated crop around body points.

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
    rotated = np.asarray(points, dtype=np.float64) @ np.array([[c, -s], [s, c]])
    low, high = rotated.min(axis=0), rotated.max(axis=0)
    centre = (low + high) / 2 @ np.array([[c, s], [-s, c]])
    return crop_about(centre, side * float((high - low).max()), turn, size)


def crop_from_box(box: Array, turn: float, size: int, side: float = SIDE) -> Crop:
    """Return the crop around a person's box (4,) x0, y0, x1, y1, rotated about its centre."""
    corners = np.asarray(box, dtype=np.float64).reshape(2, 2)
    extent = float((corners[1] - corners[0]).max())
    return crop_about(corners.mean(axis=0), side * extent, turn, size)


def stabilised(crop: Crop, previous: Crop) -> Crop:
    """Return `previous` if it nearly equals `crop`: the crop of a still person is still.

    Every change of the crop changes the estimate a little, and the next crop comes from the
    estimate; without this, each keeps the other trembling. The tolerance is well within the
    variation that the network is trained on.
    """
    distance = float(np.hypot(*(crop.centre - previous.centre)))
    ratio = crop.side / previous.side
    turn = (crop.turn - previous.turn + np.pi) % (2 * np.pi) - np.pi
    near = (
        crop.size == previous.size
        and distance < _KEEP_DISTANCE * previous.side
        and 1 / _KEEP_RATIO < ratio < _KEEP_RATIO
        and abs(turn) < _KEEP_TURN
    )
    return previous if near else crop
