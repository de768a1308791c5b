"""Losses of the paper's equations 2 (every level) and 4, and of the two score heads.

Normalisation: a term is the sum of its weighted errors over the batch, divided by the number of
known values (those of a weight above 0), see `mean_over_known`. The labels' weights and trusts
(0..1) are therefore absolute: a batch of half the trust has half the loss. For 2D points and
annotated 3D joints, `LossWeights.normalisation` chooses the authors' divisors instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix, vstack
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS
from trainer.body.torch_body import PosedPoints, Skeleton, project_weak_perspective
from trainer.data.base import FACE_NAMES, KEYPOINT_NAMES
from trainer.evaluation.metrics import PCK_THRESHOLD
from trainer.network.dense import DensePrediction
from trainer.network.estimates import LevelEstimate, NetworkOutput
from trainer.rendering.surface_maps import BodyMaps
from trainer.training.distributed import mean_over, mean_over_known
from trainer.training.landmark_targets import LandmarkTargets, heatmap_error, landmark_targets

ANNOTATED_HIPS = [KEYPOINT_NAMES.index("right_hip"), KEYPOINT_NAMES.index("left_hip")]
_LANDMARK_HIPS = [23, 24]
_LANDMARK_WIDTH = 0.3
"""Crop units beyond which a landmark's error counts no further."""
_FIT_WEIGHT = 0.25
"""Weight of a target landmark, where a fully trusted annotated point weighs 1. The 33 landmarks
include those that no data set annotates (hands, feet)."""
_PUBLISHED_POINTS_2D = 49
"""2D points of a person in the authors' loss: OpenPose's 25, of weight 0, and SPIN's 24."""
_PUBLISHED_JOINTS_3D = 24
_MIN_TORSO = 0.15
"""Crop units; shorter torsos are seen from their end."""


class LossWeights(BaseModel):
    """Weights of the terms; the defaults are the published ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    normalisation: Literal["known", "published"] = "known"
    """Divisor of the errors of 2D points and of annotated 3D joints. 'known': the number of known
    points of the batch. 'published', as in the authors' code, which averages over unknown points
    too: 49 2D points for each crop of the batch, 24 joints for each person with a known 3D joint.
    With 13 known 2D points a person, 'known' weighs the term 49 / 13 = 3.8 times 'published'."""
    keypoints_2d: float = 300.0
    joints_3d: float = 300.0
    rotations: float = 60.0
    shape: float = 0.06
    camera: float = 1.0
    keypoint_width: float | None = None
    """Crop units beyond which a 2D error counts no further (Geman-McClure), against wrong labels;
    None = plain squares, as published."""
    landmarks: float = 0.0
    """Weight of the error of the encoder's own landmarks, crop units, absolute."""
    landmarks_world: float = 0.0
    """Weight of the error of the encoder's own metric landmarks, metres, absolute."""
    heatmaps: float = 0.0
    """Weight of the divergence of the encoder's heatmaps from a Gaussian about the true landmark,
    and of the peaks of landmarks outside the image, which should have none."""
    outside: float = Field(default=1.0, ge=0, le=1)
    """Factor on the weight of a landmark of the body label that lies outside the image."""
    score: float = 1.0
    joint_score: float = 1.0
    auxiliary_index: float = 1.0
    """Weight of the cross-entropy of the visible part, a mean over the map's cells."""
    auxiliary_uv: float = 0.5
    """Weight of U and V each, a sum over the cells that see the body."""


@dataclass(frozen=True)
class Labels:
    """Labels of B crops; a weight of 0 means unknown."""

    keypoints: Tensor
    """(B, K, 2) annotated, crop units, in the order of `trainer.data.base`."""
    keypoint_weight: Tensor
    """(B, K)"""
    joints_3d: Tensor
    """(B, K, 3) annotated or captured, m from the hips' middle, crop frame."""
    joints_3d_weight: Tensor
    """(B, K)"""
    rotations: Tensor
    """(B, J, 3, 3) of the body label, crop frame."""
    shape: Tensor
    """(B, S)"""
    camera: Tensor
    """(B, 3)"""
    joint_trust: Tensor
    """(B, J) 0..1"""
    fitted: Tensor
    """(B,) 1 if there is a body label."""
    person: Tensor
    """(B,) 1 if a person is in the crop; without one no other label counts."""
    landmarks: Tensor
    """(B, 33, 2) a teacher's landmarks, crop units."""
    landmark_weight: Tensor
    """(B, 33)"""
    outline: Tensor
    """(B, C, 2) corners of the visible part of the image in order, crop units; convex."""


@dataclass
class _Terms:
    """Weighted terms of a batch by name; terms of several levels are added up."""

    values: dict[str, Tensor] = field(default_factory=dict)

    def add(self, name: str, value: Tensor) -> None:
        self.values[name] = self.values.get(name, value.new_zeros(())) + value


@dataclass(frozen=True)
class _Truth:
    """Labels of a batch and what follows from them once for all levels."""

    labels: Labels
    joints: Tensor
    """(B, J, 3) m, from the hips' middle."""
    landmarks: Tensor
    """(B, 33, 3) m, the body label's landmark points."""
    targets: LandmarkTargets
    people: Tensor
    """(B,) 1 if a person with a body label is in the crop."""


class Losses(nn.Module):
    """Sum of the terms of a batch.

    Parameters
    ----------
    body : Body
    weights : LossWeights
    dense : bool
        Supervise an auxiliary head too, with maps rendered from the labels.
    """

    def __init__(self, body: Body, weights: LossWeights, *, dense: bool = False) -> None:
        super().__init__()
        self.weights = weights
        self.maps = BodyMaps(body) if dense else None
        self.skeleton = Skeleton(body)
        self.annotated = PosedPoints(body, annotated_rows(body))
        self.landmarks = PosedPoints(body, body.keypoint_rows("blazepose"))
        names = list(body.joint_names)
        self.hips = [names.index("left_hip"), names.index("right_hip")]
        self.torso = (names.index("right_hip"), names.index("left_shoulder"))

    def forward(self, output: NetworkOutput, labels: Labels) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum and each weighted term of a batch."""
        label = LevelEstimate(labels.rotations, labels.shape, labels.camera)
        joints, landmarks = self._posed(label)
        people = labels.person * labels.fitted
        targets = landmark_targets(
            labels,
            project_weak_perspective(landmarks, labels.camera),
            project_weak_perspective(self._annotated(label), labels.camera),
            self.weights.outside,
        )
        truth = _Truth(labels, self._centred(joints), landmarks, targets, people)
        terms = _Terms()
        for level in output.levels:
            self._add_level_terms(terms, level, truth)
        self._add_landmark_terms(terms, output, truth)
        if output.dense is not None and self.maps is not None:
            self._add_dense_terms(terms, output.dense, self.maps, truth)
        self._add_score_terms(terms, output, labels)
        return torch.stack(list(terms.values.values())).sum(), terms.values

    def _add_level_terms(self, terms: _Terms, level: LevelEstimate, truth: _Truth) -> None:
        """Equation 2."""
        weights, labels, people = self.weights, truth.labels, truth.people
        joints, landmarks = self._posed(level)
        annotated = self._annotated(level)
        known = labels.keypoint_weight * labels.person[:, None]
        targets = truth.targets
        flat, flat_landmarks = (
            project_weak_perspective(p, level.camera) for p in (annotated, landmarks)
        )
        terms.add("keypoints_2d", weights.keypoints_2d * (
            self._error_2d(flat, labels.keypoints, known)
            + self._error_2d(flat_landmarks, targets.points, _FIT_WEIGHT * targets.weight)
        ))  # fmt: skip
        trust = labels.joint_trust * people[:, None]
        terms.add("joints_3d", weights.joints_3d * mean_over_known(
            (self._centred(joints) - truth.joints).square().mean(-1), trust
        ))  # fmt: skip
        known = labels.joints_3d_weight * labels.person[:, None]
        middle = annotated[:, ANNOTATED_HIPS].mean(1, keepdim=True)
        terms.add("annotated_3d", weights.joints_3d * self._mean_3d(
            (annotated - middle - labels.joints_3d).square().mean(-1), known
        ))  # fmt: skip
        terms.add("rotations", weights.rotations * mean_over_known(
            (level.rotations - labels.rotations).square().mean((-1, -2)), trust
        ))  # fmt: skip
        terms.add("shape", weights.shape * mean_over_known(
            (level.shape - labels.shape).square().mean(-1), people
        ))  # fmt: skip
        terms.add("camera", weights.camera * torch.exp(-10 * level.camera[:, 0]).square().mean())

    def _add_landmark_terms(self, terms: _Terms, output: NetworkOutput, truth: _Truth) -> None:
        """Keep the encoder's own landmarks on the annotation first, and on the fit."""
        encoded, weights, labels = output.encoded, self.weights, truth.labels
        if encoded.points is None or encoded.world is None or weights.landmarks == 0:
            return
        limbs = encoded.points[:, list(BLAZEPOSE_LSP_LIMBS)]
        error = (limbs - labels.keypoints[:, : len(BLAZEPOSE_LSP_LIMBS)]).abs().sum(-1)
        known = labels.keypoint_weight[:, : len(BLAZEPOSE_LSP_LIMBS)] * labels.person[:, None]
        targets, width = truth.targets, _LANDMARK_WIDTH
        target_error = (encoded.points - targets.points).abs().sum(-1)
        terms.add("landmarks", weights.landmarks * (
            mean_over_known(width * torch.tanh(error / width), known)
            + 0.5 * mean_over_known(width * torch.tanh(target_error / width), targets.weight)
        ))  # fmt: skip
        if encoded.heatmaps is not None and weights.heatmaps:
            terms.add("heatmaps", weights.heatmaps * heatmap_error(encoded.heatmaps, targets))
        middle = truth.landmarks[:, _LANDMARK_HIPS].mean(1, keepdim=True)
        of_fit = truth.people[:, None].expand_as(target_error)
        terms.add("landmarks_world", weights.landmarks_world * mean_over_known(
            (encoded.world - (truth.landmarks - middle)).abs().sum(-1), of_fit
        ))  # fmt: skip

    def _add_dense_terms(
        self, terms: _Terms, dense: DensePrediction, maps: BodyMaps, truth: _Truth
    ) -> None:
        """Equation 4, over the people with a body label."""
        weights, labels, size = self.weights, truth.labels, dense.part.shape[-1]
        known = truth.people.nonzero()[:, 0]
        people = truth.people[known]
        rendered = maps(labels.rotations[known], labels.shape[known], labels.camera[known], size)
        errors = functional.cross_entropy(dense.part[known], rendered.part, reduction="none")
        terms.add("auxiliary_index", weights.auxiliary_index * mean_over_known(
            errors.mean((1, 2)), people
        ))  # fmt: skip
        visible = rendered.part > 0
        for predicted, true in ((dense.u, rendered.u), (dense.v, rendered.v)):
            if predicted is not None:
                of_part = predicted[known].gather(1, rendered.part[:, None])[:, 0]
                error = functional.smooth_l1_loss(of_part, true, reduction="none") * visible
                terms.add("auxiliary_uv", weights.auxiliary_uv * mean_over_known(
                    error.sum((1, 2)), people
                ))  # fmt: skip

    def _add_score_terms(self, terms: _Terms, output: NetworkOutput, labels: Labels) -> None:
        weights = self.weights
        terms.add("score", weights.score * functional.binary_cross_entropy_with_logits(
            output.score[:, 0], labels.person
        ))  # fmt: skip
        correct, known = self._correct_joints(output.levels[-1], labels)
        errors = functional.binary_cross_entropy_with_logits(
            output.joint_score, correct, reduction="none"
        )
        terms.add("joint_score", weights.joint_score * mean_over_known(errors, known))

    def _posed(self, level: LevelEstimate) -> tuple[Tensor, Tensor]:
        rest = self.skeleton.rest(level.shape)
        world, joints = self.skeleton(level.rotations, rest)
        return joints, self.landmarks(world, joints, rest, level.shape)

    def _annotated(self, level: LevelEstimate) -> Tensor:
        rest = self.skeleton.rest(level.shape)
        world, joints = self.skeleton(level.rotations, rest)
        points: Tensor = self.annotated(world, joints, rest, level.shape)
        return points

    def _centred(self, joints: Tensor) -> Tensor:
        return joints - joints[:, self.hips].mean(1, keepdim=True)

    def _error_2d(self, found: Tensor, true: Tensor, weight: Tensor) -> Tensor:
        square = (found - true).square().sum(-1)
        width = self.weights.keypoint_width
        if width is not None:
            square = square / (1 + square / width**2)
        # halved: the published mean is over x and y
        if self.weights.normalisation == "published":
            count = torch.tensor(_PUBLISHED_POINTS_2D * len(weight), device=weight.device)
            return mean_over(square / 2, weight, count)
        return mean_over_known(square / 2, weight)

    def _mean_3d(self, errors: Tensor, weight: Tensor) -> Tensor:
        """Return the mean of the errors (B, K) of annotated 3D joints by the normalisation."""
        if self.weights.normalisation == "published":
            people = (weight > 0).any(1).sum()
            return mean_over(errors, weight, _PUBLISHED_JOINTS_3D * people)
        return mean_over_known(errors, weight)

    def _correct_joints(self, level: LevelEstimate, labels: Labels) -> tuple[Tensor, Tensor]:
        """Return which joints are right in the image, and where that is known, both (B, J).

        A joint is right within `PCK_THRESHOLD` torso lengths of the label's.
        """
        with torch.no_grad():
            rest = self.skeleton.rest(level.shape)
            _, joints = self.skeleton(level.rotations, rest)
            found = project_weak_perspective(joints, level.camera)
            rest = self.skeleton.rest(labels.shape)
            _, joints = self.skeleton(labels.rotations, rest)
            true = project_weak_perspective(joints, labels.camera)
            first, second = self.torso
            torso = (true[:, first] - true[:, second]).norm(dim=-1).clamp(min=_MIN_TORSO)
            correct = (found - true).norm(dim=-1) < PCK_THRESHOLD * torso[:, None]
            known = (labels.person * labels.fitted)[:, None].expand_as(labels.joint_trust)
        return correct.float(), known


def annotated_rows(body: Body) -> csr_matrix:
    """Return the regressor (K, V) of the key points that all data sets are mapped to."""
    face = body.keypoint_rows("coco")[: len(FACE_NAMES)]
    return csr_matrix(vstack([body.keypoint_rows("lsp"), face]))
