"""Ground truth of a synthetic image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.body import crop_points_2d, crop_units_from_pixels
from pymaf_live.body.rotations import about_z
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.types import Array, Crop
from trainer.data.crop_views import nearest_camera
from trainer.data.lspet import annotated_turn
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
    dressed: DressedTruth | None = None
    """Further truth of dressed people."""


@dataclass(frozen=True)
class DressedTruth:
    """The exact camera and the mask of a dressed person.

    A point of the body at p (metres, frame of the camera that took the picture) is at pixel
    (p + translation)_xy / (p + translation)_z * focal + principal.
    """

    group: str
    """'webcam', 'everyday', 'sport' or 'several'."""
    focal: float
    """Pixels."""
    principal: Array
    """(2,) pixels; outside the picture where that is a part of a larger one."""
    translation: Array
    """(3,) m, of the body's root, camera frame."""
    mask: npt.NDArray[np.uint8]
    """(H, W) 1 where the person is seen, 2 other people, 0 anything else."""
    look: str
    """Skin and garments, joined by ' + '."""


@dataclass(frozen=True)
class Labelled:
    """Labels in the frame of a person's crop."""

    crop: Crop
    rotations: Array
    """(J, 3, 3)"""
    joints_3d: Array
    """(K, 3) m, relative to the hips' middle."""
    camera: Array
    """(3,)"""
    misfit: float


def crop_labels(
    flat: Array,
    inside: npt.NDArray[np.bool_],
    rotations: Array,
    place_keypoints: Callable[[Array], Array],
    size: int,
    *,
    around: npt.NDArray[np.bool_] | None,
    outside_weight: float = 0.05,
) -> Labelled:
    """Return the crop of a person and the labels in its frame.

    Parameters
    ----------
    flat : (K, 2) array
        Key points in pixels; LSP's 14 first.
    inside : (K,) bool array
        Key points inside the image.
    rotations : (J, 3, 3) array
        Camera frame.
    place_keypoints : callable
        Rotations -> key points (K, 3) m of this body.
    size : int
        Side of the crop in its own pixels.
    around : (14,) bool array, optional
        Joints that the crop is taken around, as where an annotation has only what the image shows;
        None or fewer than four: all.
    outside_weight : float
        Weight in the camera of key points outside the image, where those inside weigh 1.
    """
    annotated = np.column_stack([flat[:14], np.ones(14)])
    if around is not None and around.sum() >= 4:
        annotated[:, 2] = around
    turn = annotated_turn(annotated)
    crop = crop_from_points(annotated[annotated[:, 2] > 0, :2], turn, size)
    turned = rotations.copy()
    turned[0] = about_z(-turn) @ turned[0]
    own = place_keypoints(turned)
    units = crop_units_from_pixels(crop.to_crop(flat), size)
    camera = nearest_camera(own[:, :2], units, np.where(inside, 1.0, outside_weight))
    misses = np.linalg.norm(crop_points_2d(own, camera) - units, axis=1)[inside]
    return Labelled(
        crop=crop,
        rotations=turned,
        joints_3d=own - own[[2, 3]].mean(axis=0),
        camera=camera,
        misfit=float(misses.max()) if len(misses) else 0.0,
    )


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
