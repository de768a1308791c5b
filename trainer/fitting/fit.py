"""Bodies fitted to pictures: pseudo labels from annotated joints and a teacher's landmarks.

Every person of a set is fitted on its own, thousands side by side: the unknowns are the root's
rotation (two columns), the other joints' rotation vectors, the shape and the crop's
weak-perspective camera; the kinematics are of key points only. What a fit is held to is in
`trainer.fitting.targets`. Priors keep knees and elbows from bending back, rarely moving joints
near rest, the shape near the mean and, where one is given, the pose among those that people take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import vstack
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS, LSP_NAMES
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.types import Array, Mask
from trainer.body.blazepose_landmarker import LANDMARKS, SIZE
from trainer.body.joint_limits import LIMITS
from trainer.data.base import FACE_NAMES
from trainer.data.fits import Fits, bends_naturally
from trainer.fitting.batched_kinematics import BatchedKinematics, root_columns, rotation_columns
from trainer.fitting.limb_geometry import Limb, limb_rotations
from trainer.fitting.pose_prior import PosePrior
from trainer.fitting.targets import LIMBS, TRUNK, CropAnnotations, FitTargets, build_fit_targets
from trainer.fitting.teacher import TeacherLandmarks

_AT_ONCE = 1600
"""People side by side: more fall out of the CPU's caches."""

_KNOWN = len(LSP_NAMES) + len(FACE_NAMES)
_LEAST_SCALE = 0.1

# joints that move seldom or that nothing here observes are drawn to rest this many times harder
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
    """Weight of an annotated point of the face beside a joint's."""
    teacher_weight: float = 8.0
    teacher_width: float = 0.10
    depth_weight: float = 14.0
    depth_width: float = 0.15
    network_weight: float = 8.0
    """Of a network's joints in 3D, where the teacher is not to be believed."""
    trust_torso: float = 0.35
    """An annotated joint this many torso lengths from the teacher's halves the limb's trust."""
    trust_spread: float = 0.06
    """Metres between the teacher's two runs that halve the trust."""
    shape_weight: float = 0.05
    limit_weight: float = 30.0
    rest_weight: float = 0.02
    prior_weight: float = 0.15
    """Of the pose prior's negative log-likelihood, where there is a prior."""


@dataclass
class FitParameters:
    """What is fitted, one person a column."""

    root: Tensor
    """(2, 3, N) the first two columns of the root's rotation, not yet at right angles."""
    pose: Tensor
    """(3, J - 1, N) rotation vectors."""
    shape: Tensor
    """(S, N)"""
    camera: Tensor
    """(3, N)"""

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All four."""
        return self.root, self.pose, self.shape, self.camera

    def of(self, rows: Tensor) -> FitParameters:
        """Those of some people, as new tensors."""
        return FitParameters(*(part[..., rows].clone() for part in self.parts))

    def put(self, rows: Tensor, others: FitParameters) -> None:
        """Take over some people's."""
        for part, other in zip(self.parts, others.parts, strict=True):
            part[..., rows] = other


def fit(
    body: Body,
    people: CropAnnotations,
    teacher: TeacherLandmarks,
    options: FitOptions | None = None,
    prior: PosePrior | None = None,
    reporter: Reporter = SILENT,
) -> Fits:
    """Fit every person of a set, starting from the teacher's landmarks.

    Parameters
    ----------
    body : Body
    people : Annotated
        N people.
    teacher : TeacherLandmarks
        The teacher's landmarks of the same people.
    options : FitOptions, optional
    prior : PosePrior, optional
    reporter : Reporter

    Returns
    -------
    Fits

    Raises
    ------
    InputError
        If the landmarks are of other people, or something is not finite.
    """
    options = options or FitOptions()
    targets = build_fit_targets(people, teacher, options.trust_torso, options.trust_spread)
    fitter = BodyFitter(body, options, prior, reporter)
    parameters = fitter.start(targets)
    parameters = fitter.optimize(parameters, targets, options.steps, options.learning_rate, "fit")
    measured = fitter.measured(parameters, targets, people)
    kept = (measured.residual_2d < 0.10) & (measured.residual_3d < 0.20)
    trunk = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)][TRUNK].mean(0).numpy()
    kept &= (trunk > 0.25) & bends_naturally(body, measured.rotations)
    return fitter.fits(measured, people, targets.landmark_trust, kept)


@dataclass(frozen=True)
class FitResult:
    """Fitted bodies and how they miss what they were held to; N people."""

    rotations: Array
    shape: Array
    camera: Array
    residual_2d: Array
    residual_torso: Array
    residual_3d: Array
    residual_3d_all: Array


class BodyFitter:
    """The kinematics, energy and descent of a fit.

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
        faces = body.keypoint_rows("coco")[: len(FACE_NAMES)]
        rows = vstack([body.keypoint_rows("lsp"), faces, body.keypoint_rows("blazepose")])
        self.kinematics = BatchedKinematics(body, rows.tocsr())
        self.limbs = Limb.all_of(body)
        names = {name: index - 1 for index, name in enumerate(body.joint_names)}
        free = body.joint_count - 1
        self.limited = [axis * free + names[name] for name, axis, _, _ in LIMITS]
        self.low = torch.tensor([low for _, _, low, _ in LIMITS])[:, None]
        self.high = torch.tensor([high for _, _, _, high in LIMITS])[:, None]
        stiffness = [float(_STIFFNESS.get(name, 1)) for name in body.joint_names[1:]]
        self.stiffness = torch.tensor(stiffness)[:, None]
        weight = [1.0] * len(LSP_NAMES) + [options.face_share] * len(FACE_NAMES)
        self.share = torch.tensor(weight)[:, None]

    def rotations(self, parameters: FitParameters) -> Tensor:
        """(3, 3, J, N)"""
        return torch.cat([root_columns(parameters.root), rotation_columns(parameters.pose)], dim=2)

    def points(self, parameters: FitParameters) -> Tensor:
        """(3, K + L, N) m: the key points, then the landmarks."""
        return self.kinematics.pose(self.rotations(parameters), parameters.shape)[0]

    def energy(
        self, parameters: FitParameters, targets: FitTargets, picture: float = 1.0
    ) -> Tensor:
        """(N,) what a fit makes small; `picture` scales the annotation's part."""
        options = self.options
        points = self.points(parameters)
        flat = parameters.camera[0] * (points[:2] + parameters.camera[1:, None])
        missed = _robust(flat[:, :_KNOWN] - targets.annotated, options.annotated_width)
        energy = (self.share * targets.annotated_weight * missed).sum(0)
        energy = picture * options.annotated_weight * energy
        trust = targets.landmark_trust
        missed = _robust(flat[:, _KNOWN:] - targets.landmarks, options.teacher_width)
        energy = energy + options.teacher_weight * (trust * missed).sum(0)
        depth = _robust(_beside(points[:, _KNOWN:], targets.world, trust), options.depth_width)
        energy = energy + options.depth_weight * (trust * depth).sum(0)
        trust = targets.network_trust
        joints = _beside(points[:, : len(LSP_NAMES)], targets.network, trust)
        joints = _robust(joints, options.depth_width)
        energy = energy + options.network_weight * (trust * joints).sum(0)
        return energy + self._prior(parameters)

    def _prior(self, parameters: FitParameters) -> Tensor:
        options = self.options
        flat = parameters.pose.reshape(-1, parameters.pose.shape[-1])
        energy = options.shape_weight * parameters.shape.square().sum(0)
        rest = options.rest_weight
        if self.prior is not None:
            joint_major = parameters.pose.transpose(0, 1).reshape(flat.shape)
            energy = energy + options.prior_weight * self.prior.energy(joint_major)
            rest = rest / 4
        energy = energy + rest * (self.stiffness * parameters.pose.square().sum(0)).sum(0)
        angles = flat[self.limited]
        beyond = (self.low - angles).clamp(min=0) + (angles - self.high).clamp(min=0)
        energy = energy + options.limit_weight * beyond.square().sum(0)
        # a person of negative size fits a mirrored picture
        return energy + 100 * (_LEAST_SCALE - parameters.camera[0]).clamp(min=0).square()

    def optimize(
        self,
        parameters: FitParameters,
        targets: FitTargets,
        steps: int,
        rate: float,
        what: str = "",
    ) -> FitParameters:
        """Go down the energy by Adam, the rate rising for a tenth of the way, then falling."""
        count = parameters.camera.shape[-1]
        blocks = torch.split(torch.arange(count), _AT_ONCE)
        found = FitParameters(*(part.detach().clone() for part in parameters.parts))
        for rows in report_each(blocks, self._reporter, what) if what else blocks:
            some, held = parameters.of(rows), targets.of(rows)
            for part in some.parts:
                part.requires_grad_()
            optimiser = torch.optim.Adam(some.parts, lr=rate)
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimiser, rate, total_steps=steps, pct_start=0.1
            )
            for step in range(steps):
                optimiser.zero_grad(set_to_none=True)
                # depth first, so that the picture pulls limbs already on the right side
                picture = min(1.0, 0.2 + 2.0 * step / steps)
                self.energy(some, held, picture).sum().backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
            found.put(rows, FitParameters(*(part.detach() for part in some.parts)))
        return found

    def start(self, targets: FitTargets) -> FitParameters:
        """Root from the teacher's hip and shoulder axes, limbs along its bones."""
        world = targets.world.permute(2, 1, 0)
        across = (world[:, 23] - world[:, 24]) + (world[:, 11] - world[:, 12])
        up = (world[:, 11] + world[:, 12]) - (world[:, 23] + world[:, 24])
        x = torch.nn.functional.normalize(across, dim=-1)
        y = torch.nn.functional.normalize(up - (up * x).sum(-1, keepdim=True) * x, dim=-1)
        root = torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)
        pose = torch.zeros(len(world), self.body.joint_count - 1, 3)
        for limb, (a, b, c) in zip(
            self.limbs, ((23, 25, 27), (24, 26, 28), (11, 13, 15), (12, 14, 16)), strict=True
        ):
            self._point(limb, pose, root, world[:, b] - world[:, a], world[:, c] - world[:, b])
        parameters = self._unknowns(root, pose, torch.zeros(len(world), self.body.shape_count))
        parameters.camera = _placed(self.points(parameters)[:2, _KNOWN:], targets)
        return parameters

    def _point(
        self, limb: Limb, pose: Tensor, parent: Tensor, upper: Tensor, lower: Tensor
    ) -> None:
        rest = self.kinematics.rest_mean.T
        first, second = limb_rotations(limb, rest, parent, upper, lower)
        pose[:, limb.first - 1] = _rotation_vector(first)
        pose[:, limb.second - 1] = second

    def _unknowns(self, root: Tensor, pose: Tensor, shape: Tensor) -> FitParameters:
        """From (N, 3, 3), (N, J - 1, 3) and (N, S); the camera is left open."""
        columns = root[:, :, :2].permute(2, 1, 0).contiguous()
        flat = pose.permute(2, 1, 0).contiguous()
        return FitParameters(columns, flat, shape.T.contiguous(), torch.zeros(3, len(root)))

    def from_bodies(self, rotations: Array, shape: Array, camera: Array) -> FitParameters:
        """From bodies (N, J, 3, 3), (N, S) and cameras (N, 3).

        Raises
        ------
        InputError
            If they are not of this body or not finite.
        """
        joints, count = self.body.joint_count, len(rotations)
        sizes = (count, joints, 3, 3), (count, self.body.shape_count), (count, 3)
        for what, size in zip((rotations, shape, camera), sizes, strict=True):
            if what.shape != size or not np.isfinite(what).all():
                raise InputError(f"a start of {what.shape} is not {size} or not finite")
        vectors = axis_angle_from_matrix(rotations[:, 1:])
        tensors = [torch.tensor(a, dtype=torch.float32) for a in (rotations[:, 0], vectors, shape)]
        parameters = self._unknowns(*tensors)
        parameters.camera = torch.tensor(camera.T.copy(), dtype=torch.float32)
        return parameters

    def depth_alternatives(self, parameters: FitParameters) -> list[FitParameters]:
        """Every limb's other readings of the same picture, one limb changed at a time: twelve."""
        with torch.no_grad():
            rotations = self.rotations(parameters)
            _, world, places = self.kinematics.pose(rotations, parameters.shape)
        world, places = world.permute(3, 2, 0, 1), places.permute(2, 1, 0)
        mirror = torch.tensor([1.0, 1.0, -1.0])
        readings = []
        for limb in self.limbs:
            upper = places[:, limb.second] - places[:, limb.first]
            lower = places[:, limb.third] - places[:, limb.second]
            for turn_upper, turn_lower in ((True, False), (False, True), (True, True)):
                reading = FitParameters(*(part.clone() for part in parameters.parts))
                pose = reading.pose.permute(2, 1, 0)
                self._point(
                    limb,
                    pose,
                    world[:, limb.parent],
                    upper * mirror if turn_upper else upper,
                    lower * mirror if turn_lower else lower,
                )
                readings.append(reading)
        return readings

    def measured(
        self, parameters: FitParameters, targets: FitTargets, people: CropAnnotations
    ) -> FitResult:
        """How fitted bodies miss the annotation and the teacher."""
        with torch.no_grad():
            points = self.points(parameters)
            flat = parameters.camera[0] * (points[:2, :_KNOWN] + parameters.camera[1:, None])
            rotations = self.rotations(parameters).permute(3, 2, 0, 1).contiguous()
        distance = (flat - targets.annotated).norm(dim=0).T.numpy()
        known = (targets.annotated_weight > 0).T.numpy()
        joints = slice(0, len(LSP_NAMES))
        count = np.maximum(known[:, joints].sum(1), 1)
        residual_2d = (distance * known)[:, joints].sum(1) / count
        torso = people.torso_pixels() / (SIZE / 2)
        with np.errstate(invalid="ignore"):
            inside = distance[:, :LIMBS] < 0.2 * torso[:, None]
        limb = known[:, :LIMBS]
        share = (inside & limb).sum(1) / np.maximum(limb.sum(1), 1)
        limbs = list(BLAZEPOSE_LSP_LIMBS)
        landmarks = points[:, _KNOWN:]
        hips = landmarks[:, 23:25].mean(1, keepdim=True)
        hips_taught = targets.world[:, 23:25].mean(1, keepdim=True)
        depth = (landmarks - hips - targets.world + hips_taught).norm(dim=0)[limbs].T.numpy()
        trust = targets.landmark_trust[limbs].T.numpy()
        return FitResult(
            rotations=rotations.numpy(),
            shape=parameters.shape.T.numpy(),
            camera=parameters.camera.T.numpy(),
            residual_2d=residual_2d,
            residual_torso=np.where(np.isfinite(torso), share, np.nan),
            residual_3d=(depth * trust).sum(1) / np.maximum(trust.sum(1), 1e-6),
            residual_3d_all=depth.mean(1),
        )

    def fits(self, measured: FitResult, people: CropAnnotations, trust: Tensor, kept: Mask) -> Fits:
        """As they are kept; `trust` (33, N) of the landmarks."""
        return Fits(
            rotations=measured.rotations,
            shape=measured.shape,
            camera=measured.camera,
            frame_from_crop=people.frame_from_crop,
            joint_trust=_joint_trust(self.body, trust.T.numpy()),
            residual_2d=measured.residual_2d,
            residual_torso=measured.residual_torso,
            residual_3d=measured.residual_3d,
            residual_3d_all=measured.residual_3d_all,
            kept=np.asarray(kept, dtype=bool),
        )


def _robust(difference: Tensor, width: float) -> Tensor:
    """Geman-McClure of distances (., K, N): quadratic within `width`, level beyond it."""
    square = difference.square().sum(0)
    return square / (square + width**2)


def _beside(points: Tensor, others: Tensor, trust: Tensor) -> Tensor:
    """Difference of points (3, K, N) when both lie about the same middle, by trust (K, N).

    Not about the hips: of people who are cut off they are the least known.
    """
    difference = points - others
    total = trust.sum(0) + 1e-6
    return difference - ((trust * difference).sum(1) / total)[:, None]


def _rotation_vector(matrices: Tensor) -> Tensor:
    vectors = axis_angle_from_matrix(matrices.numpy().astype(np.float64))
    return torch.tensor(vectors, dtype=torch.float32)


def _placed(points: Tensor, targets: FitTargets) -> Tensor:
    """Camera s, tx, ty (3, N) by least squares of points (2, 33, N) on the teacher's landmarks."""
    weight = targets.landmark_trust + 1e-3
    total = weight.sum(0)
    middle = (weight * points).sum(1) / total
    target = (weight * targets.landmarks).sum(1) / total
    near, far = points - middle[:, None], targets.landmarks - target[:, None]
    scale = (weight * near * far).sum((0, 1)) / (weight * near * near).sum((0, 1))
    scale = scale.clamp(min=0.3)
    return torch.cat([scale[None], target / scale - middle])


def _joint_trust(body: Body, trust: Array) -> Array:
    """Trust of each of the body's joints (N, J): of the landmarks at the ends of its bone."""
    side = {"left": 0, "right": 1}
    ends = {
        "hip": (23, 25), "knee": (25, 27), "ankle": (27, 31), "foot": (31, 31),
        "shoulder": (11, 13), "elbow": (13, 15), "wrist": (15, 19), "hand": (19, 19),
        "collar": (11, 11),
    }  # fmt: skip
    if trust.shape[1] != LANDMARKS:
        raise InputError(f"trust {trust.shape} is not of {LANDMARKS} landmarks")
    columns = []
    for name in body.joint_names:
        word, _, part = name.partition("_")
        if part in ends:
            first, second = (landmark + side[word] for landmark in ends[part])
            columns.append(np.sqrt(trust[:, first] * trust[:, second]))
        else:
            columns.append(trust[:, [11, 12, 23, 24]].mean(1))
    return np.stack(columns, axis=1)
