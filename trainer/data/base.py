"""What every data set says of its people, whatever its own layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.types import Array, Crop, Image

FACE_NAMES = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
"""COCO's face; the first rows of the body's key-point set `coco`."""

KEYPOINT_NAMES = LSP_NAMES + FACE_NAMES
"""The K = 19 annotated key points that all sets are brought to, person-centric left and right."""

KEYPOINT_MIRROR = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17)
"""Row of the key point that takes a key point's place in a mirror."""


@dataclass(frozen=True)
class BodyLabel:
    """A body fitted to a person, or the truth; in the frame of the person's own crop."""

    rotations: Array
    """(J, 3, 3); the root turns the rest body into the crop frame: x right, y down, z forward."""
    shape: Array
    """(S,)"""
    camera: Array
    """(3,) s, tx, ty in crop units."""
    joint_trust: Array
    """(J,) 0..1 how far a joint's rotation and depth are known; 1 where it is the truth."""


@dataclass(frozen=True)
class PersonLabels:
    """What is known of one person in a picture."""

    crop: Crop
    """By the crop rule, not varied."""
    keypoints: Array
    """(K, 3) x, y in picture pixels (pixel centres at integers) and a weight 0..1; 0 = unknown."""
    body: BodyLabel | None = None
    """None = no body, or none that is good enough to learn from."""
    joints_3d: Array | None = None
    """(K, 4) m, relative to the hips' middle, in the frame of `crop`, and a weight 0..1."""


class PersonDataset(Protocol):
    """Pictures with one person of interest each."""

    name: str

    def __len__(self) -> int:
        """How many people."""

    def image(self, row: int) -> Image:
        """(H, W, 3) uint8 RGB. Raises `InputError` that names a missing or broken picture."""

    def labels(self, row: int) -> PersonLabels:
        """Labels of a row."""
