"""Frames of crops: how the frame of one crop lies to that of another, and labels moved to a crop's.

A network sees a crop as if a distant camera looked straight at its centre, and the program decodes
its bodies so (`pymaf_live.body.person_from_estimate`). Where the camera of an image is known,
labels are held in that frame; where it is not, they differ from the camera's in the plane only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, PointSet, crop_units_from_pixels
from pymaf_live.body.camera import camera_from_crop
from pymaf_live.body.rotations import about_z
from pymaf_live.types import Array, Camera, Crop
from trainer.data.base import FACE_NAMES, PersonLabels


def turn_between(source: Crop, target: Crop, camera: Camera | None) -> Array:
    """Return the rotation (3, 3) from the frame of a crop to that of another crop of its image.

    Parameters
    ----------
    source, target : Crop
    camera : Camera or None
        Of the image; None = unknown: the frames differ in the plane only.
    """
    if camera is None:
        return about_z(source.turn - target.turn)
    return np.asarray(camera_from_crop(target, camera).T @ camera_from_crop(source, camera))


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


class CropViews:
    """Moves labels of known cameras from the camera's frame to the frames of their crops.

    Parameters
    ----------
    body : Body
        Of the labels.
    outside_weight : float
        Weight in a label's weak-perspective camera of key points outside the image, where those
        inside weigh 1.
    """

    def __init__(self, body: Body, outside_weight: float = 0.05) -> None:
        self._outside_weight = outside_weight
        self._lsp, self._coco = (PointSet.keypoints(body, name) for name in ("lsp", "coco"))

    def seen_from_crop(self, labels: PersonLabels, camera: Camera) -> PersonLabels:
        """Return labels with a body in the frame of their crop, given those turned in the plane.

        Parameters
        ----------
        labels : PersonLabels
            With body and 3D joints, in the frame of the camera turned by the crop's rotation.
        camera : Camera
            Of the image.
        """
        body, joints = labels.body, labels.joints_3d
        if body is None or joints is None:
            raise ValueError("labels without a body have no frame to leave")
        turn = camera_from_crop(labels.crop, camera).T @ about_z(labels.crop.turn)
        rotations = np.array(body.rotations, dtype=np.float64)
        rotations[0] = turn @ rotations[0]
        face = self._coco.pose(rotations, body.shape)[: len(FACE_NAMES)]
        points = np.concatenate([self._lsp.pose(rotations, body.shape), face])
        flat = labels.keypoints[:, :2]
        units = crop_units_from_pixels(labels.crop.to_crop(flat), labels.crop.size)
        weights = np.where(labels.keypoints[:, 2] > 0, 1.0, self._outside_weight)
        weak = nearest_camera(points[:, :2], units, weights)
        return replace(
            labels,
            body=replace(body, rotations=rotations, camera=weak),
            joints_3d=np.column_stack([joints[:, :3] @ turn.T, joints[:, 3]]),
            view=camera,
        )
