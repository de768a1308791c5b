"""People with annotated key points: what the 2D sets have in common, once each is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.types import Array, Crop, Image
from trainer.data.base import KEYPOINT_NAMES, PersonDataset, PersonLabels
from trainer.data.lspet import annotated_turn

CROP_SIZE = 256
"""Side in pixels of the crops that sets give; whoever cuts takes another of the same place."""

HIDDEN_WEIGHT = 0.5
"""Weight of a key point that is annotated where it cannot be seen: the annotator's guess."""

_MIN_KEYPOINTS = 2
_MAX_COORDINATE = 100_000.0
"""Pixels; a key point farther out is a slip in the file."""


class KeypointDataset:
    """A set of N people with key points and no bodies.

    Parameters
    ----------
    name : str
    keypoints : (N, K, 3) array
        Picture pixels and a weight 0..1, K = 19 in the order of `KEYPOINT_NAMES`.
    picture : callable
        Row -> (H, W, 3) uint8 RGB.

    Raises
    ------
    InputError
        If there is no one, or a key point is not finite, or a person has fewer than two.
    """

    def __init__(self, name: str, keypoints: Array, picture: Callable[[int], Image]) -> None:
        self.name = name
        self.keypoints = validate_keypoints(name, keypoints)
        self._picture = picture

    def __len__(self) -> int:
        """N."""
        return len(self.keypoints)

    def image(self, row: int) -> Image:
        """(H, W, 3) uint8 RGB. Raises `InputError` that names a missing or broken picture."""
        return self._picture(row)

    def labels(self, row: int) -> PersonLabels:
        """Key points and the crop round them."""
        keypoints = self.keypoints[row]
        return PersonLabels(keypoint_crop(keypoints), keypoints)


class DatasetSubset:
    """Some rows of a set, as a set.

    Parameters
    ----------
    people : PersonDataset
    rows : sequence of int
        Of `people`, in the order that they are to have here.
    """

    def __init__(self, people: PersonDataset, rows: Sequence[int]) -> None:
        self.name, self._people, self._rows = people.name, people, list(rows)

    def __len__(self) -> int:
        """How many rows were chosen."""
        return len(self._rows)

    def image(self, row: int) -> Image:
        """Picture of a row."""
        return self._people.image(self._rows[row])

    def labels(self, row: int) -> PersonLabels:
        """Labels of a row."""
        return self._people.labels(self._rows[row])


def validate_keypoints(name: str, keypoints: Array, min_keypoints: int = _MIN_KEYPOINTS) -> Array:
    """Key points (N, K, 3) of a set, found sound.

    Raises
    ------
    InputError
        If the set is empty, or a person's key points are unsound or fewer than `min_keypoints`.
    """
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(KEYPOINT_NAMES), 3):
        raise InputError(f"{name}: key points of shape {keypoints.shape}")
    if not len(keypoints):
        raise InputError(f"{name} has no people")
    known = keypoints[:, :, 2] > 0
    sound = np.isfinite(keypoints).all(axis=2) & (
        np.abs(keypoints[:, :, :2]) < _MAX_COORDINATE
    ).all(2)
    sound &= keypoints[:, :, 2] <= 1
    if not sound.all():
        row, joint = np.argwhere(~sound)[0]
        raise InputError(f"{name}: the {KEYPOINT_NAMES[joint]} of person {row} is not sound")
    if (known.sum(axis=1) < min_keypoints).any():
        row = int(np.argmax(known.sum(axis=1) < min_keypoints))
        raise InputError(f"{name}: person {row} has fewer than {min_keypoints} key points")
    return keypoints


def keypoint_crop(keypoints: Array, size: int = CROP_SIZE) -> Crop:
    """The crop rule on a person's key points (K, 3): LSP's joints, and the face where it must.

    Where fewer than four of LSP's joints are known, the box of these alone would cut off what is
    known of the head.
    """
    joints = keypoints[: len(LSP_NAMES)]
    known = joints if (joints[:, 2] > 0).sum() >= 4 else keypoints
    points = known[known[:, 2] > 0, :2]
    return crop_from_points(points, annotated_turn(joints), size)
