"""Inverse kinematics inside the loop: the encoder's landmarks pull at the body.

What a landmark is missed by acts as a force where the body has that point; summed over all points
that a joint carries, it gives the joint's torque, which is the negative gradient of the squared
misses with respect to a small rotation about that joint. Divided by the moment of inertia it is
that rotation itself, as if the joint were the only one to move. How far each landmark counts, in
the picture and in depth, and how far each joint follows, is learned, once for all people and once
more for each person from the regressor's hidden layer: gradient descent whose steps are learned,
as Song, Chen and Hilliges do it ('Human body model fitting by learned gradient descent', ECCV
2020), but with the steepest direction given and not guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body, PointSet
from trainer.network.kinematic_chain import pose_of, righted

_TRUST_WIDTH = 64
_TRUST_RANGE = 2.0
"""A landmark counts for one person at most e^2 times as much or as little as for all."""
_FIRST_GATE = 0.3
_FIRST_DAMPING = -4.0
_LEAST_SCALE = 0.2
"""Crop units a metre; a crop of the rule has 0.6 and more."""
_LEAST_SPREAD = 1e-4
_SCALES = (0.1, 4.0)

# t times this is the flat matrix that takes the row v to t x v
_CROSSING = [
    [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0],
    [0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
]
# weights in the picture, across the line of sight and along it to those of x, y, z and nothing in
# the picture, of x, y, z and nothing in metres, and to one number for a weight that depends on the
# way: the mean over x, y and z, where what is seen has no z and counts whole, so that a step is
# rather too short than too long
_MIXING = [
    [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0],
    [1.0, 2 / 3, 1 / 3],
]  # fmt: skip


@dataclass(frozen=True)
class Landmarks:
    """The encoder's landmarks, of which K; a column each, so that sums run along rows."""

    picture: Tensor
    """(B, 1, 4, K) x, y in crop units, 0, 0."""
    metres: Tensor
    """(B, 1, 4, K) x, y, z in metres from the hips' middle, 0."""

    @classmethod
    def given(cls, points: Tensor, world: Tensor) -> Landmarks:
        """Of points (B, K, 2) in crop units and (B, K, 3) in metres."""
        return cls(_columns(points), _columns(world))


@dataclass(frozen=True)
class Shot:
    """A weak-perspective camera: crop units = scale (metres + shift)."""

    scale: Tensor
    """(B, 1, 1, 1)"""
    shift: Tensor
    """(B, 1, 4, 1) x, y, 0, 0."""

    @classmethod
    def of(cls, camera: Tensor) -> Shot:
        """Of (B, 3) s, tx, ty."""
        scale, shift = torch.split(camera.reshape(-1, 1, 3, 1), [1, 2], dim=2)
        return cls(scale, functional.pad(shift, (0, 0, 0, 2)))

    def camera(self) -> Tensor:
        """(B, 3) s, tx, ty."""
        return torch.cat([self.scale, self.shift[:, :, :2]], dim=2).flatten(1)


@dataclass(frozen=True)
class Stance:
    """A body in a pose, as the landmarks pull at it."""

    columns: Tensor
    """(B, J, 2, 3) the first two columns of each rotation relative to the parent."""
    rows: Tensor
    """(B, 4 (J + 1), 4) the frames of `trainer.network.kinematic_chain.Chain`, row under row."""
    points: Tensor
    """(B, 1, K, 4) the body's landmark points in metres, and a one."""


@dataclass(frozen=True)
class Missed:
    """How a body misses the encoder's landmarks."""

    picture: Tensor
    """(B, 1, 4, K) landmark minus projected point in crop units; z and the last mean nothing."""
    metres: Tensor
    """(B, 1, 4, K) world landmark minus point, both from the hips' middle, m; the last is 0."""


@dataclass(frozen=True)
class Trust:
    """How far one person's landmarks and joints count, as factors about 1."""

    landmarks: Tensor
    """(B, 1, 3, K) of the miss in the picture, in metres across the line of sight and along it."""
    gate: Tensor
    """(B, J, 1)"""

    def detached(self) -> Trust:
        """The same, for a level that must not learn to please the next."""
        return Trust(self.landmarks.detach(), self.gate.detach())


@dataclass(frozen=True)
class Weights:
    """How far each landmark counts in N steps."""

    picture: Tensor
    """(B, N, 4, K) of a miss in the picture, by coordinate."""
    metres: Tensor
    """(B, N, 4, K) of a miss in metres, by coordinate."""
    mass: Tensor
    """(B, N, K, 1) as one number."""

    def steps(self) -> list[Weights]:
        """Those of each step."""
        parts = (torch.split(part, 1, dim=1) for part in (self.picture, self.metres, self.mass))
        return [Weights(*step) for step in zip(*parts, strict=True)]


@dataclass(frozen=True)
class CameraWeights:
    """How far each landmark counts for the camera in N steps."""

    share: Tensor
    """(B, N, 4, K) by coordinate; those of x sum to one, as do those of y; 0 for the others."""
    landmarks: Tensor
    """(B, N, 4, K) the landmarks in the picture times their shares."""
    middle: Tensor
    """(B, N, 4, 1) their sum."""

    @classmethod
    def of(cls, weights: Weights, landmarks: Landmarks) -> CameraWeights:
        """As the misses in the picture count, for given landmarks."""
        # the sum is of x and of y, which count alike
        share = weights.picture / (weights.picture.sum((-2, -1), keepdim=True) / 2)
        shared = share * landmarks.picture
        return cls(share, shared, shared.sum(-1, keepdim=True))

    def steps(self) -> list[CameraWeights]:
        """Those of each step."""
        parts = (torch.split(part, 1, dim=1) for part in (self.share, self.landmarks, self.middle))
        return [CameraWeights(*step) for step in zip(*parts, strict=True)]


class TrustHead(nn.Module):
    """Trust from a regressor's hidden layer; everything counts alike at first."""

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
        """(B, H) to the trust of B people."""
        said = torch.tanh(self.layers(hidden))
        landmarks, gate = torch.split(said, [3 * self.landmarks, self.joints], dim=1)
        return Trust(
            torch.exp(_TRUST_RANGE * landmarks).reshape(-1, 1, 3, self.landmarks),
            torch.exp(gate).reshape(-1, self.joints, 1),
        )


class Pull(nn.Module):
    """One step of the landmarks' pull on all joints at once."""

    carried: Tensor
    crossing: Tensor
    turning: Tensor
    mixing: Tensor
    origins: Tensor
    above: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        carried = carried_points(body)
        joints, landmarks = carried.shape
        self.joints = joints
        self.register_buffer("carried", carried[:, None], persistent=False)
        self.register_buffer("crossing", torch.tensor(_CROSSING), persistent=False)
        self.register_buffer("turning", _turning(), persistent=False)
        self.register_buffer("mixing", torch.tensor(_MIXING), persistent=False)
        # rows of the frames: each joint's place, and the rotation of its parent
        origins = torch.arange(joints)[:, None] * 4 + 3
        self.register_buffer("origins", origins, persistent=False)
        parents = [int(parent) if parent >= 0 else joints for parent in body.parents]
        above = torch.tensor(parents)[:, None] * 4 + torch.arange(3)
        self.register_buffer("above", above, persistent=False)
        self.picture = nn.Parameter(torch.zeros(landmarks))
        self.across = nn.Parameter(torch.zeros(landmarks))
        self.depth = nn.Parameter(torch.zeros(landmarks))
        self.momentum = nn.Parameter(torch.zeros(joints))
        self.gate = nn.Parameter(torch.full((joints,), _FIRST_GATE))
        self.damping = nn.Parameter(torch.full((joints,), _FIRST_DAMPING))
        self.camera = nn.Parameter(torch.zeros(()))

    def turns(
        self,
        stance: Stance,
        missed: Missed,
        scale: Tensor,
        weights: Weights,
        gate: Tensor | None = None,
    ) -> Tensor:
        """Rotation vectors (B, J, 3) in the parents' frames: where each joint alone would go.

        Parameters
        ----------
        stance : Stance
        missed : Missed
        scale : (B, 1, 1, 1) tensor
            Crop units a metre.
        weights : Weights
        gate : (J,) tensor, optional
            Which part of its way each joint is to go.
        """
        # a miss in the picture is so many metres across the line of sight
        seen = missed.picture / scale.clamp(min=_LEAST_SCALE)
        force = weights.picture * seen + weights.metres * missed.metres
        apart = stance.points - stance.rows[:, self.origins]
        carried = self.carried if gate is None else self.carried * gate[:, None, None]
        levers = torch.matmul(carried * force, apart)
        torque = torch.matmul(levers.reshape(-1, self.joints, 1, 16), self.turning)
        heavy = self.carried.transpose(1, 2) * weights.mass
        inertia = (heavy * apart * apart).sum((-2, -1), keepdim=True)
        turn = torque / (inertia + torch.exp(self.damping)[:, None, None])
        # rows times a vector: the inverse rotation, into the parent's frame
        return (stance.rows[:, self.above] * turn).sum(-1)

    def columns(self, stance: Stance, missed: Missed, scale: Tensor, trust: Trust | None) -> Tensor:
        """How the rotations' first two columns would move, (B, 6 J), row by row as in a pose."""
        turn = self.turns(stance, missed, scale, weights_of([self], trust))
        return pose_of(torch.matmul(stance.columns, self._crossed(turn)))

    def forward(
        self,
        stance: Stance,
        missed: Missed,
        scale: Tensor,
        weights: Weights,
        gate: Tensor,
        before: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Columns (B, J, 2, 3) after the step, and the step as rotation vectors (B, J, 3).

        `gate` (B, J, 1) is the person's own. A part of the step `before` is made once more
        (Polyak's heavy ball): joints that turn each for itself creep along a chain, which would
        have to be bent as a whole.
        """
        turn = self.turns(stance, missed, scale, weights, self.gate) * gate
        if before is not None:
            turn = turn + self.momentum[:, None] * before
        moved = stance.columns + torch.matmul(stance.columns, self._crossed(turn))
        # a step straight along the tangent, brought back: turns never pass a right angle, and the
        # columns only become longer by it
        return righted(moved, least=None), turn

    def _crossed(self, turn: Tensor) -> Tensor:
        """(B, J, 3) to the matrices (B, J, 3, 3) that take rows v to 'turn x v'."""
        return torch.matmul(turn, self.crossing).reshape(-1, self.joints, 3, 3)

    def fitted(self, points: Tensor, shot: Shot, weights: CameraWeights) -> Shot:
        """The camera on its way to the least-squares one; points as columns (B, 1, 4, K)."""
        middle = (weights.share * points).sum(-1, keepdim=True)
        flat = points - middle
        spread = (weights.share * flat * flat).sum((-2, -1), keepdim=True) + _LEAST_SPREAD
        common = (weights.landmarks * flat).sum((-2, -1), keepdim=True)
        scale = (common / spread).clamp(*_SCALES)
        shift = weights.middle / scale - middle
        part = torch.sigmoid(self.camera)
        return Shot(
            shot.scale + part * (scale - shot.scale), shot.shift + part * (shift - shot.shift)
        )


def weights_of(pulls: Sequence[Pull], trust: Trust | None) -> Weights:
    """How far landmarks count in each of the steps; of all at once, to spare operators."""
    own = [torch.stack([pull.picture, pull.across, pull.depth]) for pull in pulls]
    told = functional.softplus(torch.stack(own))[None]
    if trust is not None:
        told = told * trust.landmarks
    mixed = torch.matmul(pulls[0].mixing, told)
    picture, metres, mass = torch.split(mixed, [4, 4, 1], dim=2)
    return Weights(picture, metres, mass.reshape(-1, len(pulls), int(mass.shape[-1]), 1))


class Misses(nn.Module):
    """Compares a posed body's points with landmarks in the picture and in metres.

    Parameters
    ----------
    count : int
        Of the landmarks.
    hips : list of int
        Those between which the landmarks in metres have their origin.
    """

    centring: Tensor

    def __init__(self, count: int, hips: list[int]) -> None:
        super().__init__()
        centring = torch.eye(count)
        centring[hips] -= 1 / len(hips)
        self.register_buffer("centring", centring, persistent=False)

    def forward(self, points: Tensor, shot: Shot, landmarks: Landmarks) -> Missed:
        """Of points as columns (B, 1, 4, K)."""
        return Missed(
            landmarks.picture - shot.scale * (points + shot.shift),
            landmarks.metres - torch.matmul(points, self.centring),
        )


def carried_points(body: Body) -> Tensor:
    """(J, K) how far each joint carries each landmark: the weights of it and all its children.

    A point that a joint shares with its parent is then taken to turn rigidly, by its share.
    """
    points = PointSet.from_rows(body, body.keypoint_rows("blazepose"))
    carried = np.zeros((body.joint_count, points.count))
    for point, joint, weight in zip(points.point, points.joint, points.weight, strict=True):
        above = int(joint)
        while above >= 0:
            carried[above, int(point)] += weight
            above = int(body.parents[above])
    return torch.tensor(carried, dtype=torch.float32)


def _turning() -> Tensor:
    """(16, 4) a lever's flat products, forces by arms, to the torque x, y, z and nothing."""
    turning = torch.zeros(4, 4, 3)
    for axis in range(3):
        after, last = (axis + 1) % 3, (axis + 2) % 3
        # arm x force
        turning[last, after, axis], turning[after, last, axis] = 1.0, -1.0
    return functional.pad(turning.reshape(16, 3), (0, 1))


def _columns(points: Tensor) -> Tensor:
    """(B, K, N) to (B, 1, 4, K), filled up with zeros."""
    missing = 4 - int(points.shape[-1])
    return functional.pad(points, (0, missing)).transpose(1, 2).unsqueeze(1)
