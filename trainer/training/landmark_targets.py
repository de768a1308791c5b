"""Targets of the 33 landmarks in the image, and the loss of heatmaps.

A teacher's landmark is a target where there is one (distillation of the teacher's heatmaps into the
student's). All others are the landmarks of the body label, moved by the error of the annotated key
point that they are attached to: a hand follows the annotated wrist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from trainer.data.base import KEYPOINT_NAMES
from trainer.network.encoder import PEAK_OFFSET, SHARPNESS
from trainer.training.distributed import mean_over_known

if TYPE_CHECKING:
    from trainer.training.losses import Labels

_ATTACHED = (
    "nose", *["left_eye"] * 3, *["right_eye"] * 3, "left_ear", "right_ear", "nose", "nose",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    *["left_wrist", "right_wrist"] * 4, "left_hip", "right_hip", "left_knee", "right_knee",
    *["left_ankle", "right_ankle"] * 3,
)  # fmt: skip
"""Key point that each of BlazePose's landmarks is attached to."""
_ATTACHED_ROWS = [KEYPOINT_NAMES.index(name) for name in _ATTACHED]

_MAX_MOVE = 0.2
"""Crop units; an annotation that is farther from its fitted body was rejected by the fit."""
_GAUSSIAN_WIDTH = 1.2
"""Standard deviation of a heatmap's target in cells (a cell of 64 is 4 pixels of 256)."""


@dataclass(frozen=True)
class LandmarkTargets:
    """Landmarks that encoder and body should have in the image."""

    points: Tensor
    """(B, 33, 2) crop units."""
    weight: Tensor
    """(B, 33) 0..1; 0 = unknown."""
    visible: Tensor
    """(B, 33) bool, inside the crop and the visible part of the image."""


def landmark_targets(
    labels: Labels, of_body: Tensor, annotated_of_body: Tensor, outside: float
) -> LandmarkTargets:
    """Return the targets of a batch.

    Parameters
    ----------
    labels : Labels
    of_body : (B, 33, 2) tensor
        Projected landmarks of the body label.
    annotated_of_body : (B, K, 2) tensor
        Its projected key points.
    outside : float
        Factor on the weight of the body label's landmarks outside the image.
    """
    error = labels.keypoints - annotated_of_body
    near = error.norm(dim=-1, keepdim=True) < _MAX_MOVE
    error = error * near * labels.keypoint_weight[..., None]
    moved = of_body + error[:, _ATTACHED_ROWS]
    visible = inside_outline(moved, labels.outline)
    people = (labels.person * labels.fitted)[:, None]
    weight = people * torch.where(visible, 1.0, outside)
    taught = (labels.landmark_weight > 0) & (labels.person[:, None] > 0)
    return LandmarkTargets(
        torch.where(taught[..., None], labels.landmarks, moved),
        torch.where(taught, labels.landmark_weight, weight),
        torch.where(taught, inside_outline(labels.landmarks, labels.outline), visible),
    )


def inside_outline(points: Tensor, outline: Tensor) -> Tensor:
    """Return which points (B, N, 2) are inside crop and outline (B, C, 2), as a mask (B, N).

    A repeated corner bounds nothing; an outline of equal corners has no inside.
    """
    along = torch.roll(outline, -1, 1) - outline
    to = points[:, :, None] - outline[:, None]
    side = along[:, None, :, 0] * to[..., 1] - along[:, None, :, 1] * to[..., 0]
    some = along.abs().amax((1, 2)) > 0
    in_crop = (points.abs() <= 1).all(-1)
    return in_crop & (side >= -1e-6).all(-1) & some[:, None]


def heatmap_error(heatmaps: Tensor, targets: LandmarkTargets) -> Tensor:
    """Return the mean divergence of heatmaps from Gaussians, plus the loss of unwanted peaks.

    The softmax of a map, as sharp as landmarks are read with, is compared with a Gaussian about the
    target (Kullback-Leibler divergence, nats). A landmark outside the image should have no peak
    (binary cross-entropy with `HeatmapPeaks`' initial offset).

    Parameters
    ----------
    heatmaps : (B, M, H, W) tensor
        Logits, M >= 33.
    targets : LandmarkTargets
    """
    count, (height, width) = targets.points.shape[1], heatmaps.shape[2:]
    maps = heatmaps[:, :count].float()
    rows = _gaussian(targets.points[..., 1], height)
    columns = _gaussian(targets.points[..., 0], width)
    found = functional.log_softmax(SHARPNESS * maps.flatten(2), dim=-1).reshape(maps.shape)
    across = (found * columns[:, :, None]).sum(-1)
    entropy = -sum((part * (part + 1e-12).log()).sum(-1) for part in (rows, columns))
    divergence = -(across * rows).sum(-1) - entropy
    known = targets.weight * targets.visible
    absent = (targets.weight > 0).float() * ~targets.visible
    peaks = functional.softplus(maps.amax((2, 3)) + PEAK_OFFSET)
    return mean_over_known(divergence, known) + mean_over_known(peaks, absent)


def _gaussian(positions: Tensor, cells: int) -> Tensor:
    """Return normalised Gaussians (B, N, cells) about positions (B, N) in crop units."""
    centres = (torch.arange(cells, device=positions.device) + 0.5) * (2 / cells) - 1
    distance = (centres - positions[..., None]) * (cells / 2) / _GAUSSIAN_WIDTH
    return torch.softmax(-distance.square() / 2, dim=-1)
