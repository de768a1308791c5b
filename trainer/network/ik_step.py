"""Learned inverse kinematics: one step of a body towards the encoder's landmarks.

The error at each landmark acts as a force on the body's point. Summed over all points that a joint
carries, the forces yield the joint's torque, which is the negative gradient of the squared errors
with respect to a small rotation about that joint. Divided by the moment of inertia it is the
rotation that would be best if that joint were the only one to move. The weight of each landmark, in
the image and in depth, and the share of its rotation that each joint takes are learned, once for
all people and once more per person from the regressor's hidden layer: gradient descent with learned
steps, as in Song, Chen and Hilliges, 'Human body model fitting by learned gradient descent' (ECCV
2020), but with the steepest direction computed and not predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body, PointSet
from trainer.network.kinematic_chain import orthonormalized, pose_from_columns

_TRUST_WIDTH = 64
_TRUST_RANGE = 2.0
"""Log of the largest factor that a person's trust puts on a landmark's weight."""
_INITIAL_GATE = 0.3
_INITIAL_DAMPING = -4.0
_MIN_SCALE = 0.2
"""Crop units a metre; crops of the crop rule have 0.6 and more."""
_MIN_SPREAD = 1e-4
_SCALE_RANGE = (0.1, 4.0)

# a vector t times this is the flat matrix that maps the row v to t x v
_CROSS_PRODUCT = [
    [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0],
    [0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
]
# maps weights (in the image, across the line of sight, along it) to those of image x, y, z and
# padding, of metric x, y, z and padding, and to one weight for any direction: the mean over x, y
# and z. The image has no z and counts in full, so that a step is rather too short than too long
_WEIGHT_LAYOUT = [
    [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0],
    [1.0, 2 / 3, 1 / 3],
]  # fmt: skip


@dataclass(frozen=True)
class TargetLandmarks:
    """Encoder landmarks, K of them, one a column so that sums run along rows."""

    image: Tensor
    """(B, 1, 4, K) x, y in crop units, 0, 0."""
    metric: Tensor
    """(B, 1, 4, K) x, y, z in metres from the hips' middle, 0."""

    @classmethod
    def from_points(cls, points: Tensor, world: Tensor) -> TargetLandmarks:
        """Build from points (B, K, 2) in crop units and (B, K, 3) in metres."""
        return cls(_as_columns(points), _as_columns(world))


@dataclass(frozen=True)
class WeakPerspective:
    """Weak-perspective camera: crop units = scale * (metres + shift)."""

    scale: Tensor
    """(B, 1, 1, 1)"""
    shift: Tensor
    """(B, 1, 4, 1) x, y, 0, 0."""

    @classmethod
    def from_vector(cls, camera: Tensor) -> WeakPerspective:
        """Build from s, tx, ty (B, 3)."""
        scale, shift = torch.split(camera.reshape(-1, 1, 3, 1), [1, 2], dim=2)
        return cls(scale, functional.pad(shift, (0, 0, 0, 2)))

    def to_vector(self) -> Tensor:
        """Return s, tx, ty (B, 3)."""
        return torch.cat([self.scale, self.shift[:, :, :2]], dim=2).flatten(1)


@dataclass(frozen=True)
class PosedLandmarks:
    """Posed bodies as an IK step needs them."""

    columns: Tensor
    """(B, J, 2, 3) first two columns of each rotation relative to the parent."""
    frame_rows: Tensor
    """(B, 4 (J + 1), 4) rows of the frames of `KinematicChain`, one frame below the other."""
    points: Tensor
    """(B, 1, K, 4) the body's landmark points in metres, and a one."""


@dataclass(frozen=True)
class Residuals:
    """Differences between the encoder's landmarks and the body's points."""

    image: Tensor
    """(B, 1, 4, K) landmark minus projected point in crop units; z and padding are undefined."""
    metric: Tensor
    """(B, 1, 4, K) world landmark minus point, both from the hips' middle, m; padding is 0."""


@dataclass(frozen=True)
class Trust:
    """Factors about 1 on the weights of one person's landmarks and joints."""

    landmarks: Tensor
    """(B, 1, 3, K) for the error in the image, and in metres across and along the line of sight."""
    gate: Tensor
    """(B, J, 1)"""

    def detached(self) -> Trust:
        """Return the trust without gradients, so that a level does not learn to serve the next."""
        return Trust(self.landmarks.detach(), self.gate.detach())


@dataclass(frozen=True)
class LandmarkWeights:
    """Weights of the landmarks in N steps."""

    image: Tensor
    """(B, N, 4, K) of an error in the image, by coordinate."""
    metric: Tensor
    """(B, N, 4, K) of an error in metres, by coordinate."""
    mass: Tensor
    """(B, N, K, 1) independent of the direction."""

    def split(self) -> list[LandmarkWeights]:
        """Return the weights of each step."""
        parts = (torch.split(part, 1, dim=1) for part in (self.image, self.metric, self.mass))
        return [LandmarkWeights(*step) for step in zip(*parts, strict=True)]


@dataclass(frozen=True)
class CameraWeights:
    """Weights of the landmarks for the camera in N steps."""

    share: Tensor
    """(B, N, 4, K) by coordinate; those of x sum to one, as do those of y; 0 for the others."""
    landmarks: Tensor
    """(B, N, 4, K) the landmarks in the image times their shares."""
    centroid: Tensor
    """(B, N, 4, 1) their sum."""

    @classmethod
    def from_weights(cls, weights: LandmarkWeights, landmarks: TargetLandmarks) -> CameraWeights:
        """Normalise the weights of errors in the image."""
        # the sum covers x and y, which have equal weights
        share = weights.image / (weights.image.sum((-2, -1), keepdim=True) / 2)
        shared = share * landmarks.image
        return cls(share, shared, shared.sum(-1, keepdim=True))

    def split(self) -> list[CameraWeights]:
        """Return the weights of each step."""
        parts = (
            torch.split(part, 1, dim=1) for part in (self.share, self.landmarks, self.centroid)
        )
        return [CameraWeights(*step) for step in zip(*parts, strict=True)]


class TrustHead(nn.Module):
    """Trust from a regressor's hidden layer; all factors are 1 before training."""

    def __init__(self, hidden: int, landmarks: int, joints: int) -> None:
        super().__init__()
        self.landmarks, self.joints = landmarks, joints
        self.layers = nn.Sequential(
            nn.Linear(hidden, _TRUST_WIDTH), nn.ReLU(),
            nn.Linear(_TRUST_WIDTH, 3 * landmarks + joints),
        )  # fmt: skip
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, hidden: Tensor) -> Trust:
        """Predict the trust of B people from hidden layers (B, H)."""
        logs = torch.tanh(self.layers(hidden))
        landmarks, gate = torch.split(logs, [3 * self.landmarks, self.joints], dim=1)
        return Trust(
            torch.exp(_TRUST_RANGE * landmarks).reshape(-1, 1, 3, self.landmarks),
            torch.exp(gate).reshape(-1, self.joints, 1),
        )


class IKStep(nn.Module):
    """One IK step of all joints at once."""

    carried: Tensor
    cross_product: Tensor
    torque: Tensor
    weight_layout: Tensor
    origins: Tensor
    parents: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        carried = carried_points(body)
        joints, landmarks = carried.shape
        self.joints = joints
        self.register_buffer("carried", carried[:, None], persistent=False)
        self.register_buffer("cross_product", torch.tensor(_CROSS_PRODUCT), persistent=False)
        self.register_buffer("torque", _torque_matrix(), persistent=False)
        self.register_buffer("weight_layout", torch.tensor(_WEIGHT_LAYOUT), persistent=False)
        # rows of the frames: each joint's position, and its parent's rotation
        origins = torch.arange(joints)[:, None] * 4 + 3
        self.register_buffer("origins", origins, persistent=False)
        parents = [int(parent) if parent >= 0 else joints for parent in body.parents]
        rows = torch.tensor(parents)[:, None] * 4 + torch.arange(3)
        self.register_buffer("parents", rows, persistent=False)
        self.image = nn.Parameter(torch.zeros(landmarks))
        self.across = nn.Parameter(torch.zeros(landmarks))
        self.depth = nn.Parameter(torch.zeros(landmarks))
        self.momentum = nn.Parameter(torch.zeros(joints))
        self.gate = nn.Parameter(torch.full((joints,), _INITIAL_GATE))
        self.damping = nn.Parameter(torch.full((joints,), _INITIAL_DAMPING))
        self.camera = nn.Parameter(torch.zeros(()))

    def joint_steps(
        self,
        posed: PosedLandmarks,
        residuals: Residuals,
        scale: Tensor,
        weights: LandmarkWeights,
        gate: Tensor | None = None,
    ) -> Tensor:
        """Return the rotation of each joint that would be best if it alone moved.

        Parameters
        ----------
        posed : PosedLandmarks
        residuals : Residuals
        scale : (B, 1, 1, 1) tensor
            Crop units a metre.
        weights : LandmarkWeights
        gate : (J,) tensor, optional
            Share of its rotation that each joint takes.

        Returns
        -------
        (B, J, 3) tensor
            Rotation vectors in the parents' frames.
        """
        # an error in the image, in metres across the line of sight
        across = residuals.image / scale.clamp(min=_MIN_SCALE)
        force = weights.image * across + weights.metric * residuals.metric
        arm = posed.points - posed.frame_rows[:, self.origins]
        carried = self.carried if gate is None else self.carried * gate[:, None, None]
        products = torch.matmul(carried * force, arm)
        torque = torch.matmul(products.reshape(-1, self.joints, 1, 16), self.torque)
        mass = self.carried.transpose(1, 2) * weights.mass
        inertia = (mass * arm * arm).sum((-2, -1), keepdim=True)
        step = torque / (inertia + torch.exp(self.damping)[:, None, None])
        # rows times a vector: the inverse rotation, into the parent's frame
        return (posed.frame_rows[:, self.parents] * step).sum(-1)

    def pose_change(
        self, posed: PosedLandmarks, residuals: Residuals, scale: Tensor, trust: Trust | None
    ) -> Tensor:
        """Return the change of the rotations' first two columns, (B, 6 J), laid out as a pose."""
        step = self.joint_steps(posed, residuals, scale, landmark_weights([self], trust))
        return pose_from_columns(torch.matmul(posed.columns, self._cross_matrix(step)))

    def forward(
        self,
        posed: PosedLandmarks,
        residuals: Residuals,
        scale: Tensor,
        weights: LandmarkWeights,
        gate: Tensor,
        previous: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Make a step.

        A part of the `previous` step is repeated (Polyak's heavy ball): joints that turn each for
        itself creep along a chain, which would have to bend as a whole.

        Parameters
        ----------
        posed, residuals, scale, weights
            As in `joint_steps`.
        gate : (B, J, 1) tensor
            Of the person.
        previous : (B, J, 3) tensor, optional

        Returns
        -------
        columns : (B, J, 2, 3) tensor
        step : (B, J, 3) tensor
            Rotation vectors.
        """
        step = self.joint_steps(posed, residuals, scale, weights, self.gate) * gate
        if previous is not None:
            step = step + self.momentum[:, None] * previous
        moved = posed.columns + torch.matmul(posed.columns, self._cross_matrix(step))
        # a straight step along the tangent, projected back: steps stay below a right angle and only
        # lengthen the columns
        return orthonormalized(moved, min_length=None), step

    def _cross_matrix(self, vectors: Tensor) -> Tensor:
        """Return the matrices (B, J, 3, 3) that map rows v to the cross product vector x v."""
        return torch.matmul(vectors, self.cross_product).reshape(-1, self.joints, 3, 3)

    def fit_camera(
        self, points: Tensor, camera: WeakPerspective, weights: CameraWeights
    ) -> WeakPerspective:
        """Move a camera part of the way to the least-squares one.

        Parameters
        ----------
        points : (B, 1, 4, K) tensor
            The body's landmark points as columns.
        camera : WeakPerspective
        weights : CameraWeights
        """
        centroid = (weights.share * points).sum(-1, keepdim=True)
        centred = points - centroid
        spread = (weights.share * centred * centred).sum((-2, -1), keepdim=True) + _MIN_SPREAD
        common = (weights.landmarks * centred).sum((-2, -1), keepdim=True)
        scale = (common / spread).clamp(*_SCALE_RANGE)
        shift = weights.centroid / scale - centroid
        part = torch.sigmoid(self.camera)
        return WeakPerspective(
            camera.scale + part * (scale - camera.scale),
            camera.shift + part * (shift - camera.shift),
        )


def landmark_weights(steps: Sequence[IKStep], trust: Trust | None) -> LandmarkWeights:
    """Return the landmark weights of all steps, computed together to save operators."""
    own = [torch.stack([step.image, step.across, step.depth]) for step in steps]
    positive = functional.softplus(torch.stack(own))[None]
    if trust is not None:
        positive = positive * trust.landmarks
    mixed = torch.matmul(steps[0].weight_layout, positive)
    image, metric, mass = torch.split(mixed, [4, 4, 1], dim=2)
    return LandmarkWeights(
        image, metric, mass.reshape(-1, len(steps), int(mass.shape[-1]), 1)
    )  # fmt: skip


class LandmarkResiduals(nn.Module):
    """Compare a posed body's points with landmarks in the image and in metres.

    Parameters
    ----------
    count : int
        Number of landmarks.
    hips : list of int
        Landmarks whose middle is the origin of the metric ones.
    """

    centring: Tensor

    def __init__(self, count: int, hips: list[int]) -> None:
        super().__init__()
        centring = torch.eye(count)
        centring[hips] -= 1 / len(hips)
        self.register_buffer("centring", centring, persistent=False)

    def forward(
        self, points: Tensor, camera: WeakPerspective, landmarks: TargetLandmarks
    ) -> Residuals:
        """Compare points as columns (B, 1, 4, K)."""
        return Residuals(
            landmarks.image - camera.scale * (points + camera.shift),
            landmarks.metric - torch.matmul(points, self.centring),
        )


def carried_points(body: Body) -> Tensor:
    """Return the skinning weight (J, K) of each landmark to each joint and all its descendants.

    A point that a joint shares with its parent is taken to turn rigidly, by its share.
    """
    points = PointSet.from_rows(body, body.keypoint_rows("blazepose"))
    carried = np.zeros((body.joint_count, points.count))
    for point, joint, weight in zip(points.point, points.joint, points.weight, strict=True):
        ancestor = int(joint)
        while ancestor >= 0:
            carried[ancestor, int(point)] += weight
            ancestor = int(body.parents[ancestor])
    return torch.tensor(carried, dtype=torch.float32)


def _torque_matrix() -> Tensor:
    """Return the matrix (16, 4) from flat products of force and arm to torque x, y, z, padding."""
    matrix = torch.zeros(4, 4, 3)
    for axis in range(3):
        after, last = (axis + 1) % 3, (axis + 2) % 3
        # arm x force
        matrix[last, after, axis], matrix[after, last, axis] = 1.0, -1.0
    return functional.pad(matrix.reshape(16, 3), (0, 1))


def _as_columns(points: Tensor) -> Tensor:
    """Reshape points (B, K, N) to columns (B, 1, 4, K), padded with zeros."""
    missing = 4 - int(points.shape[-1])
    return functional.pad(points, (0, missing)).transpose(1, 2).unsqueeze(1)
