"""Refinement of fits, initialized by a network's predictions: the second round.

Follows SPIN (Kolotouros et al., ICCV 2019) and EFT (Joo et al., 3DV 2021): a network trained on the
first round's fits predicts the people that the teacher misses, and the fit continues from its
predictions. Every person is fitted from the first round's body and from the network's; the fit of
lower energy is kept. The energy contains the annotation, the teacher weighted by its trust, the
pose prior, the joint limits and the shape, never the image alone. Limbs whose depth is ambiguous
are then flipped in depth; flips that lower the energy are kept.
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
from trainer.fitting.initialization import depth_flips
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

_FIRST_STEPS, _NETWORK_STEPS, _FLIP_STEPS, _FINAL_STEPS = 120, 160, 40, 80
_FLIPS = 3
"""Number of a person's twelve depth flips that are optimized, those of lowest energy."""
_AMBIGUOUS_TRUST = 0.6
"""Trust in the teacher's limbs below which depth flips are tried."""
_UNANNOTATED_SHARE = 0.3
"""Factor on the network's trust in joints that are not annotated."""
_NETWORK_SHARE = 0.5
"""Factor on the network's trust in depth, relative to the teacher's."""
_NETWORK_HALF, _TEACHER_HALF = 0.12, 0.25
"""Metres between the fit and network or teacher that halve the trust."""
_MAX_RESIDUAL_2D, _MIN_TORSO_SHARE, _MAX_RESIDUAL_3D = 0.08, 0.75, 0.20
_MIN_TEACHER_TRUNK, _MIN_NETWORK_TRUNK = 0.25, 0.20
"""Trust in the trunk above which a fit close to teacher or network is kept."""


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
    """Refine the first round's fits, starting from them and from a network's predictions.

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
    predicted = parameters_from_bodies(
        body, predictions.rotations, predictions.shape, predictions.camera
    )
    targets, network = _add_network(fitter, predicted, predictions, targets, people)
    start = parameters_from_bodies(body, first.rotations, first.shape, first.camera)
    everyone = torch.arange(len(people))
    found = fitter.optimize(start, targets, _FIRST_STEPS, 0.02, "from the first round")
    other = fitter.optimize(predicted, targets, _NETWORK_STEPS, 0.03, "from the network")
    _keep_better(fitter, found, other, targets, everyone)
    for _ in range(2):
        _try_depth_flips(fitter, found, targets)
    last = fitter.optimize(found, targets, _FINAL_STEPS, 0.01, "final steps")
    _keep_better(fitter, found, last, targets, everyone)
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
    predicted: FitParameters,
    predictions: Predictions,
    targets: FitTargets,
    people: CropAnnotations,
) -> tuple[FitTargets, _NetworkJoints]:
    """Return the targets with the network's joints, where the teacher is not trusted."""
    count = len(LSP_NAMES)
    with torch.no_grad():
        points = fitter.points(predicted)[:, :count]
        flat = predicted.camera[0] * (points[:2] + predicted.camera[1:, None])
    error = (flat - targets.annotated[:, :count]).norm(dim=0)[:LIMB_COUNT].T.numpy() * (SIZE / 2)
    known = people.keypoints[:, :LIMB_COUNT, 2] > 0
    support = annotation_support(error, known, people.torso_pixels(), fitter.options.trust_torso)
    trunk = support[:, TRUNK].mean(1, keepdims=True)
    limbs = support * np.sqrt(trunk) * predictions.score[:, None]
    # without an annotation the teacher's points are better than a small network's
    limbs = np.where(known, limbs, limbs * _UNANNOTATED_SHARE)
    trust = torch.tensor(np.concatenate([limbs, trunk, trunk], axis=1).T, dtype=torch.float32)
    by_teacher = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)]
    by_teacher = torch.cat([by_teacher, by_teacher[TRUNK].mean(0).expand(2, -1)])
    extended = replace(targets, network=points, network_trust=trust * (1 - by_teacher))
    return extended, _NetworkJoints(points, trust)


def _keep_better(
    fitter: BodyFitter,
    found: FitParameters,
    other: FitParameters,
    targets: FitTargets,
    rows: Tensor,
) -> None:
    """Overwrite `found` at `rows` with `other` where its energy is lower, in place."""
    selected = targets.select(rows)
    with torch.no_grad():
        better = fitter.energy(other, selected) < fitter.energy(found.select(rows), selected)
    found.assign(rows[better], other.select(better.nonzero()[:, 0]))


def _try_depth_flips(fitter: BodyFitter, found: FitParameters, targets: FitTargets) -> None:
    """Optimize the best depth flips of people with an ambiguous limb, in place."""
    limb_trust = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)].amin(0)
    rows = (limb_trust < _AMBIGUOUS_TRUST).nonzero()[:, 0]
    if not len(rows):
        return
    selected = targets.select(rows)
    flips = depth_flips(fitter.body, fitter.kinematics, found.select(rows))
    with torch.no_grad():
        energies = torch.stack([fitter.energy(flip, selected) for flip in flips])
    best = energies.argsort(dim=0)[:_FLIPS]
    for rank in range(_FLIPS):
        candidate = flips[0].clone()
        for number, flip in enumerate(flips):
            chosen = (best[rank] == number).nonzero()[:, 0]
            candidate.assign(chosen, flip.select(chosen))
        optimized = fitter.optimize(candidate, selected, _FLIP_STEPS, 0.02, "depth flips")
        _keep_better(fitter, found, optimized, targets, rows)


def _select(
    fitter: BodyFitter,
    found: FitParameters,
    targets: FitTargets,
    people: CropAnnotations,
    network: _NetworkJoints,
) -> Fits:
    """Return the fits with the trust in each joint, marked as kept where they are good enough."""
    result = evaluate_fit(fitter, found, targets, people)
    with torch.no_grad():
        points = fitter.points(found)
    joints = points[:, : len(LSP_NAMES)]
    from_network = centred_difference(joints, network.joints, network.trust).norm(dim=0)
    network_trust = _NETWORK_SHARE * network.trust / (1 + (from_network / _NETWORK_HALF) ** 2)
    landmarks = points[:, -targets.world.shape[1] :]
    from_teacher = centred_difference(landmarks, targets.world, targets.landmark_trust).norm(dim=0)
    # a fit that differs from the teacher is not supported by it
    teacher_trust = targets.landmark_trust / (1 + (from_teacher / _TEACHER_HALF) ** 2)
    trust = torch.maximum(teacher_trust, landmarks_from_limbs(network_trust))
    trunk = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)][TRUNK].mean(0).numpy()
    near_teacher = (result.residual_3d < _MAX_RESIDUAL_3D) & (trunk > _MIN_TEACHER_TRUNK)
    weight = network.trust[:LIMB_COUNT]
    mean_distance = (weight * from_network[:LIMB_COUNT]).sum(0) / weight.sum(0).clamp(min=1e-6)
    near_network = mean_distance.numpy() < _MAX_RESIDUAL_3D
    near_network &= network.trust[TRUNK].mean(0).numpy() > _MIN_NETWORK_TRUNK
    kept = _is_possible(fitter.body, result.rotations)
    kept &= result.residual_2d < _MAX_RESIDUAL_2D
    # an unknown torso (NaN) is no reason to drop a fit
    kept &= ~(result.residual_torso < _MIN_TORSO_SHARE) & (near_teacher | near_network)
    return result.to_fits(fitter.body, people, trust, kept)


def _is_possible(body: Body, rotations: Array) -> Mask:
    return bends_naturally(body, rotations) & ~violates_joint_limits(body, rotations)
