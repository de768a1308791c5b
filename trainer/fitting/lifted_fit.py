"""Fits whose depth comes from a lifter: the best of the fits from its likeliest hypotheses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS, LSP_NAMES
from trainer.fitting.fitter import BodyFitter
from trainer.fitting.initialization import parameters_from_teacher
from trainer.fitting.lifter import LiftedPoses
from trainer.fitting.parameters import FitParameters
from trainer.fitting.targets import KEYPOINTS, LIMB_COUNT, FitTargets

_HALF_SPREAD = 0.12
"""Metres of expected error that halve the trust in a lifted point."""
_VOTE = 3.0
"""Weight of a metre between hypothesis and teacher, in units of the score's logarithm."""
_SCORE_WEIGHT = 10.0
"""Weight of the score's logarithm in the energy that decides between fits."""


@dataclass(frozen=True)
class LiftedFit:
    """Fitted bodies, and the targets with the hypotheses that they were fitted to."""

    parameters: FitParameters
    targets: FitTargets
    spread: Tensor
    """(L, N) m, the lifter's expected error of each landmark."""

    def expected_error(self, lifted: LiftedPoses) -> Tensor:
        """Return the expected mean error (N,) m of the limb joints of each fit.

        It is linear in the lifter's own expectation, in the difference between its hypotheses and
        in the number of limb joints without annotation. The factors are those of least squares on
        1,200 synthetic people, old and dressed; either half predicts the other alike.
        """
        own = self.spread[list(BLAZEPOSE_LSP_LIMBS)].mean(0)
        apart = lifted.points[:, :, :LIMB_COUNT].std(1, correction=0).mean((1, 2))
        unknown = (self.targets.annotated_weight[:LIMB_COUNT] == 0).sum(0)
        return 0.02 + 0.8 * own + 0.78 * apart + 0.011 * unknown


def fit_lifted(
    fitter: BodyFitter, targets: FitTargets, lifted: LiftedPoses, hypotheses: int = 2
) -> LiftedFit:
    """Fit every person from the likeliest hypotheses and keep the fit of lowest energy.

    The lifter's score knows how likely a hypothesis is, and the teacher's metric landmarks have one
    more vote. The energy of the fit contains the joint limits and the prior.

    Parameters
    ----------
    fitter : BodyFitter
    targets : FitTargets
        N people, with the teacher's landmarks as `world`.
    lifted : LiftedPoses
        Of the same people.
    hypotheses : int
        Number of hypotheses that are fitted.
    """
    vote = _teacher_distance(lifted, targets)
    score = (lifted.score - _VOTE * vote).log_softmax(1)
    ranked = score.argsort(dim=1, descending=True)
    found: LiftedFit | None = None
    lowest: Tensor | None = None
    for rank in range(min(hypotheses, score.shape[1])):
        rows, chosen = torch.arange(len(score)), ranked[:, rank]
        points, spread = lifted.points[rows, chosen], lifted.spread[rows, chosen]
        aimed = aim_at(targets, points, spread)
        start = parameters_from_teacher(fitter.body, fitter.kinematics, aimed)
        options = fitter.options
        detail = f"hypothesis {rank + 1}"
        fitted = fitter.optimize(start, aimed, options.steps, options.learning_rate, detail)
        with torch.no_grad():
            energy = fitter.energy(fitted, aimed) - _SCORE_WEIGHT * score[rows, chosen]
        landmark_spread = spread[:, KEYPOINTS:].T
        if found is None or lowest is None:
            found, lowest = LiftedFit(fitted, aimed, landmark_spread), energy
            continue
        better = energy < lowest
        found = _merge(found, LiftedFit(fitted, aimed, landmark_spread), better)
        lowest = torch.minimum(lowest, energy)
    assert found is not None
    return found


def aim_at(targets: FitTargets, points: Tensor, spread: Tensor) -> FitTargets:
    """Return targets whose depth is that of lifted points (N, P, 3) with spreads (N, P)."""
    trust = (1 / (1 + (spread / _HALF_SPREAD) ** 2)).T
    joints = len(LSP_NAMES)
    return replace(
        targets,
        world=points[:, KEYPOINTS:].permute(2, 1, 0).contiguous(),
        depth_trust=trust[KEYPOINTS:].contiguous(),
        network=points[:, :joints].permute(2, 1, 0).contiguous(),
        network_trust=trust[:joints].contiguous(),
    )


def _teacher_distance(lifted: LiftedPoses, targets: FitTargets) -> Tensor:
    """Return the mean distance (N, H) of hypotheses from the teacher's limbs, weighted by trust."""
    limbs = list(BLAZEPOSE_LSP_LIMBS)
    landmarks = lifted.points[:, :, KEYPOINTS:][:, :, limbs]
    teacher = targets.world.permute(2, 1, 0)[:, None, limbs]
    trust = targets.landmark_trust.T[:, None, limbs]
    distance = (landmarks - teacher).norm(dim=-1)
    return torch.as_tensor((trust * distance).sum(-1) / trust.shape[-1])


def _merge(first: LiftedFit, second: LiftedFit, better: Tensor) -> LiftedFit:
    """Return the second fit where it is better, else the first."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(better, b, a)

    parameters = FitParameters(
        *(
            choose(a, b)
            for a, b in zip(first.parameters.tensors, second.parameters.tensors, strict=True)
        )
    )
    names = FitTargets.__dataclass_fields__
    targets = FitTargets(
        **{
            name: choose(getattr(first.targets, name), getattr(second.targets, name))
            for name in names
        }
    )
    return LiftedFit(parameters, targets, choose(first.spread, second.spread))
