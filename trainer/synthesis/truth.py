"""Ground truth of a synthetic image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Crop
from trainer.data.synthetic import HIDDEN, OUTSIDE, VISIBLE
from trainer.synthesis.person_layer import SUPERSAMPLING, Layer
from trainer.synthesis.view import View


@dataclass(frozen=True)
class Truth:
    """Ground truth of the person in an image; K key points, J joints, S shapes."""

    keypoints: Array
    """(K, 2) image pixels, true also where hidden or outside."""
    visibility: npt.NDArray[np.uint8]
    """(K,) `OUTSIDE` the image, `HIDDEN` or `VISIBLE`."""
    joints_3d: Array
    """(K, 3) m, relative to the hips' middle, crop frame."""
    rotations: Array
    """(J, 3, 3) crop frame."""
    shape: Array
    """(S,)"""
    camera: Array
    """(3,) s, tx, ty: the weak perspective nearest to the true one."""
    crop: Crop
    """Crop of 256 pixels by the crop rule."""
    distance: float
    """Metres from the camera to the middle of the body."""
    kind: str
    """'whole' or 'truncated'."""
    pose: str
    """Source of the pose."""
    backdrop: str
    """Source of the background."""
    misfit: float
    """Greatest distance in crop units between the label's key points and the true ones inside the
    image: the perspective that the label's weak-perspective camera cannot express."""


def nearest_camera(points: Array, units: Array, weights: Array) -> Array:
    """Return the s, tx, ty (3,) whose s (p + t) is nearest to crop places, by least squares.

    Parameters
    ----------
    points : (N, 2) array
        p, metres.
    units : (N, 2) array
        Crop places.
    weights : (N,) array
    """
    w = weights[:, None] / weights.sum()
    mean_p, mean_u = (w * points).sum(axis=0), (w * units).sum(axis=0)
    p, u = points - mean_p, units - mean_u
    spread = float((w * p * p).sum())
    scale = float((w * p * u).sum()) / spread if spread > 1e-12 else 1.0
    scale = max(scale, 1e-3)
    return np.asarray(np.r_[scale, mean_u / scale - mean_p])


def keypoint_visibility(
    points: Array, skin_depth: Array, view: View, layer: Layer, cover: Array
) -> npt.NDArray[np.uint8]:
    """Return how each key point (K,) is seen: `OUTSIDE`, `HIDDEN` or `VISIBLE`.

    Parameters
    ----------
    points : (K, 3) array
        Camera frame, m.
    skin_depth : (K,) array
        Metres below the skin; a surface nearer than that hides the point.
    view : View
    layer : Layer
        The person.
    cover : (H, W) array
        Opacity 0..1 of what stands before the person.
    """
    flat = view.pixels(points)
    size = np.array(view.size)
    inside = ((flat > -0.5) & (flat < size - 0.5)).all(axis=1)
    x, y = np.clip(np.round(flat), 0, size - 1).astype(np.int64).T
    n = SUPERSAMPLING
    fine = np.round((flat + 0.5) * n - 0.5)
    fine_x, fine_y = np.clip(fine, 0, size * n - 1).astype(np.int64).T
    covered = cover[y, x] > 0.5
    behind = layer.depth[fine_y, fine_x] < points[:, 2] - skin_depth
    shown = np.where(covered | behind, HIDDEN, VISIBLE)
    return np.where(inside, shown, OUTSIDE).astype(np.uint8)
