"""COCO key points: the published JSON through pycocotools, or people packed with their images.

Lin et al., 'Microsoft COCO: common objects in context' (ECCV 2014). Annotations CC BY 4.0; the
images are from Flickr, each with its own licence (its number is in the file).
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.annotated import HIDDEN_WEIGHT, KeypointDataset
from trainer.data.base import KEYPOINT_NAMES
from trainer.data.image_files import check_image_file, read_image, resolve_inside
from trainer.data.lspet import ImageStore, read_joint_set

COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO's 17 joints in COCO's order; there is no neck and no head top."""

_ROWS = [KEYPOINT_NAMES.index(name) for name in COCO_NAMES]
_MAX_PEOPLE = 5_000_000


def open_coco(folder: Path, part: str = "train2017", min_keypoints: int = 6) -> KeypointDataset:
    """Open the people of one part of COCO.

    Crowds (`iscrowd`) are left out, since their box and key points do not belong to one person.
    People with fewer than `min_keypoints` annotated key points are left out too.

    Parameters
    ----------
    folder : Path
        Contains `annotations/person_keypoints_{part}.json` and the images in `{part}`.
    part : str
    min_keypoints : int

    Raises
    ------
    InputError
        If the annotation is missing or invalid, or no people are left.
    """
    path = folder / "annotations" / f"person_keypoints_{part}.json"
    names, keypoints = [], []
    try:
        annotation = _annotation(path)
        images, people = annotation.imgs, annotation.loadAnns(annotation.getAnnIds(iscrowd=0))
        if len(people) > _MAX_PEOPLE:
            raise ValueError(f"more than {_MAX_PEOPLE} people")
        for person in people:
            values = np.asarray(person.get("keypoints", ()), dtype=np.float64)
            if values.size == 0:
                continue
            points = _to_keypoints(values.reshape(len(COCO_NAMES), 3))
            if (points[:, 2] > 0).sum() < min_keypoints:
                continue
            name = str(images[person["image_id"]]["file_name"])
            resolve_inside(folder / part, name)
            names.append(name)
            keypoints.append(points)
    except (KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise InputError(f"{path} is not COCO's key-point annotation: {error}") from error
    if not names:
        raise InputError(f"{path} has no person with {min_keypoints} key points")
    image_folder = folder / part
    return KeypointDataset(
        "coco",
        np.array(keypoints),
        lambda row: read_image(image_folder, names[row]),
        lambda row: check_image_file(image_folder, names[row]),
    )


def open_packed_coco(folder: Path) -> KeypointDataset:
    """Open people of COCO packed as `labels.npz` and zips of cropped images.

    Raises
    ------
    InputError
        If the labels are missing or have another layout.
    """
    packed = read_joint_set(folder)
    if packed.joint_names != COCO_NAMES:
        raise InputError(f"{folder} has other joints than COCO's")
    try:
        keypoints = np.array([_to_keypoints(points) for points in packed.joints])
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from error
    images = ImageStore(packed)
    return KeypointDataset("coco", keypoints, images.__getitem__, images.check)


def _annotation(path: Path) -> Any:
    from pycocotools.coco import COCO

    if not path.is_file():
        raise InputError(f"there is no {path}")
    # pycocotools prints its progress
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def _to_keypoints(points: Array) -> Array:
    """Convert COCO's 17 points with flags 0, 1 (hidden), 2 (visible) to key points (K, 3)."""
    if not np.isfinite(points).all():
        raise ValueError("a key point is not finite")
    if not np.isin(points[:, 2], (0, 1, 2)).all():
        raise ValueError("a key point's flag is not 0, 1 or 2")
    keypoints = np.zeros((len(KEYPOINT_NAMES), 3))
    keypoints[_ROWS] = points
    keypoints[:, 2] = np.choose(keypoints[:, 2].astype(int), (0.0, HIDDEN_WEIGHT, 1.0))
    # COCO counts whole pixels from 0, so pixel centres are at integers as in our key points
    keypoints[keypoints[:, 2] == 0] = 0
    return keypoints
