"""The camera of a synthetic image: its focal length, and what part of a person it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array

_REGION = 1.9
"""Side of the image as a multiple of the joints' box."""
_MIN_SHOWN = 7
"""LSP joints that an image with a truncated person shows at least."""
_MIN_DEPTH = 0.05
"""Metres; nearer points are projected as if they lay there."""

_NECK, _HEAD_TOP = 12, 13
_HIPS, _KNEES = [2, 3], [1, 4]


@dataclass(frozen=True)
class View:
    """Projection from metres in the camera frame to pixels: x / z * focal + centre."""

    focal: float
    centre: Array
    """(2,) pixels."""
    size: tuple[int, int]
    """Width, height in pixels."""

    def pixels(self, points: Array) -> Array:
        """Project points (..., 3) m to pixels (..., 2)."""
        depth = np.maximum(points[..., 2:], _MIN_DEPTH)
        return np.asarray(points[..., :2] / depth * self.focal + self.centre)


def random_view(
    points: Array, side: int, rng: np.random.Generator, *, truncated: bool, webcam: bool
) -> View:
    """Draw a view of a person.

    Parameters
    ----------
    points : (K, 3) array
        Key points in the camera frame, m; LSP's 14 first.
    side : int
        Longest side of the image in pixels.
    rng : numpy.random.Generator
    truncated : bool
        The edge of the image cuts the person.
    webcam : bool
        Framed as people sit before a webcam; a kind of truncation.
    """
    flat = points[:, :2] / np.maximum(points[:, 2:], _MIN_DEPTH)
    side = side if rng.random() < 0.75 else int(rng.uniform(0.45, 1.0) * side)
    size = (side, side)
    if not truncated:
        reach, centre = _whole_person(flat[:14], rng)
    elif webcam:
        reach, centre, aspect = _webcam_frame(flat, rng)
        size = (side, int(side / aspect)) if aspect >= 1 else (int(side * aspect), side)
    else:
        reach, centre = _cut_person(flat, rng)
    focal = max(size) / reach
    middle = (np.array(size) - 1) / 2
    return View(focal, middle - centre * focal, size)


def _whole_person(lsp: Array, rng: np.random.Generator) -> tuple[float, Array]:
    """Return the extent and the centre (2,) of a frame in units of the focal length."""
    low, high = lsp.min(axis=0), lsp.max(axis=0)
    extent = float((high - low).max())
    reach = extent * _REGION * rng.uniform(0.92, 1.12)
    return reach, (low + high) / 2 + rng.normal(0, 0.04, 2) * extent


def _webcam_frame(flat: Array, rng: np.random.Generator) -> tuple[float, Array, float]:
    """Return extent, centre (2,) and aspect ratio of a frame from above the head to the trunk."""
    lsp = flat[:14]
    extent = float((lsp.max(axis=0) - lsp.min(axis=0)).max())
    head, neck = flat[_HEAD_TOP], flat[_NECK]
    hips, knees = flat[_HIPS].mean(axis=0), flat[_KNEES].mean(axis=0)
    unit = max(float(np.linalg.norm(head - neck)), 0.12 * extent)
    ends = [neck + 0.4 * (hips - neck), hips, hips + 0.5 * (knees - hips)]
    end = ends[int(rng.choice(3, p=[0.4, 0.4, 0.2]))]
    top = min(head[1], neck[1]) - unit * rng.uniform(0.05, 1.2)
    bottom = max(end[1], neck[1] + unit)
    reach = (bottom - top) * rng.uniform(0.95, 1.25)
    aspect = rng.choice([1.0, 4 / 3, 16 / 9, 0.75], p=[0.3, 0.35, 0.25, 0.1])
    centre = np.array([
        (head[0] + neck[0]) / 2 + rng.normal(0, 0.12) * reach * aspect, top + reach / 2,
    ])  # fmt: skip
    return reach * max(aspect, 1.0), centre, aspect


def _cut_person(flat: Array, rng: np.random.Generator) -> tuple[float, Array]:
    """Return extent and centre (2,) of a frame whose edge cuts the body.

    It leaves enough to tell the pose.
    """
    lsp = flat[:14]
    low, high = lsp.min(axis=0), lsp.max(axis=0)
    extent = float((high - low).max())
    for _ in range(20):
        reach = extent * rng.uniform(0.6, 1.2)
        anchor = flat[int(rng.choice([12, 13, 8, 9, 2, 3]))]
        centre = anchor + rng.normal(0, 0.15, 2) * reach
        inside = (np.abs(lsp - centre) < 0.48 * reach).all(axis=1)
        if inside.sum() >= _MIN_SHOWN and inside[_NECK]:
            return reach, centre
    return 1.1 * extent, (low + high) / 2
