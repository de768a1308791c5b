"""Whether the small heads mean what they say: `score` and `joint_score` on held-out pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr

from pymaf_live.body import Body, PointSet, crop_points_2d, pixels_from_crop_units
from pymaf_live.network.preprocess import cut, network_input
from pymaf_live.people.crop import crop_about
from pymaf_live.types import Array, Crop, Image
from trainer.data.ccp import read_backgrounds
from trainer.data.lspet import LIMBS, VALIDATION, JointSet, Pictures, annotated_crop, torso_length
from trainer.network.pymaf import PyMAF

# the body's joints that LSP's 12 limb joints are nearest to, in LSP's order
_JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip


@torch.no_grad()
def calibration(model: PyMAF, joint_set: JointSet, body: Body, ccp: Path) -> dict[str, float]:
    """Area under the ROC curve of `score`, and how `joint_score` ranks the joints' errors.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set : JointSet
        Its last `VALIDATION` rows are the people.
    body : Body
    ccp : Path
        The packed CCP set; parts of its held-out pictures are the background.
    """
    rows = range(len(joint_set) - VALIDATION, len(joint_set))
    pictures, size = Pictures(joint_set), model.encoder.size
    points = PointSet.keypoints(body, "lsp")
    judged = [body.joint_names.index(name) for name in _JOINTS]
    people, sure, missed = [], [], []
    for row in rows:
        joints = joint_set.joints[row]
        crop = annotated_crop(joints, size)
        output = model(_input(pictures[row], crop))
        level = output.levels[-1]
        posed = points.pose(level.rotations[0].numpy(), level.shape[0].numpy())
        flat = crop_points_2d(posed, level.camera[0].numpy().astype(np.float64))
        found = crop.to_frame(pixels_from_crop_units(flat, size))[list(LIMBS)]
        people.append(float(output.score[0, 0]))
        torso = float(torso_length(joints[None])[0])
        known = joints[list(LIMBS), 2] > 0
        if np.isfinite(torso):
            distance = np.linalg.norm(found - joints[list(LIMBS), :2], axis=-1) / torso
            missed.append(distance[known])
            sure.append(output.joint_score[0, judged].numpy()[known])
    backgrounds = [float(model(image).score[0, 0]) for image in _backgrounds(ccp, size)]
    rank = spearmanr(np.concatenate(sure), np.concatenate(missed)).statistic
    return {
        "score_auc": round(area_under_curve(np.array(people), np.array(backgrounds)), 4),
        "joint_score_rank_correlation_with_error": round(float(rank), 4),
    }


def area_under_curve(positive: Array, negative: Array) -> float:
    """Share of pairs in which the positive is ranked above the negative (Mann-Whitney)."""
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    above = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def _backgrounds(ccp: Path, size: int) -> list[torch.Tensor]:
    random = np.random.default_rng(0)
    inputs = []
    for part in read_backgrounds(ccp, held_out=True):
        height, width = part.shape[:2]
        side = float(random.uniform(0.5, 1.2)) * min(height, width)
        centre = random.uniform(0.2, 0.8, 2) * [width, height]
        inputs.append(_input(part, crop_about(centre, side, 0.0, size)))
    return inputs


def _input(image: Image, crop: Crop) -> torch.Tensor:
    return torch.from_numpy(network_input(cut(image, crop)[None]))
