"""Data sets of people with annotated key points: the common part of the 2D data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.types import Array, Crop, Image
from trainer.data.base import KEYPOINT_NAMES, PersonDataset, PersonLabels
from trainer.data.image_check import check_image
from trainer.data.lspet import annotated_turn

CROP_SIZE = 256
"""Side in pixels of the crops in the labels; training cuts the same region at its own size."""

HIDDEN_WEIGHT = 0.5
"""Weight of a key point that is annotated but occluded: the annotator's guess."""

_MIN_KEYPOINTS = 2
_MAX_COORDINATE = 100_000.0
"""Pixels; a key point farther out is an error in the file."""


class KeypointDataset:
    """Data set of N people with key points and without fitted bodies.

    Parameters
    ----------
    name : str
    keypoints : (N, K, 3) array
        Image pixels and a weight 0..1, K = 19 in the order of `KEYPOINT_NAMES`.
    read_image : callable
        Row -> (H, W, 3) uint8 RGB.
    check_image : callable, optional
        Row -> None; raises `ImageError` if the image is missing or broken. By default images are
        decoded for that.

    Raises
    ------
    InputError
        If the set is empty, a key point is not finite, or a person has fewer than two.
    """

    def __init__(
        self,
        name: str,
        keypoints: Array,
        read_image: Callable[[int], Image],
        check_image: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self.keypoints = validate_keypoints(name, keypoints)
        self._read_image, self._check_image = read_image, check_image

    def __len__(self) -> int:
        """Return N."""
        return len(self.keypoints)

    def image(self, row: int) -> Image:
        """Return (H, W, 3) uint8 RGB; raise `ImageError` naming a missing or broken image."""
        return self._read_image(row)

    def check_image(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken."""
        if self._check_image is None:
            self._read_image(row)
        else:
            self._check_image(row)

    def labels(self, row: int) -> PersonLabels:
        """Return the key points and the crop around them."""
        keypoints = self.keypoints[row]
        return PersonLabels(keypoint_crop(keypoints), keypoints)


class DatasetSubset:
    """Selected rows of a data set, as a data set.

    Parameters
    ----------
    people : PersonDataset
    rows : sequence of int
        Rows of `people`, in their order in the subset.
    """

    def __init__(self, people: PersonDataset, rows: Sequence[int]) -> None:
        self.name, self._people, self._rows = people.name, people, list(rows)

    def __len__(self) -> int:
        """Return the number of selected rows."""
        return len(self._rows)

    def image(self, row: int) -> Image:
        """Return the image of a row."""
        return self._people.image(self._rows[row])

    def check_image(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken."""
        check_image(self._people, self._rows[row])

    def labels(self, row: int) -> PersonLabels:
        """Return the labels of a row."""
        return self._people.labels(self._rows[row])


def validate_keypoints(name: str, keypoints: Array, min_keypoints: int = _MIN_KEYPOINTS) -> Array:
    """Validate the key points (N, K, 3) of a data set and return them.

    Raises
    ------
    InputError
        If the set is empty, or a person has invalid key points or fewer than `min_keypoints`.
    """
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(KEYPOINT_NAMES), 3):
        raise InputError(f"{name}: key points of shape {keypoints.shape}")
    if not len(keypoints):
        raise InputError(f"{name} has no people")
    known = keypoints[:, :, 2] > 0
    valid = np.isfinite(keypoints).all(axis=2) & (keypoints[:, :, 2] <= 1)
    valid &= (np.abs(keypoints[:, :, :2]) < _MAX_COORDINATE).all(axis=2)
    if not valid.all():
        row, joint = np.argwhere(~valid)[0]
        raise InputError(f"{name}: the {KEYPOINT_NAMES[joint]} of person {row} is invalid")
    if (known.sum(axis=1) < min_keypoints).any():
        row = int(np.argmax(known.sum(axis=1) < min_keypoints))
        raise InputError(f"{name}: person {row} has fewer than {min_keypoints} key points")
    return keypoints


def keypoint_crop(keypoints: Array, size: int = CROP_SIZE) -> Crop:
    """Return the crop around a person's key points (K, 3).

    The crop rule uses LSP's joints. With fewer than four of them it also uses the face, which the
    box of the joints alone would cut off.
    """
    joints = keypoints[: len(LSP_NAMES)]
    known = joints if (joints[:, 2] > 0).sum() >= 4 else keypoints
    points = known[known[:, 2] > 0, :2]
    return crop_from_points(points, annotated_turn(joints), size)
