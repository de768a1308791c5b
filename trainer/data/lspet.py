"""Leeds Sports Pose Extended in the packed layout: one `labels.npz` and zips of JPEGs.

Johnson and Everingham, 'Learning effective human pose estimation from inaccurate annotation'
(CVPR 2011). One annotated person per image, 14 joints, flag 1 = annotated, 0 = not.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.tracking.crop import crop_from_points, trunk_turn
from pymaf_live.types import Array, Crop, Image
from trainer.data.image_files import (
    ImageError,
    check_encoded,
    decode_image,
    read_encoded,
    resolve_inside,
)

VALIDATION_COUNT = 500
"""Number of rows at the end that are never used for training."""

RIGHT_HIP, LEFT_HIP, RIGHT_SHOULDER, LEFT_SHOULDER = 2, 3, 8, 9
LOOSE = -1
"""Shard number of an image that is a file in the folder `images`."""

LIMBS = tuple(range(12))
"""Rows of the 12 limb joints; neck and head top are left out of PCK."""

MIRROR = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)


@dataclass(frozen=True)
class JointSet:
    """Images with annotated joints; N people, K joints."""

    names: tuple[str, ...]
    joints: Array
    """(N, K, 3) x, y in image pixels and a flag."""
    joint_names: tuple[str, ...]
    folder: Path
    shards: npt.NDArray[np.int64]
    """(N,) number of the zip that contains the image, or `LOOSE`."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.names)


def read_joint_set(folder: Path) -> JointSet:
    """Read the labels of a packed joint set.

    Raises
    ------
    InputError
        If the labels are missing or have another layout.
    """
    path = folder / "labels.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            names, shards = file["name"], file["shard"].astype(np.int64)
            joints, joint_names = file["joints"].astype(np.float64), file["joint_names"]
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a packed joint set: {error}") from error
    if not len(names):
        raise InputError(f"{path} has no images")
    if joints.shape != (len(names), len(joint_names), 3) or shards.shape != (len(names),):
        raise InputError(f"{path}: joints {joints.shape} do not fit {len(names)} names")
    if not np.isfinite(joints).all():
        raise InputError(f"{path} has joints that are not finite")
    return JointSet(tuple(map(str, names)), joints, tuple(map(str, joint_names)), folder, shards)


class ImageStore:
    """Cache of the JPEG bytes of a joint set, decoded on demand; for use from one thread."""

    def __init__(self, joint_set: JointSet) -> None:
        self._set = joint_set
        self._bytes: dict[int, bytes] = {}
        self._zips: dict[int, zipfile.ZipFile] = {}

    def __getitem__(self, row: int) -> Image:
        """Return the image of a row as (H, W, 3) uint8 RGB.

        Raises
        ------
        ImageError
            If the image is missing or does not decode; the message names it.
        """
        return decode_image(self.encoded(row), self._set.names[row])

    def encoded(self, row: int) -> bytes:
        """Return the stored JPEG of a row."""
        if row not in self._bytes:
            self._bytes[row] = self._read(row)
        return self._bytes[row]

    def check(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken, without keeping it."""
        check_encoded(self._read(row), self._set.names[row])

    def _read(self, row: int) -> bytes:
        shard, name = int(self._set.shards[row]), self._set.names[row]
        if shard == LOOSE:
            return read_encoded(resolve_inside(self._set.folder / "images", name))
        path = self._set.folder / f"images_{shard:02d}.zip"
        try:
            if shard not in self._zips:
                self._zips[shard] = zipfile.ZipFile(path)
            return self._zips[shard].read(name)
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise ImageError(f"the image {name} is missing from {path}: {error}") from error


def annotated_turn(joints: Array) -> float:
    """Return the in-plane rotation of an annotated person (14, 3), radians; 0 without a trunk.

    A missing hip or shoulder is replaced by its counterpart, both shoulders by neck and head top.
    """
    hip = _mean_of_known(joints[[RIGHT_HIP, LEFT_HIP]])
    shoulder = _mean_of_known(joints[[RIGHT_SHOULDER, LEFT_SHOULDER]])
    if shoulder is None:
        shoulder = _mean_of_known(joints[[12, 13]])
    if hip is None or shoulder is None:
        return 0.0
    return trunk_turn(hip, shoulder)


def annotated_crop(joints: Array, size: int) -> Crop:
    """Return the crop around annotated joints (14, 3) in image pixels."""
    known = joints[joints[:, 2] > 0, :2]
    return crop_from_points(known, annotated_turn(joints), size)


def torso_length(joints: Array) -> Array:
    """Return |right hip - left shoulder| (N,) in pixels; NaN where either is not annotated."""
    length = np.linalg.norm(joints[:, RIGHT_HIP, :2] - joints[:, LEFT_SHOULDER, :2], axis=-1)
    known = (joints[:, RIGHT_HIP, 2] > 0) & (joints[:, LEFT_SHOULDER, 2] > 0)
    return np.where(known, length, np.nan)


def _mean_of_known(points: Array) -> Array | None:
    known = points[points[:, 2] > 0, :2]
    return known.mean(axis=0) if len(known) else None
