"""Bodies fitted to pictures: pseudo labels from annotated joints and a teacher's landmarks.

Every person of a set is fitted at once: the unknowns are the root's rotation (6D), the other
joints' rotation vectors, the shape and the crop's weak-perspective camera; the kinematics are of
key points only. In the picture the annotated joints win; the teacher's points count as far as its
two runs agree and as far as the annotation bears it out limb by limb; depth comes from the
teacher's metric landmarks under the same trust. Priors keep knees and elbows from bending back,
rarely moving joints near rest, and the shape near the mean.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import vstack
from torch import Tensor

from pymaf_live.atomic import written_whole
from pymaf_live.body import Body, crop_units_from_pixels
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Mask
from trainer.body import (
    PosedPoints,
    Skeleton,
    applied,
    matrix_from_6d,
    matrix_from_axis_angle,
    product,
    projected,
    six_from_matrix,
)
from trainer.data.lspet import JointSet, torso_length
from trainer.joint_limits import LIMITS
from trainer.landmarker import LSP as LSP_LANDMARKS
from trainer.landmarker import SIZE
from trainer.progress import followed
from trainer.teacher import Teaching

# which LSP joint (row of the 12 limb joints) vouches for each of BlazePose's 33 landmarks:
# the face by the shoulders' middle, hands by the wrist, feet by the ankle
_VOUCHER = (
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 9, 8, 10, 7, 11, 6, 11, 6, 11, 6, 11, 6, 3, 2, 4,
    1, 5, 0, 5, 0, 5, 0,
)  # fmt: skip


@dataclass(frozen=True)
class FitOptions:
    """Weights and widths of the fit; lengths in crop units (half the crop's side) or metres."""

    steps: int = 400
    learning_rate: float = 0.04
    annotated_weight: float = 60.0
    annotated_width: float = 0.12
    teacher_weight: float = 8.0
    teacher_width: float = 0.10
    depth_weight: float = 14.0
    depth_width: float = 0.15
    trust_torso: float = 0.35
    """An annotated joint this many torso lengths from the teacher's halves the limb's trust."""
    trust_spread: float = 0.06
    """Metres between the teacher's two runs that halve the trust."""
    shape_weight: float = 0.05
    limit_weight: float = 30.0
    rest_weight: float = 0.02


@dataclass(frozen=True)
class Fits:
    """Fitted bodies of N persons in the frames of their annotated crops."""

    rotations: Array
    """(N, J, 3, 3)"""
    shape: Array
    """(N, S)"""
    camera: Array
    """(N, 3) s, tx, ty in crop units."""
    frame_from_crop: Array
    """(N, 2, 3) of crops of 256 pixels."""
    joint_trust: Array
    """(N, J) 0..1 how far a joint's place in depth is known."""
    residual_2d: Array
    """(N,) mean distance to the annotated joints, crop units."""
    residual_torso: Array
    """(N,) share of annotated limb joints within 0.2 torso lengths; NaN without a torso."""
    residual_3d: Array
    """(N,) trust-weighted mean distance to the teacher's limb landmarks, m."""
    residual_3d_all: Array
    """(N,) the same, all weighted alike."""
    kept: Mask
    """(N,) whether the fit is good enough to learn rotations from."""


_MOST_BENT_BACK = 0.2

# joints that move seldom or that nothing here observes are drawn to rest this many times harder
_STIFFNESS = {
    "spine1": 12, "spine2": 12, "spine3": 20, "neck": 10, "head": 10, "left_collar": 20,
    "right_collar": 20, "left_wrist": 8, "right_wrist": 8, "left_hand": 100, "right_hand": 100,
    "left_foot": 100, "right_foot": 100, "left_ankle": 6, "right_ankle": 6,
}  # fmt: skip


@dataclass(frozen=True)
class _Evidence:
    """What the fit is held to, as tensors; N persons."""

    annotated: Tensor
    annotated_weight: Tensor
    landmarks: Tensor
    landmark_trust: Tensor
    world: Tensor


def fit(
    body: Body, joint_set: JointSet, teaching: Teaching, options: FitOptions | None = None
) -> Fits:
    """Fit every person of a joint set.

    Parameters
    ----------
    body : Body
    joint_set : JointSet
        N persons with LSP's 14 joints.
    teaching : Teaching
        The teacher's landmarks of the same persons.
    options : FitOptions, optional

    Returns
    -------
    Fits
    """
    options = options or FitOptions()
    evidence = _gather_evidence(joint_set, teaching, options)
    people = _People(body)
    unknowns = people.start(evidence)
    everything = [unknowns.root, unknowns.pose, unknowns.shape, unknowns.camera]
    optimiser = torch.optim.Adam(everything, lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=options.steps, pct_start=0.1
    )
    for step in followed(range(options.steps), "fit"):
        optimiser.zero_grad(set_to_none=True)
        # depth first, so that the picture pulls limbs that are already on the right side
        picture = min(1.0, 0.2 + 2.0 * step / options.steps)
        loss = people.loss(unknowns, evidence, options, picture)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return _judged(people, unknowns, evidence, joint_set, teaching)


@dataclass
class _Unknowns:
    root: Tensor
    pose: Tensor
    shape: Tensor
    camera: Tensor


class _People:
    """The body's kinematics and priors for the fit."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.skeleton = Skeleton(body)
        rows = vstack([body.keypoint_rows("lsp"), body.keypoint_rows("blazepose")]).tocsr()
        self.points = PosedPoints(body, rows)
        self.annotated = len(body.keypoint_sets["lsp"])
        names = {name: index - 1 for index, name in enumerate(body.joint_names)}
        index = torch.tensor([names[name] * 3 + axis for name, axis, _, _ in LIMITS])
        self.limited = index
        self.low = torch.tensor([low for _, _, low, _ in LIMITS])
        self.high = torch.tensor([high for _, _, _, high in LIMITS])
        stiffness = [float(_STIFFNESS.get(name, 1)) for name in body.joint_names[1:]]
        self.stiffness = torch.tensor(stiffness)[:, None]

    def rotations(self, unknowns: _Unknowns) -> Tensor:
        root = matrix_from_6d(unknowns.root)
        return torch.cat([root[:, None], matrix_from_axis_angle(unknowns.pose)], dim=1)

    def posed(self, unknowns: _Unknowns) -> Tensor:
        rotations = self.rotations(unknowns)
        rest = self.skeleton.rest(unknowns.shape)
        world, places = self.skeleton(rotations, rest)
        posed: Tensor = self.points(world, places, rest, unknowns.shape)
        return posed

    def loss(
        self, unknowns: _Unknowns, evidence: _Evidence, options: FitOptions, picture: float
    ) -> Tensor:
        points = self.posed(unknowns)
        flat = projected(points, unknowns.camera)
        annotated = flat[:, : self.annotated] - evidence.annotated
        landmarks = flat[:, self.annotated :] - evidence.landmarks
        body_landmarks = points[:, self.annotated :]
        hips = (body_landmarks[:, 23:24] + body_landmarks[:, 24:25]) / 2
        depth = body_landmarks - hips - evidence.world
        loss = (
            picture
            * options.annotated_weight
            * (evidence.annotated_weight * _robust(annotated, options.annotated_width)).sum()
        )
        loss = (
            loss
            + options.teacher_weight
            * (evidence.landmark_trust * _robust(landmarks, options.teacher_width)).sum()
        )
        loss = (
            loss
            + options.depth_weight
            * (evidence.landmark_trust * _robust(depth, options.depth_width)).sum()
        )
        loss = loss + options.shape_weight * (unknowns.shape**2).sum()
        loss = loss + options.rest_weight * (self.stiffness * unknowns.pose**2).sum()
        angles = unknowns.pose.flatten(1)[:, self.limited]
        beyond = (self.low - angles).clamp(min=0) + (angles - self.high).clamp(min=0)
        loss = loss + options.limit_weight * (beyond**2).sum()
        # a person of negative size fits a mirrored picture
        return loss + 100 * (0.1 - unknowns.camera[:, 0]).clamp(min=0).square().sum()

    def start(self, evidence: _Evidence) -> _Unknowns:
        """Root from the teacher's hip and shoulder axes, limbs swung along its bones."""
        world = evidence.world
        across = (world[:, 23] - world[:, 24]) + (world[:, 11] - world[:, 12])
        up = (world[:, 11] + world[:, 12]) - (world[:, 23] + world[:, 24])
        x = torch.nn.functional.normalize(across, dim=-1)
        y = torch.nn.functional.normalize(up - (up * x).sum(-1, keepdim=True) * x, dim=-1)
        z = torch.linalg.cross(x, y)
        root = torch.stack([x, y, z], dim=-1)
        pose = self._swung_limbs(root, world)
        shape = torch.zeros(len(world), self.body.shape_count)
        unknowns = _Unknowns(six_from_matrix(root), pose, shape, torch.zeros(len(world), 3))
        points = self.posed(unknowns)
        unknowns.camera = _placed(points[:, self.annotated :, :2], evidence)
        for part in (unknowns.root, unknowns.pose, unknowns.shape, unknowns.camera):
            part.requires_grad_()
        return unknowns

    def _swung_limbs(self, root: Tensor, world: Tensor) -> Tensor:
        names = list(self.body.joint_names)
        rest = self.skeleton.mean
        pose = torch.zeros(len(root), len(names) - 1, 3)
        limbs = (
            ("left_hip", "left_knee", "left_ankle", 23, 25, 27),
            ("right_hip", "right_knee", "right_ankle", 24, 26, 28),
            ("left_shoulder", "left_elbow", "left_wrist", 11, 13, 15),
            ("right_shoulder", "right_elbow", "right_wrist", 12, 14, 16),
        )
        for first, second, third, a, b, c in limbs:
            j1, j2, j3 = (names.index(name) for name in (first, second, third))
            seen = applied(root.transpose(1, 2), world[:, b] - world[:, a])
            upper = _swing((rest[j2] - rest[j1]).expand_as(seen), seen)
            pose[:, j1 - 1] = upper
            frame = product(root, matrix_from_axis_angle(upper))
            seen = applied(frame.transpose(1, 2), world[:, c] - world[:, b])
            bend = _swing((rest[j3] - rest[j2]).expand_as(seen), seen)
            pose[:, j2 - 1] = self._hinged(bend, j2)
        return pose

    def _hinged(self, bend: Tensor, joint: int) -> Tensor:
        """Keep only a bend's angle, about the hinge and the way it may go."""
        angle = bend.norm(dim=-1)
        hinged = torch.zeros_like(bend)
        name = self.body.joint_names[joint]
        axis, sign = (0, 1.0) if name.endswith("knee") else (1, -1.0 if "left" in name else 1.0)
        hinged[:, axis] = sign * angle.clamp(max=2.4)
        return hinged


def _robust(difference: Tensor, width: float) -> Tensor:
    """Geman-McClure of a distance: quadratic within `width`, level beyond it."""
    square = (difference**2).sum(-1)
    return square / (square + width**2)


def _swing(from_direction: Tensor, to_direction: Tensor) -> Tensor:
    """Shortest rotation vector that turns one direction to another."""
    a = torch.nn.functional.normalize(from_direction, dim=-1)
    b = torch.nn.functional.normalize(to_direction, dim=-1)
    axis = torch.linalg.cross(a, b)
    angle = torch.atan2(axis.norm(dim=-1), (a * b).sum(-1))
    return torch.nn.functional.normalize(axis, dim=-1) * angle[:, None]


def _placed(points: Tensor, evidence: _Evidence) -> Tensor:
    """Camera s, tx, ty by least squares of points (N, 33, 2) on the teacher's landmarks."""
    weight = evidence.landmark_trust[..., None] + 1e-3
    total = weight.sum(1, keepdim=True)
    middle = (weight * points).sum(1, keepdim=True) / total
    target = (weight * evidence.landmarks).sum(1, keepdim=True) / total
    near, far = points - middle, evidence.landmarks - target
    scale = (weight * near * far).sum((1, 2)) / (weight * near * near).sum((1, 2))
    scale = scale.clamp(min=0.3)
    shift = target[:, 0] / scale[:, None] - middle[:, 0]
    return torch.cat([scale[:, None], shift], dim=-1)


def _gather_evidence(joint_set: JointSet, teaching: Teaching, options: FitOptions) -> _Evidence:
    joints = joint_set.joints
    inverse = np.linalg.inv(teaching.frame_from_crop[:, :, :2])
    in_crop = np.einsum(
        "nab,nkb->nka", inverse, joints[:, :, :2] - teaching.frame_from_crop[:, None, :, 2]
    )
    annotated = crop_units_from_pixels(in_crop, SIZE)
    landmarks = crop_units_from_pixels(teaching.points, SIZE)
    trust = _landmark_trust(joints, in_crop, teaching, options)
    # slips of the annotators' hands are left to the robust width, so every joint counts alike
    weight = (joints[:, :, 2] > 0).astype(np.float64)
    world = teaching.world - teaching.world[:, 23:25].mean(axis=1, keepdims=True)
    as_tensor = [annotated, weight, landmarks, trust, world]
    return _Evidence(*(torch.tensor(a, dtype=torch.float32) for a in as_tensor))


def _landmark_trust(
    joints: Array, in_crop: Array, teaching: Teaching, options: FitOptions
) -> Array:
    """How far each of the teacher's landmarks is to be believed, (N, 33) 0..1."""
    agree = 1 / (1 + (teaching.spread_3d / options.trust_spread) ** 2)
    torso = torso_length(joints)
    known = np.isfinite(torso)
    scale = np.hypot(teaching.frame_from_crop[:, 0, 0], teaching.frame_from_crop[:, 1, 0])
    # where the torso is not annotated: its usual share of the crop
    torso_crop = np.where(known, np.nan_to_num(torso) / scale, SIZE * 0.17)
    torso_crop = np.maximum(torso_crop, SIZE * 0.08)
    error = np.linalg.norm(teaching.points[:, list(LSP_LANDMARKS)] - in_crop[:, :12], axis=-1)
    borne = 1 / (1 + (error / (options.trust_torso * torso_crop[:, None])) ** 2)
    borne = np.where(joints[:, :12, 2] > 0, borne, np.nan)
    trunk = np.nanmean(np.where(np.isnan(borne), 0.5, borne)[:, [2, 3, 8, 9]], axis=1)
    borne = np.where(np.isnan(borne), trunk[:, None], borne)
    by_landmark = np.stack(
        [trunk if voucher < 0 else borne[:, voucher] for voucher in _VOUCHER], axis=1
    )
    # a limb hangs on the trunk: where the trunk is turned the wrong way its depths are wrong too
    return np.asarray(agree * by_landmark * np.sqrt(trunk[:, None]))


def _judged(
    people: _People,
    unknowns: _Unknowns,
    evidence: _Evidence,
    joint_set: JointSet,
    teaching: Teaching,
) -> Fits:
    with torch.no_grad():
        points = people.posed(unknowns)
        flat = projected(points, unknowns.camera)[:, : people.annotated]
        rotations = people.rotations(unknowns)
    distance = (flat - evidence.annotated).norm(dim=-1).numpy()
    weight = evidence.annotated_weight.numpy()
    residual_2d = (distance * weight).sum(1) / np.maximum(weight.sum(1), 1)
    scale = np.hypot(teaching.frame_from_crop[:, 0, 0], teaching.frame_from_crop[:, 1, 0])
    torso_units = torso_length(joint_set.joints) / scale / (SIZE / 2)
    with np.errstate(invalid="ignore"):
        inside = distance[:, :12] < 0.2 * torso_units[:, None]
    limb = weight[:, :12]
    share = (inside * limb).sum(1) / np.maximum(limb.sum(1), 1)
    residual_torso = np.where(np.isfinite(torso_units), share, np.nan)

    body_landmarks = points[:, people.annotated :]
    hips = (body_landmarks[:, 23:24] + body_landmarks[:, 24:25]) / 2
    depth = (body_landmarks - hips - evidence.world).norm(dim=-1).numpy()[:, list(LSP_LANDMARKS)]
    trust = evidence.landmark_trust.numpy()[:, list(LSP_LANDMARKS)]
    weighted = (depth * trust).sum(1) / np.maximum(trust.sum(1), 1e-6)
    trunk_trust = trust[:, [2, 3, 8, 9]].mean(1)
    natural = bends_naturally(people.body, rotations.numpy())
    kept = (residual_2d < 0.10) & (weighted < 0.20) & (trunk_trust > 0.25) & natural
    return Fits(
        rotations=rotations.numpy(),
        shape=unknowns.shape.detach().numpy(),
        camera=unknowns.camera.detach().numpy(),
        frame_from_crop=teaching.frame_from_crop,
        joint_trust=_joint_trust(people.body, evidence.landmark_trust.numpy()),
        residual_2d=residual_2d,
        residual_torso=residual_torso,
        residual_3d=weighted,
        residual_3d_all=depth.mean(1),
        kept=kept,
    )


def bends_naturally(body: Body, rotations: Array) -> Mask:
    """Whether no knee or elbow of rotations (N, J, 3, 3) is bent back past 0.2 rad, (N,)."""
    names, natural = list(body.joint_names), np.ones(len(rotations), bool)
    for name, axis, way in (
        ("left_knee", 0, 1), ("right_knee", 0, 1), ("left_elbow", 1, -1), ("right_elbow", 1, 1),
    ):  # fmt: skip
        angle = way * axis_angle_from_matrix(rotations[:, names.index(name)])[:, axis]
        natural &= angle > -_MOST_BENT_BACK
    return natural


def _joint_trust(body: Body, trust: Array) -> Array:
    """Trust of each of the body's joints (N, J): of the landmarks at the ends of its bone."""
    side = {"left": 0, "right": 1}
    ends = {
        "hip": (23, 25), "knee": (25, 27), "ankle": (27, 31), "foot": (31, 31),
        "shoulder": (11, 13), "elbow": (13, 15), "wrist": (15, 19), "hand": (19, 19),
        "collar": (11, 11),
    }  # fmt: skip
    columns = []
    for name in body.joint_names:
        word, _, part = name.partition("_")
        if part in ends:
            first, second = (landmark + side[word] for landmark in ends[part])
            columns.append(np.sqrt(trust[:, first] * trust[:, second]))
        else:
            columns.append(trust[:, [11, 12, 23, 24]].mean(1))
    return np.stack(columns, axis=1)


def write_fits(path: Path, fits: Fits) -> None:
    """Keep fits in an npz (no pickle)."""
    with written_whole(path) as temporary:
        arrays = {name: np.asarray(a) for name, a in asdict(fits).items()}
        small: dict[str, Any] = {
            k: a if a.dtype == bool else a.astype(np.float32) for k, a in arrays.items()
        }
        np.savez_compressed(temporary, **small)


def read_fits(path: Path, count: int) -> Fits:
    """Read kept fits of `count` persons.

    Raises
    ------
    InputError
        If there is no such file or it is of another set.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            fits = Fits(**{field.name: file[field.name] for field in fields(Fits)})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} holds no fits: {error}") from error
    if len(fits.kept) != count:
        raise InputError(f"{path} is of {len(fits.kept)} persons, the set has {count}")
    return fits


def describe(fits: Fits) -> str:
    """The residuals as a few lines of text."""
    kept = fits.kept

    def line(name: str, values: Array, unit: str, scale: float) -> str:
        return (
            f"{name}: all {scale * np.nanmean(values):.1f} {unit} "
            f"(median {scale * np.nanmedian(values):.1f}), "
            f"kept {scale * np.nanmean(values[kept]):.1f} {unit}"
        )

    return "\n".join(
        [
            f"{len(kept)} people, {int((~kept).sum())} left out ({100 * (~kept).mean():.1f} %)",
            line("2D to the annotation, of half the crop", fits.residual_2d, "%", 100),
            line("annotated limb joints within 0.2 torso", fits.residual_torso, "%", 100),
            line("3D to the teacher, weighted by trust", fits.residual_3d, "cm", 100),
            line("3D to the teacher, all limb joints alike", fits.residual_3d_all, "cm", 100),
        ]
    )
