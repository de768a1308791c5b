"""What a person looks like: colours of clothes and hair, so that people who crossed are told apart.

Colours are read at points laid over trunk and limbs by the key points, so that what stands behind
a person hardly counts, and are kept a region apart: a dark jacket over light trousers is not light
over dark. Lightness counts less than hue, for it changes with the place.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.types import Array, Image

_ACROSS = (-0.12, 0.0, 0.12)
"""Off a limb's bone, in lengths of the bone."""
_ALONG = 8

_REGIONS: tuple[tuple[float, tuple[tuple[int, int], ...]], ...] = (
    (0.2, ((2, 1), (3, 4))),  # thighs
    (0.15, ((1, 0), (4, 5))),  # shins
    (0.15, ((8, 7), (9, 10))),  # upper arms
    (0.15, ((12, 13),)),  # neck and head
)
"""Weight of a region and its bones; the trunk comes before them."""
_TRUNK_WEIGHT, _TRUNK_GRID = 0.35, 8

_LIGHT_BINS, _HUE_BINS = 6, 7
_GREYISH = 8.0
"""Of Lab's a and b: below, colours are told apart finely, above ever more coarsely."""
_MOST_HUE = float(np.arcsinh(80 / _GREYISH))
_LIGHT_SHARE = 0.4

_LEAST_INSIDE = 0.5
"""Of a region's points in the picture, for it to count."""
_LEAST_WEIGHT = 0.3
"""Of the regions seen in both looks, for a comparison to mean anything."""


@dataclass(frozen=True)
class Look:
    """Colours of one person; R regions."""

    colours: Array
    """(R, B) soft histograms, each of sum 1; zeros where a region was not seen."""
    seen: Array
    """(R,) 0 or 1: whether the region has been seen."""


def look_of(image: Image, keypoints: Array) -> Look | None:
    """What a person looks like in a picture.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        RGB.
    keypoints : (14, 2) array
        LSP's, frame pixels.

    Returns
    -------
    Look or None
        None where hardly anything of the person is in the picture.
    """
    points, region = _sampled(keypoints)
    height, width = image.shape[:2]
    inside = ((points > -0.5) & (points < (width - 0.5, height - 0.5))).all(axis=1)
    if not inside.any():
        return None
    place = np.rint(points[inside]).astype(np.int64)
    pixels = image[place[:, 1], place[:, 0]].astype(np.float32)[None] / np.float32(255)
    lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[0], dtype=np.float64)
    binned = _binned(lab)
    count = len(_WEIGHTS)
    colours = np.zeros((count, binned.shape[1]))
    seen = np.zeros(count)
    for number in range(count):
        own = region[inside] == number
        if own.sum() >= _LEAST_INSIDE * (region == number).sum():
            colours[number] = binned[own].mean(axis=0)
            seen[number] = 1.0
    return Look(colours, seen) if float(seen @ _WEIGHTS) >= _LEAST_WEIGHT else None


def unlikeness(one: Look, other: Look) -> float | None:
    """How different two looks are, 0..1; None where they share too little.

    One less the Bhattacharyya coefficient of the histograms, the mean over the regions.
    """
    weight = _WEIGHTS * one.seen * other.seen
    if float(weight.sum()) < _LEAST_WEIGHT:
        return None
    alike = np.sqrt(one.colours * other.colours).sum(axis=1)
    return float(1 - (weight @ alike) / weight.sum())


def blended(known: Look, now: Look, share: float) -> Look:
    """What is known of a person, with a share 0..1 of what is seen now."""
    part = np.where(known.seen > 0, share, 1.0) * now.seen
    colours = known.colours + part[:, None] * (now.colours - known.colours)
    return Look(colours, np.maximum(known.seen, now.seen))


def _sampled(keypoints: Array) -> tuple[Array, Array]:
    points = np.asarray(keypoints, dtype=np.float64)
    start, end = points[_STARTS], points[_ENDS]
    bone = end - start
    normal = np.column_stack([-bone[:, 1], bone[:, 0]])
    limbs = start + _ALONGS[:, None] * bone + _OFFS[:, None] * normal
    trunk = _TRUNK_SHARES @ points[[*LSP_SHOULDERS, *LSP_HIPS]]
    return np.concatenate([trunk, limbs]), _REGION


def _binned(lab: Array) -> Array:
    """Soft histograms (N, B) of colours (N, 3), each row of sum 1."""
    light = _spread(np.clip(lab[:, 0] / 100, 0, 1), _LIGHT_BINS)
    hue = np.clip(np.arcsinh(lab[:, 1:] / _GREYISH) / _MOST_HUE, -1, 1) * 0.5 + 0.5
    chroma = _spread(hue[:, 0], _HUE_BINS)[:, :, None] * _spread(hue[:, 1], _HUE_BINS)[:, None]
    return np.concatenate(
        [_LIGHT_SHARE * light, (1 - _LIGHT_SHARE) * chroma.reshape(len(lab), -1)], axis=1
    )


def _spread(values: Array, bins: int) -> Array:
    # shared between two bins, so that a small change of light moves little
    place = values * (bins - 1)
    return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(bins)), 0, 1))


def _laid_out() -> tuple[list[int], list[int], list[float], list[float], list[int]]:
    starts, ends, alongs, offs, region = [], [], [], [], []
    for number, (_, bones) in enumerate(_REGIONS, start=1):
        for start, end in bones:
            for along in np.linspace(0.12, 0.88, _ALONG):
                for off in _ACROSS:
                    starts.append(start)
                    ends.append(end)
                    alongs.append(float(along))
                    offs.append(off)
                    region.append(number)
    return starts, ends, alongs, offs, region


def _trunk_shares() -> Array:
    """(G * G, 4) shares of right shoulder, left shoulder, right hip, left hip."""
    across, down = np.meshgrid(np.linspace(0.15, 0.85, _TRUNK_GRID), np.linspace(0.08, 0.92, 8))
    x, y = across.ravel(), down.ravel()
    return np.column_stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])


_STARTS, _ENDS, _along, _off, _region = _laid_out()
_ALONGS, _OFFS = np.array(_along), np.array(_off)
_TRUNK_SHARES = _trunk_shares()
_REGION = np.array([0] * len(_TRUNK_SHARES) + _region)
_WEIGHTS = np.array([_TRUNK_WEIGHT, *(weight for weight, _ in _REGIONS)])
