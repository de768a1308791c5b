"""Calibration of the score heads: `score` and `joint_score` on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr

from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Array
from trainer.data.ccp import read_backgrounds
from trainer.data.lspet import JointSet
from trainer.evaluation.inference import CropEstimates, estimate_crops
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.metrics import PCK_THRESHOLD, normalized_errors
from trainer.evaluation.network import Network

# the body's joints nearest to LSP's 12 limb joints, in LSP's order
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
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Return the area under the ROC curve of `score`, and how `joint_score` ranks joint errors.

    Parameters
    ----------
    network : Network
    people : CropEstimates
        Of the annotated crops of `rows`.
    joint_set, rows
        Held-out people.
    bodies : BodyPoser
    ccp : Path
        Folder of the packed CCP set; parts of its held-out images are the background.
    reporter : Reporter
    """
    columns = [bodies.body.joint_names.index(name) for name in _JOINTS]
    errors = normalized_errors(people.points(bodies, "lsp"), joint_set.joints[list(rows)])
    known = ~np.isnan(errors)
    scores = people.estimates.joint_score[:, columns]
    backgrounds = _estimate_backgrounds(network, ccp, reporter).estimates.score
    correct = errors[known] < PCK_THRESHOLD
    # a head with the same score for every joint ranks nothing
    varies = np.ptp(scores[known]) > 0
    correlation = float(spearmanr(scores[known], errors[known]).statistic) if varies else 0.0
    return {
        "score_auc": area_under_curve(people.estimates.score, backgrounds),
        "joint_score_rank_correlation_with_error": correlation,
        "joint_score_mean": float(scores[known].mean()),
        "joint_found_mean": float(correct.mean()),
        "joint_score_auc": area_under_curve(scores[known][correct], scores[known][~correct]),
    }


def area_under_curve(positive: Array, negative: Array) -> float:
    """Return the share of pairs with the positive ranked above the negative (Mann-Whitney)."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    above = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def _estimate_backgrounds(network: Network, ccp: Path, reporter: Reporter) -> CropEstimates:
    random = np.random.default_rng(0)
    images = read_backgrounds(ccp, held_out=True)
    crops = []
    for image in images:
        height, width = image.shape[:2]
        side = float(random.uniform(0.5, 1.2)) * min(height, width)
        centre = random.uniform(0.2, 0.8, 2) * [width, height]
        crops.append(crop_about(centre, side, 0.0, network.size))
    return estimate_crops(network, images.__getitem__, crops, "backgrounds", reporter)
