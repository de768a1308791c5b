"""Whether the small heads mean what they say: `score` and `joint_score` on held-out pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr

from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Array
from trainer.data.ccp import read_backgrounds
from trainer.data.lspet import JointSet
from trainer.evaluation.inference import CropEstimates, estimate_crops
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.metrics import PCK_THRESHOLD, normalized_errors
from trainer.evaluation.network import Network

# the body's joints that LSP's 12 limb joints are nearest to, in LSP's order
_JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip


def measure_calibration(
    network: Network,
    people: CropEstimates,
    joint_set: JointSet,
    rows: Sequence[int],
    bodies: BodyPoser,
    ccp: Path,
) -> dict[str, Any]:
    """Area under the ROC curve of `score`, and how `joint_score` ranks the joints' errors.

    Parameters
    ----------
    network : Network
    people : Looked
        What the network made of the annotated crops of `rows` of `joint_set`.
    joint_set, rows
        Held-out people.
    bodies : Bodies
    ccp : Path
        The packed CCP set; parts of its held-out pictures are the background.
    """
    judged = [bodies.body.joint_names.index(name) for name in _JOINTS]
    missed = normalized_errors(people.points(bodies, "lsp"), joint_set.joints[list(rows)])
    known = ~np.isnan(missed)
    sure = people.estimates.joint_score[:, judged]
    backgrounds = _look_at_backgrounds(network, ccp).estimates.score
    near = missed[known] < PCK_THRESHOLD
    # a head that says the same of every joint ranks nothing
    varied = np.ptp(sure[known]) > 0
    rank = float(spearmanr(sure[known], missed[known]).statistic) if varied else 0.0
    return {
        "score_auc": area_under_curve(people.estimates.score, backgrounds),
        "joint_score_rank_correlation_with_error": rank,
        "joint_score_mean": float(sure[known].mean()),
        "joint_found_mean": float(near.mean()),
        "joint_score_auc": area_under_curve(sure[known][near], sure[known][~near]),
    }


def area_under_curve(positive: Array, negative: Array) -> float:
    """Share of pairs in which the positive is ranked above the negative (Mann-Whitney)."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    above = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def _look_at_backgrounds(network: Network, ccp: Path) -> CropEstimates:
    random = np.random.default_rng(0)
    parts = read_backgrounds(ccp, held_out=True)
    crops = []
    for part in parts:
        height, width = part.shape[:2]
        side = float(random.uniform(0.5, 1.2)) * min(height, width)
        centre = random.uniform(0.2, 0.8, 2) * [width, height]
        crops.append(crop_about(centre, side, 0.0, network.size))
    return estimate_crops(network, parts.__getitem__, crops, "backgrounds")
