"""Clothing Co-Parsing: images with person masks, and their regions without people.

Yang, Luo and Lin, 'Clothing co-parsing by joint image segmentation and labeling' (CVPR 2014);
the repository states Apache-2.0. Read in the packed layout (`labels.npz` and one zip) and as
published: `photos/NNNN.jpg` and `annotations/pixel-level/NNNN.mat` with clothing labels in the
variable `groundtruth`, 0 where there is no person.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Image, Mask
from trainer.data.image_files import ImageError, decode_image, read_image
from trainer.data.matlab import read_mat_array

HELD_OUT_COUNT = 100
"""Number of images at the end that are never used for training."""

_MARGIN = 6
_MIN_WIDTH = 64
_MAX_IMAGES = 100_000


class MaskedImages(Protocol):
    """Images of one person each with the person's mask; N images in the order of their numbers."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        """Return N."""

    def image(self, row: int) -> Image:
        """Return (H, W, 3) uint8 RGB; raise `InputError` naming a missing or broken image."""

    def mask(self, row: int) -> Mask:
        """Return the person mask (H, W); raise `InputError` naming a missing or broken one."""


def open_ccp(folder: Path) -> MaskedImages:
    """Open the set in the layout of the folder.

    The two layouts hold out different images, since the packed one is a sample of 500. If you train
    on one and test on the other, leave out the names that both contain.

    Raises
    ------
    InputError
        If the folder has neither layout.
    """
    return _Packed(folder) if (folder / "labels.npz").is_file() else _Published(folder)


def person_box(mask: Mask) -> Array:
    """Return the bounding box (4,) x0, y0, x1, y1 of a mask, ends exclusive.

    Raises
    ------
    InputError
        If the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise InputError("the mask has no person")
    box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    return np.array(box, dtype=np.float64)


def read_backgrounds(folder: Path, *, held_out: bool = False) -> list[Image]:
    """Return the regions left and right of the person in every training image, if wide enough.

    Parameters
    ----------
    folder : Path
        Folder of the set, in either layout.
    held_out : bool
        Use the held-out images instead.

    Returns
    -------
    list of (H, W, 3) uint8 arrays
        RGB, at least 64 pixels wide.

    Raises
    ------
    InputError
        If the set is missing or one of its images does not decode.
    """
    people = open_ccp(folder)
    first_held_out = max(len(people) - HELD_OUT_COUNT, 0)
    parts = []
    for row in range(first_held_out, len(people)) if held_out else range(first_held_out):
        image, box = people.image(row), person_box(people.mask(row)).astype(int)
        sides = (image[:, : max(box[0] - _MARGIN, 0)], image[:, box[2] + _MARGIN :])
        parts += [part for part in sides if part.shape[1] >= _MIN_WIDTH]
    return parts


class _Packed:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            with np.load(folder / "labels.npz", allow_pickle=False) as labels:
                names, masks = labels["name"], labels["mask_name"]
            self._archive = zipfile.ZipFile(folder / "images_00.zip")
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{folder} is not the packed CCP set: {error}") from error
        if names.ndim != 1 or names.shape != masks.shape or not 0 < len(names) <= _MAX_IMAGES:
            raise InputError(f"{folder} is not the packed CCP set: {names.shape} images")
        self.names = tuple(map(str, names))
        self._masks = tuple(map(str, masks))

    def __len__(self) -> int:
        return len(self.names)

    def image(self, row: int) -> Image:
        return decode_image(self._encoded(self.names[row]), self.names[row])

    def mask(self, row: int) -> Mask:
        name = self._masks[row]
        encoded = np.frombuffer(self._encoded(name), np.uint8)
        mask = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if len(encoded) else None
        if mask is None or not mask.any():
            raise ImageError(f"the mask {name} in {self._folder} does not decode to a person")
        return np.asarray(mask > 0)

    def _encoded(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise ImageError(f"the image {name} is missing from {self._folder}") from error


class _Published:
    def __init__(self, folder: Path) -> None:
        self._photos, self._labels = folder / "photos", folder / "annotations" / "pixel-level"
        label_files = sorted(self._labels.glob("*.mat"))
        if not 0 < len(label_files) <= _MAX_IMAGES:
            raise InputError(f"{folder} is not the CCP set: no labels.npz, no {self._labels}/*.mat")
        self.names = tuple(f"{path.stem}.jpg" for path in label_files)

    def __len__(self) -> int:
        return len(self.names)

    def image(self, row: int) -> Image:
        return read_image(self._photos, self.names[row])

    def mask(self, row: int) -> Mask:
        path = self._labels / f"{Path(self.names[row]).stem}.mat"
        labels = read_mat_array(path, "groundtruth")
        if labels.ndim != 2 or not labels.any():
            raise InputError(f"{path} has labels {labels.shape} without a person")
        return labels > 0
