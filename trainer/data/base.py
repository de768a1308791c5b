"""Common interface and label types of all data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.types import Array, Camera, Crop, Image

FACE_NAMES = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
"""COCO's face points; the first rows of the body's key-point set `coco`."""

KEYPOINT_NAMES = LSP_NAMES + FACE_NAMES
"""The K = 19 key points that all data sets are converted to; left and right of the person."""

KEYPOINT_MIRROR = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17)
"""Row of each key point's counterpart in a mirror image."""


@dataclass(frozen=True)
class BodyLabel:
    """Body fitted to a person, or its ground truth, in the frame of the person's own crop."""

    rotations: Array
    """(J, 3, 3); the root rotates the rest body into the crop frame: x right, y down, z forward."""
    shape: Array
    """(S,)"""
    camera: Array
    """(3,) s, tx, ty in crop units."""
    joint_trust: Array
    """(J,) 0..1 confidence of a joint's rotation and depth; 1 for ground truth."""


@dataclass(frozen=True)
class PersonLabels:
    """Labels of one person in an image."""

    crop: Crop
    """Crop by the crop rule, without augmentation."""
    keypoints: Array
    """(K, 3) x, y in image pixels (pixel centres at integers) and a weight 0..1; 0 = unknown."""
    body: BodyLabel | None = None
    """None without a body, or if its fit is not good enough for training."""
    joints_3d: Array | None = None
    """(K, 4) m, relative to the hip centre, in the frame of `crop`, and a weight 0..1."""
    pelvis: Array | None = None
    """(3,) m, Human3.6M's pelvis in the frame of `joints_3d`, where the set has it."""
    view: Camera | None = None
    """Camera of the image, where it is known: body and joints are then in the frame of a camera
    that looks straight at the centre of `crop`."""
    landmarks: Array | None = None
    """(33, 3) BlazePose's landmarks of a teacher, x, y in image pixels and a weight 0..1."""


class PersonDataset(Protocol):
    """Data set of people, each with an image and labels."""

    name: str

    def __len__(self) -> int:
        """Return the number of people."""

    def image(self, row: int) -> Image:
        """Return (H, W, 3) uint8 RGB; raise `ImageError` naming a missing or broken image."""

    def labels(self, row: int) -> PersonLabels:
        """Return the labels of a row."""
