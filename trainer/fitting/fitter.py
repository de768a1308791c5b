"""Energy of a fit and its optimization.

Priors penalize knees and elbows that bend backwards, deviations of rarely moving joints from rest,
deviations from the mean shape and, with a pose prior, unlikely poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from trainer.body.joint_limits import LIMITS
from trainer.data.base import FACE_NAMES
from trainer.fitting.batched_kinematics import BatchedKinematics, point_rows
from trainer.fitting.parameters import FitParameters
from trainer.fitting.pose_prior import PosePrior
from trainer.fitting.targets import KEYPOINTS, FitTargets

_BLOCK = 1600
"""People optimized together; more do not fit into the CPU's caches."""
_MIN_SCALE = 0.1
"""Camera scale below which the energy rises steeply."""

# factors on the rest weight of joints that rarely move or are not observed
_STIFFNESS = {
    "spine1": 12, "spine2": 12, "spine3": 20, "neck": 10, "head": 10, "left_collar": 20,
    "right_collar": 20, "left_wrist": 8, "right_wrist": 8, "left_hand": 100, "right_hand": 100,
    "left_foot": 100, "right_foot": 100, "left_ankle": 6, "right_ankle": 6,
}  # fmt: skip


@dataclass(frozen=True)
class FitOptions:
    """Weights and widths of the fit; lengths in crop units (half the crop's side) or metres."""

    steps: int = 400
    learning_rate: float = 0.04
    annotated_weight: float = 60.0
    annotated_width: float = 0.12
    face_share: float = 0.5
    """Weight of an annotated point of the face relative to a joint's."""
    teacher_weight: float = 8.0
    teacher_width: float = 0.10
    depth_weight: float = 14.0
    depth_width: float = 0.15
    network_weight: float = 8.0
    """Weight of a network's 3D joints, where the teacher is not trusted."""
    trust_torso: float = 0.35
    """Torso lengths between an annotated joint and the teacher's that halve the limb's trust."""
    trust_spread: float = 0.06
    """Metres between the teacher's two predictions that halve the trust."""
    shape_weight: float = 0.05
    limit_weight: float = 30.0
    rest_weight: float = 0.02
    prior_weight: float = 0.15
    """Weight of the pose prior's negative log-likelihood, if there is a prior."""


LIFTED_OPTIONS = FitOptions(
    steps=150, annotated_weight=80.0, depth_weight=10.0, network_weight=6.0, shape_weight=0.3
)
"""Options of a fit whose depth comes from a lifter: its poses are near, so fewer steps are enough
and the image may weigh more."""


class BodyFitter:
    """Optimizer of thousands of bodies in parallel.

    Parameters
    ----------
    body : Body
    options : FitOptions
    prior : PosePrior, optional
    reporter : Reporter
    """

    def __init__(
        self,
        body: Body,
        options: FitOptions,
        prior: PosePrior | None = None,
        reporter: Reporter = SILENT,
    ) -> None:
        self.body, self.options, self.prior = body, options, prior
        self._reporter = reporter
        self.kinematics = BatchedKinematics(body, point_rows(body))
        names = {name: index - 1 for index, name in enumerate(body.joint_names)}
        free = body.joint_count - 1
        self._limited = [axis * free + names[name] for name, axis, _, _ in LIMITS]
        self._low = torch.tensor([low for _, _, low, _ in LIMITS])[:, None]
        self._high = torch.tensor([high for _, _, _, high in LIMITS])[:, None]
        stiffness = [float(_STIFFNESS.get(name, 1)) for name in body.joint_names[1:]]
        self._stiffness = torch.tensor(stiffness)[:, None]
        weight = [1.0] * len(LSP_NAMES) + [options.face_share] * len(FACE_NAMES)
        self._keypoint_weight = torch.tensor(weight)[:, None]

    def points(self, parameters: FitParameters) -> Tensor:
        """Return key points, then landmarks (3, K + 33, N) m."""
        return self.kinematics.pose(parameters.rotations(), parameters.shape)[0]

    def energy(
        self, parameters: FitParameters, targets: FitTargets, image_weight: float = 1.0
    ) -> Tensor:
        """Return the energy (N,) that a fit minimizes.

        Parameters
        ----------
        parameters : FitParameters
        targets : FitTargets
        image_weight : float
            Factor on the annotation's term.
        """
        options = self.options
        points = self.points(parameters)
        flat = parameters.camera[0] * (points[:2] + parameters.camera[1:, None])
        error = robust(flat[:, :KEYPOINTS] - targets.annotated, options.annotated_width)
        energy = (self._keypoint_weight * targets.annotated_weight * error).sum(0)
        energy = image_weight * options.annotated_weight * energy
        trust = targets.landmark_trust
        error = robust(flat[:, KEYPOINTS:] - targets.landmarks, options.teacher_width)
        energy = energy + options.teacher_weight * (trust * error).sum(0)
        trust = targets.depth_trust
        landmarks = centred_difference(points[:, KEYPOINTS:], targets.world, trust)
        energy = energy + options.depth_weight * (
            trust * robust(landmarks, options.depth_width)
        ).sum(0)
        trust = targets.network_trust
        joints = centred_difference(points[:, : len(LSP_NAMES)], targets.network, trust)
        energy = energy + options.network_weight * (
            trust * robust(joints, options.depth_width)
        ).sum(0)
        return energy + self._prior_energy(parameters)

    def _prior_energy(self, parameters: FitParameters) -> Tensor:
        options = self.options
        flat = parameters.pose.reshape(-1, parameters.pose.shape[-1])
        energy = options.shape_weight * parameters.shape.square().sum(0)
        rest = options.rest_weight
        if self.prior is not None:
            joint_major = parameters.pose.transpose(0, 1).reshape(flat.shape)
            energy = energy + options.prior_weight * self.prior.energy(joint_major)
            rest = rest / 4
        energy = energy + rest * (self._stiffness * parameters.pose.square().sum(0)).sum(0)
        angles = flat[self._limited]
        beyond = (self._low - angles).clamp(min=0) + (angles - self._high).clamp(min=0)
        energy = energy + options.limit_weight * beyond.square().sum(0)
        # a negative scale would fit a mirrored image
        return energy + 100 * (_MIN_SCALE - parameters.camera[0]).clamp(min=0).square()

    def optimize(
        self,
        parameters: FitParameters,
        targets: FitTargets,
        steps: int,
        learning_rate: float,
        detail: str = "",
    ) -> FitParameters:
        """Minimize the energy by Adam with a one-cycle learning rate.

        Parameters
        ----------
        parameters : FitParameters
            Initial values, not modified.
        targets : FitTargets
        steps : int
        learning_rate : float
            Maximum, reached after a tenth of the steps.
        detail : str
            Name for the progress report; no report by default.
        """
        count = parameters.camera.shape[-1]
        blocks = torch.split(torch.arange(count), _BLOCK)
        found = FitParameters(*(tensor.detach().clone() for tensor in parameters.tensors))
        for rows in report_each(blocks, self._reporter, detail) if detail else blocks:
            block = parameters.select(rows)
            self._descend(block, targets.select(rows), steps, learning_rate)
            found.assign(rows, FitParameters(*(tensor.detach() for tensor in block.tensors)))
        return found

    def _descend(
        self, parameters: FitParameters, targets: FitTargets, steps: int, learning_rate: float
    ) -> None:
        for tensor in parameters.tensors:
            tensor.requires_grad_()
        optimizer = torch.optim.Adam(parameters.tensors, lr=learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, learning_rate, total_steps=steps, pct_start=0.1
        )
        for step in range(steps):
            optimizer.zero_grad(set_to_none=True)
            # depth first, so that limbs already bend the right way when the image term grows
            image_weight = min(1.0, 0.2 + 2.0 * step / steps)
            energy = self.energy(parameters, targets, image_weight).sum()
            energy.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()


def robust(difference: Tensor, width: float) -> Tensor:
    """Return the Geman-McClure loss of differences (., K, N): 0..1, one half at `width`."""
    square = difference.square().sum(0)
    return square / (square + width**2)


def centred_difference(points: Tensor, others: Tensor, trust: Tensor) -> Tensor:
    """Return the difference of points (3, K, N) after both are centred, weighted by trust (K, N).

    The hips would be a poor centre: they are the least certain joints of truncated people.
    """
    difference = points - others
    total = trust.sum(0) + 1e-6
    return difference - ((trust * difference).sum(1) / total)[:, None]
