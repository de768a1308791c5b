"""Second round of the fit: starts from a network's estimates, and keeps the best of several.

As SPIN (Kolotouros et al., ICCV 2019) and EFT (Joo et al., 3DV 2021) do: a network trained on the
first round estimates the people that the teacher misses, close to bodies that it has seen, and the
fit continues from there. Every person is fitted from the first round's body and from the network's;
the one of lower energy stays, that is annotation, trusted teacher, pose prior, joint limits and
shape together, never the image alone. Limbs whose depth is open are then tried mirrored in depth,
and a mirrored limb stays where it lowers the energy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS, LSP_NAMES
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array, Mask
from trainer.body.blazepose_landmarker import SIZE
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.fits import Fits, bends_naturally
from trainer.fitting.fitter import BodyFitter, FitOptions, centred_difference
from trainer.fitting.initialization import depth_alternatives
from trainer.fitting.parameters import FitParameters, parameters_from_bodies
from trainer.fitting.pose_prior import PosePrior
from trainer.fitting.predictions import Predictions
from trainer.fitting.residuals import evaluate_fit
from trainer.fitting.targets import (
    LIMB_COUNT,
    TRUNK,
    CropAnnotations,
    FitTargets,
    annotation_support,
    build_fit_targets,
    landmarks_from_limbs,
)
from trainer.fitting.teacher import TeacherLandmarks

_FIRST_STEPS, _NETWORK_STEPS, _ALTERNATIVE_STEPS, _FINAL_STEPS = 120, 160, 40, 80
_ALTERNATIVES = 3
"""Alternatives of lowest energy, of twelve a person, that are optimized."""
_OPEN_TRUST = 0.6
"""The limbs are tried mirrored in depth where the teacher's trust in one is lower."""
_UNANNOTATED_SHARE = 0.3
"""Factor on the network's trust in joints that are not annotated."""
_NETWORK_SHARE = 0.5
"""Factor on the network's trust in depth, relative to the teacher's."""
_NETWORK_HALF, _TEACHER_HALF = 0.12, 0.25
"""Metres between fit and estimate that halve the trust."""
_MAX_RESIDUAL_2D, _MIN_TORSO_SHARE, _MAX_RESIDUAL_3D = 0.08, 0.75, 0.20
_MIN_TEACHER_TRUNK, _MIN_NETWORK_TRUNK = 0.25, 0.20
"""Trust in the trunk above which a fit near to the estimate is kept."""


def refine_fits(
    body: Body,
    people: CropAnnotations,
    teacher: TeacherLandmarks,
    first: Fits,
    predictions: Predictions,
    prior: PosePrior,
    options: FitOptions | None = None,
    reporter: Reporter = SILENT,
) -> Fits:
    """Fit every person from the first round's body and from a network's, and keep the better.

    Parameters
    ----------
    body : Body
    people : CropAnnotations
        N people.
    teacher : TeacherLandmarks
    first : Fits
        Of the first round.
    predictions : Predictions
    prior : PosePrior
    options : FitOptions, optional
        Steps and learning rate apply to the first round only.
    reporter : Reporter

    Returns
    -------
    Fits
    """
    options = options or FitOptions()
    targets = build_fit_targets(people, teacher, options.trust_torso, options.trust_spread)
    fitter = BodyFitter(body, options, prior, reporter)
    guess = parameters_from_bodies(
        body, predictions.rotations, predictions.shape, predictions.camera
    )
    targets, network = _add_network(fitter, guess, predictions, targets, people)
    start = parameters_from_bodies(body, first.rotations, first.shape, first.camera)
    everyone = torch.arange(len(people))
    found = fitter.optimize(start, targets, _FIRST_STEPS, 0.02, "from the first round")
    other = fitter.optimize(guess, targets, _NETWORK_STEPS, 0.03, "from the network")
    _take_better(fitter, found, other, targets, everyone)
    for _ in range(2):
        _try_alternatives(fitter, found, targets)
    last = fitter.optimize(found, targets, _FINAL_STEPS, 0.01, "final descent")
    _take_better(fitter, found, last, targets, everyone)
    return _select(fitter, found, targets, people, network)


@dataclass(frozen=True)
class _NetworkJoints:
    """A network's joints and the trust in them."""

    joints: Tensor
    """(3, 14, N) m"""
    trust: Tensor
    """(14, N) 0..1"""


def _add_network(
    fitter: BodyFitter,
    guess: FitParameters,
    predictions: Predictions,
    targets: FitTargets,
    people: CropAnnotations,
) -> tuple[FitTargets, _NetworkJoints]:
    """Return the targets with the network's joints, where the teacher is not trusted."""
    count = len(LSP_NAMES)
    with torch.no_grad():
        points = fitter.points(guess)[:, :count]
        flat = guess.camera[0] * (points[:2] + guess.camera[1:, None])
    missed = (flat - targets.annotated[:, :count]).norm(dim=0)[:LIMB_COUNT].T.numpy() * (SIZE / 2)
    known = people.keypoints[:, :LIMB_COUNT, 2] > 0
    support = annotation_support(missed, known, people.torso_pixels(), fitter.options.trust_torso)
    trunk = support[:, TRUNK].mean(1, keepdims=True)
    limbs = support * np.sqrt(trunk) * predictions.score[:, None]
    # where nothing is annotated the teacher's points are better than a small network's
    limbs = np.where(known, limbs, limbs * _UNANNOTATED_SHARE)
    trust = torch.tensor(np.concatenate([limbs, trunk, trunk], axis=1).T, dtype=torch.float32)
    by_teacher = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)]
    by_teacher = torch.cat([by_teacher, by_teacher[TRUNK].mean(0).expand(2, -1)])
    extended = replace(targets, network=points, network_trust=trust * (1 - by_teacher))
    return extended, _NetworkJoints(points, trust)


def _take_better(
    fitter: BodyFitter,
    found: FitParameters,
    other: FitParameters,
    targets: FitTargets,
    rows: Tensor,
) -> None:
    """Overwrite `found` at `rows` with `other` where its energy is lower, in place."""
    own = targets.select(rows)
    with torch.no_grad():
        better = fitter.energy(other, own) < fitter.energy(found.select(rows), own)
    found.assign(rows[better], other.select(better.nonzero()[:, 0]))


def _try_alternatives(fitter: BodyFitter, found: FitParameters, targets: FitTargets) -> None:
    """Optimize the best depth alternatives of people with an open limb, in place."""
    limb_trust = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)].amin(0)
    rows = (limb_trust < _OPEN_TRUST).nonzero()[:, 0]
    if not len(rows):
        return
    own = targets.select(rows)
    readings = depth_alternatives(fitter.body, fitter.kinematics, found.select(rows))
    with torch.no_grad():
        energies = torch.stack([fitter.energy(reading, own) for reading in readings])
    best = energies.argsort(dim=0)[:_ALTERNATIVES]
    for place in range(_ALTERNATIVES):
        tried = readings[0].clone()
        for number, reading in enumerate(readings):
            chosen = (best[place] == number).nonzero()[:, 0]
            tried.assign(chosen, reading.select(chosen))
        optimized = fitter.optimize(tried, own, _ALTERNATIVE_STEPS, 0.02, "mirrored in depth")
        _take_better(fitter, found, optimized, targets, rows)


def _select(
    fitter: BodyFitter,
    found: FitParameters,
    targets: FitTargets,
    people: CropAnnotations,
    network: _NetworkJoints,
) -> Fits:
    """Return the fits, with the trust in each joint and those that are good enough to keep."""
    result = evaluate_fit(fitter, found, targets, people)
    with torch.no_grad():
        points = fitter.points(found)
    joints = points[:, : len(LSP_NAMES)]
    away = centred_difference(joints, network.joints, network.trust).norm(dim=0)
    network_trust = _NETWORK_SHARE * network.trust / (1 + (away / _NETWORK_HALF) ** 2)
    landmarks = points[:, -targets.world.shape[1] :]
    from_teacher = centred_difference(landmarks, targets.world, targets.landmark_trust).norm(dim=0)
    # a fit that differs from the teacher is not supported by it
    teacher_trust = targets.landmark_trust / (1 + (from_teacher / _TEACHER_HALF) ** 2)
    trust = torch.maximum(teacher_trust, landmarks_from_limbs(network_trust))
    trunk = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)][TRUNK].mean(0).numpy()
    near_teacher = (result.residual_3d < _MAX_RESIDUAL_3D) & (trunk > _MIN_TEACHER_TRUNK)
    weight = network.trust[:LIMB_COUNT]
    mean_away = (weight * away[:LIMB_COUNT]).sum(0) / weight.sum(0).clamp(min=1e-6)
    near_network = mean_away.numpy() < _MAX_RESIDUAL_3D
    near_network &= network.trust[TRUNK].mean(0).numpy() > _MIN_NETWORK_TRUNK
    kept = _is_possible(fitter.body, result.rotations)
    kept &= result.residual_2d < _MAX_RESIDUAL_2D
    # an unknown torso (NaN) is no reason to drop a fit
    kept &= ~(result.residual_torso < _MIN_TORSO_SHARE) & (near_teacher | near_network)
    return result.to_fits(fitter.body, people, trust, kept)


def _is_possible(body: Body, rotations: Array) -> Mask:
    return bends_naturally(body, rotations) & ~violates_joint_limits(body, rotations)
