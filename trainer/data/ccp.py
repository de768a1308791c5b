"""Clothing Co-Parsing's pictures with person masks: parts without people, for the score head.

Yang, Luo and Lin, 'Clothing co-parsing by joint image segmentation and labeling' (CVPR 2014);
the repository states Apache-2.0.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Image

HELD_OUT = 100
"""The last pictures are never trained on."""

_MARGIN = 6


def read_backgrounds(folder: Path, *, held_out: bool = False) -> list[Image]:
    """The parts left and right of the person of every training picture, where wide enough.

    Parameters
    ----------
    folder : Path
        The packed set.
    held_out : bool
        Of the held-out pictures instead.

    Returns
    -------
    list of (H, W, 3) uint8 arrays
        RGB, at least 64 pixels wide.

    Raises
    ------
    InputError
        If the set is missing or a picture of it does not decode.
    """
    try:
        with np.load(folder / "labels.npz", allow_pickle=False) as labels:
            names, boxes = labels["name"], labels["fg_bbox"]
        archive = zipfile.ZipFile(folder / "images_00.zip")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder} is not the packed CCP set: {error}") from error
    parts = []
    chosen = slice(-HELD_OUT, None) if held_out else slice(None, -HELD_OUT)
    for name, box in zip(names[chosen], boxes[chosen], strict=True):
        encoded = np.frombuffer(archive.read(str(name)), np.uint8)
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        if picture is None:
            raise InputError(f"the picture {name} does not decode")
        rgb = np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)
        sides = (rgb[:, : int(box[0]) - _MARGIN], rgb[:, int(box[2]) + _MARGIN :])
        parts += [part for part in sides if part.shape[1] >= 64]
    return parts
