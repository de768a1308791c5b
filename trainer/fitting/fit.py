"""Fits of the body to images: pseudo labels from annotated joints and a teacher's landmarks.

Each person is fitted independently, thousands of people in parallel. The parameters are the root's
rotation (two columns), the other joints' rotation vectors, the shape and the crop's
weak-perspective camera; only key points are posed, no mesh.
"""

from __future__ import annotations

import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Mask
from trainer.data.fits import Fits, bends_naturally
from trainer.fitting.fitter import LIFTED_OPTIONS, BodyFitter, FitOptions
from trainer.fitting.initialization import parameters_from_teacher
from trainer.fitting.lifted_fit import fit_lifted
from trainer.fitting.lifter import Lifter, lift
from trainer.fitting.lifter_input import observations
from trainer.fitting.pose_prior import PosePrior
from trainer.fitting.residuals import FitResult, evaluate_fit
from trainer.fitting.targets import TRUNK, CropAnnotations, build_fit_targets
from trainer.fitting.teacher import TeacherLandmarks

_MAX_RESIDUAL_2D = 0.10
"""Crop units."""
_MAX_RESIDUAL_3D = 0.20
"""Metres."""
_MIN_TRUNK_TRUST = 0.25
_MAX_EXPECTED_ERROR = 0.165
"""Metres, mean of the limb joints; a seventh of LSPET is above it."""


def fit(
    body: Body,
    people: CropAnnotations,
    teacher: TeacherLandmarks,
    options: FitOptions | None = None,
    prior: PosePrior | None = None,
    lifter: Lifter | None = None,
    reporter: Reporter = SILENT,
) -> Fits:
    """Fit every person of a data set, starting from the teacher's landmarks or a lifter's poses.

    Parameters
    ----------
    body : Body
    people : CropAnnotations
        N people.
    teacher : TeacherLandmarks
        Of the same people.
    options : FitOptions, optional
        `FitOptions()` by default, `LIFTED_OPTIONS` with a lifter.
    prior : PosePrior, optional
    lifter : Lifter, optional
        Network whose hypotheses give the depth; the teacher's metric landmarks without it.
    reporter : Reporter

    Returns
    -------
    Fits
        `kept` is True where both residuals are small, the trust in the teacher's trunk is high
        (with a lifter, its expected error is small) and knees and elbows bend naturally.

    Raises
    ------
    InputError
        If the landmarks belong to other people or a target is not finite.
    """
    options = options or (FitOptions() if lifter is None else LIFTED_OPTIONS)
    targets = build_fit_targets(people, teacher, options.trust_torso, options.trust_spread)
    fitter = BodyFitter(body, options, prior, reporter)
    if lifter is not None:
        lifted = lift(lifter, observations(people, teacher))
        best = fit_lifted(fitter, targets, lifted)
        result = evaluate_fit(fitter, best.parameters, best.targets, people)
        expected = best.expected_error(lifted).numpy()
        kept = _fits_closely(body, result) & (expected < _MAX_EXPECTED_ERROR)
        return result.to_fits(body, people, best.targets.depth_trust, kept)
    start = parameters_from_teacher(body, fitter.kinematics, targets)
    found = fitter.optimize(start, targets, options.steps, options.learning_rate, "fit")
    result = evaluate_fit(fitter, found, targets, people)
    trunk = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)][TRUNK].mean(0).numpy()
    kept = _fits_closely(body, result) & (trunk > _MIN_TRUNK_TRUST)
    return result.to_fits(body, people, targets.landmark_trust, kept)


def _fits_closely(body: Body, result: FitResult) -> Mask:
    close = (result.residual_2d < _MAX_RESIDUAL_2D) & (result.residual_3d < _MAX_RESIDUAL_3D)
    return np.asarray(close & bends_naturally(body, result.rotations))
