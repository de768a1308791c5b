"""Furniture, occluders and contact shadows, painted flat in the image."""

from __future__ import annotations

import cv2
import numpy as np

from pymaf_live.types import Array
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.textures import random_colour
from trainer.synthesis.view import View

_HIPS, _SHOULDERS, _ANKLES = [2, 3], [8, 9], [0, 5]


def add_chair(canvas: Array, points: Array, view: View, rng: np.random.Generator) -> None:
    """Paint a seat and a back behind a sitting person, in place.

    Parameters
    ----------
    canvas : (H, W, 3) array
        Linear colours.
    points : (K, 3) array
        Key points in the camera frame, m; LSP's 14 first.
    view : View
    rng : numpy.random.Generator
    """
    flat = view.pixels(points[:14])
    hips, shoulders = flat[_HIPS].mean(axis=0), flat[_SHOULDERS].mean(axis=0)
    trunk = float(np.linalg.norm(shoulders - hips))
    colour = random_colour(rng) * 0.6
    wide, tall = trunk * rng.uniform(0.4, 0.75), trunk * rng.uniform(0.1, 1.1)
    shift = rng.normal(0, 0.1) * trunk
    cover = np.zeros(canvas.shape[:2], np.float32)
    seat = 0.4 * trunk
    corners = np.array([[-wide, -tall], [wide, -tall], [wide, seat], [-wide, seat]])
    along = (shoulders - hips) / max(trunk, 1e-6)
    turn = np.array([[-along[1], along[0]], [-along[0], -along[1]]])
    corners = hips + np.array([shift, 0]) + corners @ turn
    cv2.fillPoly(cover, [np.round(corners * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    for leg in (-0.85, 0.85):
        foot = hips + np.array([shift + leg * wide, 1.3 * trunk])
        start = hips + np.array([shift + leg * wide, 0.3 * trunk])
        thick = max(int(0.08 * trunk), 1)
        cv2.line(cover, start.astype(int).tolist(), foot.astype(int).tolist(), 1.0, thick)
    canvas += cover[..., None] * (colour - canvas)


def add_contact_shadow(canvas: Array, points: Array, view: View, rng: np.random.Generator) -> None:
    """Darken the ground under the feet, in place; arguments as `add_chair`."""
    flat = view.pixels(points[:14])
    feet = flat[_ANKLES]
    extent = float(np.ptp(flat, axis=0).max())
    if float(feet[:, 1].max()) < flat[:, 1].max() - 0.1 * extent:
        return
    cover = np.zeros(canvas.shape[:2], np.float32)
    middle = feet.mean(axis=0) + np.array([0, 0.05 * extent])
    reach = [int(abs(feet[0, 0] - feet[1, 0]) / 2 + 0.09 * extent), int(0.035 * extent) + 1]
    cv2.ellipse(cover, middle.astype(int).tolist(), reach, 0, 0, 360, 1.0, -1)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.03 * extent + 0.5), np.float32)
    canvas *= 1 - float(rng.uniform(0.2, 0.7)) * cover[..., None]


def add_occluders(
    canvas: Array,
    points: Array,
    view: View,
    backdrops: Backdrops,
    rng: np.random.Generator,
    *,
    desk: bool,
) -> tuple[Array, Array]:
    """Paint a desk below, or boxes and round shapes anywhere on the person.

    Parameters
    ----------
    canvas : (H, W, 3) array
        Linear colours.
    points : (K, 3) array
        Key points in the camera frame, m; LSP's 14 first.
    view : View
    backdrops : Backdrops
        Texture of the shapes.
    rng : numpy.random.Generator
    desk : bool

    Returns
    -------
    canvas : (H, W, 3) array
    cover : (H, W) array
        Opacity 0..1 of the shapes.
    """
    width, height = view.size
    flat = view.pixels(points[:14])
    low, high = flat.min(axis=0), flat.max(axis=0)
    extent = float((high - low).max())
    cover = np.zeros((height, width), np.float32)
    if desk:
        _add_desk(cover, flat, extent, rng)
    for _ in range(0 if desk and rng.random() < 0.6 else int(rng.integers(1, 3))):
        at = rng.uniform(low, high)
        size = extent * rng.uniform(0.05, 0.2, 2)
        turn = float(rng.uniform(0, 180))
        if rng.random() < 0.5:
            box = (at.tolist(), (2 * size).tolist(), turn)
            corners = np.round(cv2.boxPoints(box) * 16).astype(np.int32)
            cv2.fillPoly(cover, [corners], 1.0, cv2.LINE_AA, 4)
        else:
            ends = (at.astype(int).tolist(), np.maximum(size, 1).astype(int).tolist())
            cv2.ellipse(cover, *ends, turn, 0, 360, 1.0, -1, cv2.LINE_AA)
    texture = (backdrops.texture(view.size, rng).astype(np.float32) / 255) ** 2.2
    share = cover[..., None]
    return np.asarray(canvas + share * (texture - canvas)), cover


def _add_desk(cover: Array, flat: Array, extent: float, rng: np.random.Generator) -> None:
    """Cover the image from between hips and shoulders downwards, in place."""
    height, width = cover.shape
    hips, shoulders = flat[_HIPS].mean(axis=0), flat[_SHOULDERS].mean(axis=0)
    level = hips[1] + rng.uniform(-0.45, 0.15) * (shoulders[1] - hips[1]) * -1
    level = max(level, shoulders[1] + 0.35 * (hips[1] - shoulders[1]))
    slope = np.tan(rng.normal(0, 0.05)) * width
    thick = height if rng.random() < 0.6 else rng.uniform(0.05, 0.5) * extent
    corners = np.array([
        [-2, level], [width + 2, level + slope], [width + 2, level + slope + thick],
        [-2, level + thick],
    ])  # fmt: skip
    cv2.fillPoly(cover, [np.round(corners * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
