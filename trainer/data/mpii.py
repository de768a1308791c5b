"""MPII Human Pose in its published layout: `mpii_human_pose_v1_u12_1.mat` and `images`.

Andriluka, Pishchulin, Gehler and Schiele, '2D human pose estimation: new benchmark and state of the
art analysis' (CVPR 2014). Terms: Simplified BSD for the annotation; the images are frames of
YouTube videos, for research. Only the training images have joints. MATLAB saves a single person or
point as a struct and several as an array of structs; both are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.annotated import HIDDEN_WEIGHT, KeypointDataset
from trainer.data.base import KEYPOINT_NAMES
from trainer.data.image_files import check_image_file, read_image, resolve_inside
from trainer.data.matlab import read_mat

LABELS = "mpii_human_pose_v1_u12_1.mat"

# MPII's joint id -> our key point; its pelvis (6) and thorax (7) have no counterpart
_KEYPOINT_OF_JOINT = {
    0: "right_ankle", 1: "right_knee", 2: "right_hip", 3: "left_hip", 4: "left_knee",
    5: "left_ankle", 8: "neck", 9: "head_top", 10: "right_wrist", 11: "right_elbow",
    12: "right_shoulder", 13: "left_shoulder", 14: "left_elbow", 15: "left_wrist",
}  # fmt: skip
_JOINTS = 16
_MAX_PEOPLE = 1_000_000


@dataclass(frozen=True)
class MpiiLabels:
    """Labels of the N people in the training images."""

    names: tuple[str, ...]
    """(N,) image file of each person."""
    keypoints: Array
    """(N, K, 3) image pixels and weight; a hidden joint weighs `HIDDEN_WEIGHT`."""
    scale: Array
    """(N,) height of the person / 200 pixels, as annotated; NaN if not annotated."""
    centre: Array
    """(N, 2) approximate centre of the person in image pixels; NaN if not annotated."""


def open_mpii(folder: Path, min_keypoints: int = 6) -> KeypointDataset:
    """Open MPII's annotated people.

    Parameters
    ----------
    folder : Path
        Contains the labels and the folder `images`.
    min_keypoints : int
        People with fewer annotated key points are left out.

    Raises
    ------
    InputError
        If the labels are missing or invalid, or no people are left.
    """
    labels = read_mpii(folder / LABELS)
    rows = np.flatnonzero((labels.keypoints[:, :, 2] > 0).sum(axis=1) >= min_keypoints)
    names, image_folder = [labels.names[row] for row in rows], folder / "images"
    return KeypointDataset(
        "mpii",
        labels.keypoints[rows],
        lambda row: read_image(image_folder, names[row]),
        lambda row: check_image_file(image_folder, names[row]),
    )


def read_mpii(path: Path) -> MpiiLabels:
    """Read the labels of all people with joints in the training images.

    Raises
    ------
    InputError
        If the file is missing or has another layout.
    """
    release = read_mat(path, "RELEASE", struct_as_record=False, squeeze_me=True)
    names, keypoints, scales, centres = [], [], [], []
    try:
        images = _structs(release.annolist)
        training = np.atleast_1d(np.asarray(release.img_train))
        if len(training) != len(images):
            raise ValueError(f"{len(training)} train flags for {len(images)} images")
        for entry, train in zip(images, training, strict=True):
            if not int(train):
                continue
            name = str(entry.image.name)
            resolve_inside(path.parent, name)
            for person, points in _people(entry):
                names.append(name)
                keypoints.append(_keypoints(points))
                scales.append(_number(getattr(person, "scale", None)))
                centres.append(_centre(getattr(person, "objpos", None)))
                if len(names) > _MAX_PEOPLE:
                    raise ValueError(f"more than {_MAX_PEOPLE} people")
    except (AttributeError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise InputError(f"{path} is not MPII's annotation: {error}") from error
    if not names:
        raise InputError(f"{path} has no annotated people")
    return MpiiLabels(tuple(names), np.array(keypoints), np.array(scales), np.array(centres))


def _people(entry: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield the annotated people of an image and their points."""
    for person in _structs(getattr(entry, "annorect", None)):
        annotation = _structs(getattr(person, "annopoints", None))
        points = _structs(getattr(annotation[0], "point", None)) if annotation else []
        if points:
            yield person, points


def _keypoints(points: list[Any]) -> Array:
    """Return the key points (K, 3) of a person's MPII points."""
    keypoints = np.zeros((len(KEYPOINT_NAMES), 3))
    for point in points:
        joint = int(point.id)
        if not 0 <= joint < _JOINTS:
            raise ValueError(f"there is no joint {joint}")
        if joint not in _KEYPOINT_OF_JOINT:
            continue
        x, y = float(point.x), float(point.y)
        if not (np.isfinite(x) and np.isfinite(y)):
            raise ValueError("a joint is not finite")
        # empty for head top and upper neck, otherwise 0 or 1, as a number or a character
        visible = getattr(point, "is_visible", None)
        hidden = (
            visible is not None
            and np.size(visible) == 1
            and str(np.asarray(visible).item()) in ("0", "0.0", "False")
        )
        row = KEYPOINT_NAMES.index(_KEYPOINT_OF_JOINT[joint])
        # MATLAB counts pixels from 1
        keypoints[row] = x - 1, y - 1, HIDDEN_WEIGHT if hidden else 1.0
    return keypoints


def _structs(value: Any) -> list[Any]:
    """Return a MATLAB struct array of any length as a list."""
    if value is None:
        return []
    if isinstance(value, np.ndarray):
        return [entry for entry in value.ravel() if hasattr(entry, "_fieldnames")]
    return [value] if hasattr(value, "_fieldnames") else []


def _number(value: Any) -> float:
    return float(value) if value is not None and np.size(value) == 1 else float("nan")


def _centre(value: Any) -> tuple[float, float]:
    if not hasattr(value, "_fieldnames"):
        return float("nan"), float("nan")
    return _number(getattr(value, "x", None)) - 1, _number(getattr(value, "y", None)) - 1
