"""Key points of two teachers on packed sets, as votes on the annotation and as landmark targets.

`second_teacher.npz` beside the labels of a packed set holds the points of MoveNet Thunder and of
BlazePose heavy on every picture, and for LSPET the annotation with exchanged, misplaced and missing
joints repaired where both teachers agree (its README has the rules).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS, LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.data.base import FACE_NAMES, KEYPOINT_NAMES

_FACE_LANDMARKS = (0, 2, 5, 7, 8)
"""BlazePose landmarks of `FACE_NAMES`."""
_MAX_SPREAD = 0.2
"""Torso lengths between heavy's plain and mirrored runs at which a landmark weighs nothing."""
_FILLED_WEIGHT = 0.5
"""Weight of a limb joint that is not annotated, but both teachers agree on."""


@dataclass(frozen=True)
class TeacherLabels:
    """2D labels of N people in image pixels."""

    keypoints: Array
    """(N, K, 3) x, y and a weight 0..1, in the order of `KEYPOINT_NAMES`."""
    landmarks: Array
    """(N, 33, 3) x, y and a weight 0..1, BlazePose's landmarks."""


def read_second_teacher(path: Path, count: int) -> TeacherLabels:
    """Read the teachers' labels of a packed set of `count` people.

    A set with an annotation has it repaired; of a set without one, a limb joint is known where both
    teachers agree. Other landmarks (hands, feet, face) are heavy's, weighted by how well its plain
    and its mirrored run agree.

    Raises
    ------
    InputError
        If the file is missing, damaged, or of another set.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        heavy = np.asarray(arrays["heavy"], dtype=np.float64)
        agree = np.asarray(arrays["agree"] & arrays["stable"])
        torso = np.asarray(arrays["torso"], dtype=np.float64)
        repaired, weight = arrays.get("joints_repaired"), arrays.get("label_weight")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{path} holds no labels of two teachers: {error}") from error
    limbs = len(BLAZEPOSE_LSP_LIMBS)
    shapes = (heavy.shape, agree.shape, torso.shape)
    if shapes != ((count, LANDMARKS, 4), (count, limbs), (count,)):
        raise InputError(f"{path} is of another set than one of {count} people: {shapes[0]}")
    landmarks = heavy[..., :3].copy()
    spread = heavy[..., 3] / torso[:, None]
    landmarks[..., 2] *= np.clip(1 - spread / _MAX_SPREAD, 0, 1)
    rows = list(BLAZEPOSE_LSP_LIMBS)
    landmarks[:, rows, 2] = _FILLED_WEIGHT * agree
    keypoints = np.zeros((count, len(KEYPOINT_NAMES), 3))
    keypoints[:, len(LSP_NAMES) :] = landmarks[:, list(_FACE_LANDMARKS[: len(FACE_NAMES)])]
    if repaired is None or weight is None:
        keypoints[:, :limbs] = landmarks[:, rows]
    else:
        joints = len(LSP_NAMES)
        if repaired.shape != (count, joints, 3) or weight.shape != (count, joints):
            raise InputError(f"{path}: repaired joints {repaired.shape}, weights {weight.shape}")
        known = (repaired[..., 2] > 0) * weight
        keypoints[:, :joints] = np.concatenate([repaired[..., :2], known[..., None]], axis=-1)
        annotated = known[:, :limbs] > 0
        landmarks[:, rows] = np.where(
            annotated[..., None], keypoints[:, :limbs], landmarks[:, rows]
        )
    if not (np.isfinite(landmarks).all() and np.isfinite(keypoints).all()):
        raise InputError(f"{path} has points that are not finite")
    return TeacherLabels(keypoints, landmarks)
