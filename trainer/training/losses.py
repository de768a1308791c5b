"""The losses of the paper's equations 2 (every level) and 4, and those of our two small heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict
from scipy.sparse import csr_matrix, vstack
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS
from trainer.body.torch_body import PosedPoints, Skeleton, projected
from trainer.data.base import FACE_NAMES, KEYPOINT_NAMES
from trainer.network.dense import DensePrediction
from trainer.network.pymaf import Level, Output
from trainer.rendering.surface_maps import BodyMaps
from trainer.training.distributed import weighted_mean

NEAR = 0.2
"""A joint counts as right within this many torso lengths of the truth, as PCK has it."""


ANNOTATED_HIPS = [KEYPOINT_NAMES.index("right_hip"), KEYPOINT_NAMES.index("left_hip")]


class LossWeights(BaseModel):
    """Weights of the terms; the defaults are the published ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keypoints_2d: float = 300.0
    joints_3d: float = 300.0
    rotations: float = 60.0
    shape: float = 0.06
    camera: float = 1.0
    keypoint_width: float | None = None
    """Crop units beyond which a 2D miss counts no further (Geman-McClure), against wrong labels;
    None = plain squares, as published."""
    landmarks: float = 0.0
    """Of the encoder's own landmarks on the labels, crop units, absolute."""
    landmarks_world: float = 0.0
    score: float = 1.0
    joint_score: float = 1.0
    auxiliary_index: float = 1.0
    """Of the cross-entropy of the seen part, a mean over the map's cells."""
    auxiliary_uv: float = 0.5
    """Of U and V each, a sum over the cells that truly see the body."""


@dataclass(frozen=True)
class Labels:
    """What is known of B crops, as tensors. A weight of 0 = not known."""

    keypoints: Tensor
    """(B, K, 2) annotated, crop units; the order is that of `trainer.data.base`."""
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
    """(B,) 1 where there is a body label."""
    person: Tensor
    """(B,) 1 where a person is in the crop; without one nothing else counts."""


class Losses(nn.Module):
    """Sums the terms for a batch.

    Parameters
    ----------
    body : Body
    weights : LossWeights
    dense : bool
        Whether an auxiliary head is taught too; its truth is drawn from the labels.
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
        self.trunk = (names.index("right_hip"), names.index("left_shoulder"))

    def forward(self, output: Output, labels: Labels) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum and each weighted term, of a batch."""
        weights = self.weights
        true = Level(labels.rotations, labels.shape, labels.camera)
        true_joints, true_landmarks = self._posed(true)
        people = labels.person * labels.fitted
        terms: dict[str, Tensor] = {}

        def add(name: str, value: Tensor) -> None:
            terms[name] = terms.get(name, value.new_zeros(())) + value

        for level in output.levels:
            joints, landmarks = self._posed(level)
            annotated = self._annotated(level)
            flat = projected(annotated, level.camera)
            # the fit's own points stand for what is not annotated (face, hands, feet)
            seen = (labels.keypoint_weight * labels.person[:, None], people[:, None] * 0.25)
            add("keypoints_2d", weights.keypoints_2d * (
                self._missed(flat, labels.keypoints, seen[0])
                + self._missed(
                    projected(landmarks, level.camera),
                    projected(true_landmarks, labels.camera),
                    seen[1].expand(-1, landmarks.shape[1]),
                )
            ))  # fmt: skip
            trust = labels.joint_trust * people[:, None]
            add("joints_3d", weights.joints_3d * weighted_mean(
                (self._centred(joints) - self._centred(true_joints)).square().mean(-1), trust
            ))  # fmt: skip
            known = labels.joints_3d_weight * labels.person[:, None]
            middle = annotated[:, ANNOTATED_HIPS].mean(1, keepdim=True)
            add("annotated_3d", weights.joints_3d * weighted_mean(
                (annotated - middle - labels.joints_3d).square().mean(-1), known
            ))  # fmt: skip
            add("rotations", weights.rotations * weighted_mean(
                (level.rotations - labels.rotations).square().mean((-1, -2)), trust
            ))  # fmt: skip
            add("shape", weights.shape * weighted_mean(
                (level.shape - labels.shape).square().mean(-1), people
            ))  # fmt: skip
            add("camera", weights.camera * torch.exp(-10 * level.camera[:, 0]).square().mean())
        self._landmark_terms(output, labels, true_landmarks, people, add)
        if output.dense is not None and self.maps is not None:
            self._dense_terms(output.dense, self.maps, labels, people, add)
        add("score", weights.score * functional.binary_cross_entropy_with_logits(
            output.score[:, 0], labels.person
        ))  # fmt: skip
        near, known = self._near(output.levels[-1], labels)
        each = functional.binary_cross_entropy_with_logits(
            output.joint_score, near, reduction="none"
        )
        add("joint_score", weights.joint_score * weighted_mean(each, known))
        return torch.stack(list(terms.values())).sum(), terms

    def _posed(self, level: Level) -> tuple[Tensor, Tensor]:
        rest = self.skeleton.rest(level.shape)
        world, places = self.skeleton(level.rotations, rest)
        return places, self.landmarks(world, places, rest, level.shape)

    def _annotated(self, level: Level) -> Tensor:
        rest = self.skeleton.rest(level.shape)
        world, places = self.skeleton(level.rotations, rest)
        points: Tensor = self.annotated(world, places, rest, level.shape)
        return points

    def _centred(self, joints: Tensor) -> Tensor:
        return joints - joints[:, self.hips].mean(1, keepdim=True)

    def _missed(self, found: Tensor, true: Tensor, weight: Tensor) -> Tensor:
        square = (found - true).square().sum(-1)
        width = self.weights.keypoint_width
        if width is not None:
            square = square / (1 + square / width**2)
        # halved: the published mean is over x and y
        return weighted_mean(square / 2, weight)

    def _landmark_terms(
        self,
        output: Output,
        labels: Labels,
        true_landmarks: Tensor,
        people: Tensor,
        add: Callable[[str, Tensor], None],
    ) -> None:
        """Keep the encoder's own landmarks on what is known: the annotation first, then the fit."""
        encoded, weights = output.encoded, self.weights
        if encoded.points is None or encoded.world is None or weights.landmarks == 0:
            return
        limbs = encoded.points[:, list(BLAZEPOSE_LSP_LIMBS)]
        miss = (limbs - labels.keypoints[:, : len(BLAZEPOSE_LSP_LIMBS)]).abs().sum(-1)
        known = labels.keypoint_weight[:, : len(BLAZEPOSE_LSP_LIMBS)] * labels.person[:, None]
        flat = projected(true_landmarks, labels.camera)
        fit_miss = (encoded.points - flat).abs().sum(-1)
        every = people[:, None].expand_as(fit_miss)
        width = 0.3
        add("landmarks", weights.landmarks * (
            weighted_mean(width * torch.tanh(miss / width), known)
            + 0.5 * weighted_mean(width * torch.tanh(fit_miss / width), every)
        ))  # fmt: skip
        middle = true_landmarks[:, [23, 24]].mean(1, keepdim=True)
        add("landmarks_world", weights.landmarks_world * weighted_mean(
            (encoded.world - (true_landmarks - middle)).abs().sum(-1), every
        ))  # fmt: skip

    def _dense_terms(
        self,
        dense: DensePrediction,
        maps: BodyMaps,
        labels: Labels,
        people: Tensor,
        add: Callable[[str, Tensor], None],
    ) -> None:
        """Equation 4, over the people with a body label."""
        weights, size = self.weights, dense.part.shape[-1]
        known = people.nonzero()[:, 0]
        drawn = maps(labels.rotations[known], labels.shape[known], labels.camera[known], size)
        each = functional.cross_entropy(dense.part[known], drawn.part, reduction="none")
        add("auxiliary_index", weights.auxiliary_index * weighted_mean(
            each.mean((1, 2)), people[known]
        ))  # fmt: skip
        seen = drawn.part > 0
        for found, true in ((dense.u, drawn.u), (dense.v, drawn.v)):
            if found is not None:
                own = found[known].gather(1, drawn.part[:, None])[:, 0]
                miss = functional.smooth_l1_loss(own, true, reduction="none") * seen
                add("auxiliary_uv", weights.auxiliary_uv * weighted_mean(
                    miss.sum((1, 2)), people[known]
                ))  # fmt: skip

    def _near(self, level: Level, labels: Labels) -> tuple[Tensor, Tensor]:
        """Which joints the estimate has right in the picture, and where that is known, (B, J)."""
        with torch.no_grad():
            rest = self.skeleton.rest(level.shape)
            _, places = self.skeleton(level.rotations, rest)
            found = projected(places, level.camera)
            rest = self.skeleton.rest(labels.shape)
            _, places = self.skeleton(labels.rotations, rest)
            true = projected(places, labels.camera)
            torso = (true[:, self.trunk[0]] - true[:, self.trunk[1]]).norm(dim=-1).clamp(min=0.15)
            near = (found - true).norm(dim=-1) < NEAR * torso[:, None]
            known = (labels.person * labels.fitted)[:, None].expand_as(labels.joint_trust)
        return near.float(), known


def annotated_rows(body: Body) -> csr_matrix:
    """Regressor (K, V) of the key points that all data sets are brought to."""
    face = body.keypoint_rows("coco")[: len(FACE_NAMES)]
    return csr_matrix(vstack([body.keypoint_rows("lsp"), face]))
