"""A second teacher's votes on annotated joints: repaired joints, their weights, agreement.

Where two independent teachers agree they are right far more often than either alone (on LSPET 83 %
of the joints within 0.2 torso, else 27 %), so agreement is a weight; positions are never averaged
blindly. The file also repairs joints whose left and right both teachers see exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Mask
from trainer.fitting.targets import LIMB_COUNT, CropAnnotations


@dataclass(frozen=True)
class SecondTeacher:
    """Votes on N people."""

    joints: Array
    """(N, 14, 3) LSP's joints, repaired: image pixels and a weight 0..1, 0 = unknown."""
    agree: Mask
    """(N, 12) True where both teachers place a limb joint within 0.2 torso of each other."""


def read_second_teacher(path: Path, count: int) -> SecondTeacher:
    """Read the votes on a set of `count` people.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another set.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            joints, weight = file["joints_repaired"].astype(np.float64), file["label_weight"]
            agree = file["agree"].astype(bool)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path} contains no second teacher's votes: {error}") from error
    points = len(LSP_NAMES)
    if joints.shape[1:] != (points, 3) or weight.shape != joints.shape[:2]:
        raise InputError(f"{path}: joints {joints.shape} and weights {weight.shape} do not fit")
    if len(joints) != count or agree.shape != (count, LIMB_COUNT):
        raise InputError(f"{path} has votes on {len(joints)} people, the set has {count}")
    joints[..., 2] = np.where(joints[..., 2] > 0, weight, 0)
    if not np.isfinite(joints).all():
        raise InputError(f"{path} has joints that are not finite")
    return SecondTeacher(joints, agree)


def repaired_annotations(
    people: CropAnnotations, second: SecondTeacher, held_out: int = 0
) -> CropAnnotations:
    """Return the annotation with repaired joints, their weights and the teachers' agreement.

    Parameters
    ----------
    people : CropAnnotations
        N people; their crops are kept.
    second : SecondTeacher
        Votes on these people.
    held_out : int
        Number of people at the end whose joints stay as annotated, since models are judged on them.
    """
    keypoints = people.keypoints.copy()
    changed = len(keypoints) - held_out
    keypoints[:changed, : len(LSP_NAMES)] = second.joints[:changed]
    return replace(people, keypoints=keypoints, agree=second.agree)
