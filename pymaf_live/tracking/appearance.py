"""Appearance of a person: colour histograms that tell people apart after they cross.

Colours are sampled at points laid over trunk and limbs by the key points, so that the background
hardly counts, and are kept per region: a dark jacket over light trousers is not a light jacket over
dark ones. Lightness counts less than hue, because it changes with the place.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.types import Array, Image

_OFFSETS = (-0.12, 0.0, 0.12)
"""Distance of the samples from a limb's bone, in lengths of the bone."""
_SAMPLES_PER_BONE = 8

_REGIONS: tuple[tuple[float, tuple[tuple[int, int], ...]], ...] = (
    (0.2, ((2, 1), (3, 4))),  # thighs
    (0.15, ((1, 0), (4, 5))),  # shins
    (0.15, ((8, 7), (9, 10))),  # upper arms
    (0.15, ((12, 13),)),  # neck and head
)
"""Weight of a region and its bones; the trunk comes before them."""
_TRUNK_WEIGHT, _TRUNK_GRID = 0.35, 8

_LIGHTNESS_BINS, _HUE_BINS = 6, 7
_GREY_CHROMA = 8.0
"""Chroma of Lab's a and b below which colours are binned finely; above, ever more coarsely."""
_MAX_HUE = float(np.arcsinh(80 / _GREY_CHROMA))
_LIGHTNESS_SHARE = 0.4

_MIN_VISIBLE = 0.5
"""Share of a region's points that must lie in the image for it to count."""
_MIN_WEIGHT = 0.3
"""Weight of the regions seen in both appearances below which they cannot be compared."""


@dataclass(frozen=True)
class Appearance:
    """Colours of one person in R regions."""

    colours: Array
    """(R, B) soft histograms, each of sum 1; zeros where a region was not visible."""
    visible: Array
    """(R,) 1 where the region was visible, else 0."""


def extract_appearance(image: Image, keypoints: Array) -> Appearance | None:
    """Extract the appearance of a person from an image.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        RGB.
    keypoints : (14, 2) array
        LSP's, frame pixels.

    Returns
    -------
    Appearance or None
        None where too little of the person lies in the image.
    """
    points, region = _sample_points(keypoints)
    height, width = image.shape[:2]
    inside = ((points > -0.5) & (points < (width - 0.5, height - 0.5))).all(axis=1)
    if not inside.any():
        return None
    places = np.rint(points[inside]).astype(np.int64)
    pixels = image[places[:, 1], places[:, 0]].astype(np.float32)[None] / np.float32(255)
    lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[0], dtype=np.float64)
    histograms = _soft_histograms(lab)
    count = len(_WEIGHTS)
    colours = np.zeros((count, histograms.shape[1]))
    visible = np.zeros(count)
    for number in range(count):
        own = region[inside] == number
        if own.sum() >= _MIN_VISIBLE * (region == number).sum():
            colours[number] = histograms[own].mean(axis=0)
            visible[number] = 1.0
    return Appearance(colours, visible) if float(visible @ _WEIGHTS) >= _MIN_WEIGHT else None


def appearance_distance(a: Appearance, b: Appearance) -> float | None:
    """Return the distance of two appearances, 0..1; None where they share too few regions.

    One minus the Bhattacharyya coefficient of the histograms, averaged over the regions.
    """
    weight = _WEIGHTS * a.visible * b.visible
    if float(weight.sum()) < _MIN_WEIGHT:
        return None
    similarity = np.sqrt(a.colours * b.colours).sum(axis=1)
    return float(1 - (weight @ similarity) / weight.sum())


def blend_appearance(known: Appearance, observed: Appearance, gain: float) -> Appearance:
    """Return the known appearance moved towards the observed one by a gain of 0..1.

    A region that was not visible before is taken over entirely.
    """
    part = np.where(known.visible > 0, gain, 1.0) * observed.visible
    colours = known.colours + part[:, None] * (observed.colours - known.colours)
    return Appearance(colours, np.maximum(known.visible, observed.visible))


def _sample_points(keypoints: Array) -> tuple[Array, Array]:
    """Return the sample points (N, 2) in frame pixels, and the region (N,) of each."""
    points = np.asarray(keypoints, dtype=np.float64)
    start, end = points[_STARTS], points[_ENDS]
    bone = end - start
    normal = np.column_stack([-bone[:, 1], bone[:, 0]])
    limbs = start + _ALONGS[:, None] * bone + _ACROSS[:, None] * normal
    trunk = _TRUNK_SHARES @ points[[*LSP_SHOULDERS, *LSP_HIPS]]
    return np.concatenate([trunk, limbs]), _REGION


def _soft_histograms(lab: Array) -> Array:
    """Return soft histograms (N, B) of colours (N, 3), each row of sum 1."""
    lightness = _soft_bins(np.clip(lab[:, 0] / 100, 0, 1), _LIGHTNESS_BINS)
    hue = np.clip(np.arcsinh(lab[:, 1:] / _GREY_CHROMA) / _MAX_HUE, -1, 1) * 0.5 + 0.5
    chroma = (
        _soft_bins(hue[:, 0], _HUE_BINS)[:, :, None] * _soft_bins(hue[:, 1], _HUE_BINS)[:, None]
    )
    return np.concatenate(
        [_LIGHTNESS_SHARE * lightness, (1 - _LIGHTNESS_SHARE) * chroma.reshape(len(lab), -1)],
        axis=1,
    )


def _soft_bins(values: Array, bins: int) -> Array:
    # shared between two bins, so that a small change of light changes little
    position = values * (bins - 1)
    return np.asarray(np.clip(1 - np.abs(position[:, None] - np.arange(bins)), 0, 1))


def _limb_samples() -> tuple[list[int], list[int], list[float], list[float], list[int]]:
    """Return start and end joint, position along and across the bone, and region of each sample."""
    starts, ends, alongs, across, region = [], [], [], [], []
    for number, (_, bones) in enumerate(_REGIONS, start=1):
        for start, end in bones:
            for along in np.linspace(0.12, 0.88, _SAMPLES_PER_BONE):
                for offset in _OFFSETS:
                    starts.append(start)
                    ends.append(end)
                    alongs.append(float(along))
                    across.append(offset)
                    region.append(number)
    return starts, ends, alongs, across, region


def _trunk_shares() -> Array:
    """Return the weights (G * 8, 4) of right and left shoulder, right and left hip."""
    across, down = np.meshgrid(np.linspace(0.15, 0.85, _TRUNK_GRID), np.linspace(0.08, 0.92, 8))
    x, y = across.ravel(), down.ravel()
    return np.column_stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])


_STARTS, _ENDS, _along, _across, _region = _limb_samples()
_ALONGS, _ACROSS = np.array(_along), np.array(_across)
_TRUNK_SHARES = _trunk_shares()
_REGION = np.array([0] * len(_TRUNK_SHARES) + _region)
_WEIGHTS = np.array([_TRUNK_WEIGHT, *(weight for weight, _ in _REGIONS)])
