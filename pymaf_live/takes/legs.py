"""Evidence of the legs in the image, and the rows of a take in which they are at rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Mask

UNSEEN_JOINTS = tuple(
    f"{side}_{part}" for part in ("knee", "ankle", "foot") for side in ("left", "right")
)
"""Joints of which nothing is known while the legs are at rest; their scores are then 0."""
LEGS_SEEN = 0.5
"""Evidence (`leg_evidence`) from which on legs count as measured."""
_HIPS, _KNEES = ("left_hip", "right_hip"), ("left_knee", "right_knee")
_EDGE_MARGIN = 0.15
"""Distance outside the image at which a knee counts as not seen, in lengths of the thigh."""


def leg_evidence(
    joint_names: Sequence[str], joint_score: Array, joints_2d: Array, size: tuple[int, int]
) -> Array:
    """Return how far legs are seen (...), 0..1: the score of the better knee, 0 outside the image.

    Parameters
    ----------
    joint_names : sequence of str
        Without SMPL's knees and hips the legs count as seen.
    joint_score : (..., J) array
    joints_2d : (..., J, 2) array
        As measured, px.
    size : tuple of int
        Width and height of the image, px.
    """
    names = list(joint_names)
    if not set(_KNEES) | set(_HIPS) <= set(names):
        return np.ones(joint_score.shape[:-1])
    edge = np.array(size, dtype=np.float64) - 1
    evidence = []
    for hip, knee in zip(map(names.index, _HIPS), map(names.index, _KNEES), strict=True):
        points = joints_2d[..., knee, :]
        outside = np.linalg.norm(np.maximum(np.maximum(-points, points - edge), 0.0), axis=-1)
        thigh = np.linalg.norm(joints_2d[..., knee, :] - joints_2d[..., hip, :], axis=-1)
        inside = np.clip(1 - outside / np.maximum(_EDGE_MARGIN * thigh, 1.0), 0.0, 1.0)
        evidence.append(np.nan_to_num(joint_score[..., knee]) * inside)
    return np.asarray(np.maximum(*evidence))


def legs_at_rest(take: Take) -> Mask:
    """Return the rows (R,) whose legs were not seen and are in a pose of rest."""
    names = list(take.joint_names)
    if not set(UNSEEN_JOINTS) <= set(names):
        return np.zeros(len(take.frame), dtype=bool)
    unseen = [names.index(name) for name in UNSEEN_JOINTS]
    return np.asarray((take.joint_score[:, unseen] == 0).all(axis=1))


def legs_seen(take: Take) -> Mask:
    """Return the rows (R,) in which the legs count as measured."""
    evidence = leg_evidence(take.joint_names, take.joint_score, take.joints_2d, take.frame_size)
    return np.asarray(evidence >= LEGS_SEEN)


def rest_note(take: Take) -> str:
    """Return a sentence that says where legs are at rest; empty where none are."""
    count = int(legs_at_rest(take).sum())
    if not count:
        return ""
    where = "throughout" if count == len(take.frame) else f"in {count / len(take.frame):.0%} of it"
    return f"the legs are not seen {where} and are put to rest; their joints have the score 0"
