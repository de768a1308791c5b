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

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body, PointSet
from trainer.body import matrix_from_6d, product, projected

_TRUST_WIDTH = 64
_TRUST_RANGE = 2.0
"""A landmark counts for one person at most e^2 times as much or as little as for all."""
_FIRST_GATE = 0.3
_FIRST_DAMPING = -4.0
_LEAST_SCALE = 0.2
"""Crop units a metre; a crop of the rule has 0.6 and more."""

# of p x f, the elements of the flat p f^T that count for and against
_FORWARD, _BACKWARD = [5, 6, 1], [7, 2, 3]
# t times this is the flat matrix that takes v to t x v
_CROSSING = [
    [0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0],
    [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
]


@dataclass(frozen=True)
class Missed:
    """A posed body and how it misses the encoder's landmarks; K landmarks."""

    rotations: Tensor
    """(B, J, 3, 3) relative to the parent."""
    world: Tensor
    """(B, J, 3, 3)"""
    places: Tensor
    """(B, J, 3) m"""
    points: Tensor
    """(B, K, 3) m, the body's."""
    picture: Tensor
    """(B, K, 2) landmark minus projected point, crop units."""
    metres: Tensor
    """(B, K, 3) world landmark minus point, both from the hips' middle, m."""


@dataclass(frozen=True)
class Trust:
    """How far one person's landmarks and joints count, as factors about 1."""

    picture: Tensor
    """(B, K) of the miss in the picture."""
    across: Tensor
    """(B, K) of the miss in metres across the line of sight."""
    depth: Tensor
    """(B, K) of the miss in metres along it."""
    gate: Tensor
    """(B, J)"""

    def detached(self) -> Trust:
        """The same, for a level that must not learn to please the next."""
        return Trust(
            self.picture.detach(), self.across.detach(), self.depth.detach(), self.gate.detach()
        )


class TrustHead(nn.Module):
    """Trust from a regressor's hidden layer; everything counts alike at first."""

    def __init__(self, hidden: int, landmarks: int, joints: int) -> None:
        super().__init__()
        self.landmarks = landmarks
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
        said, count = torch.tanh(self.layers(hidden)), self.landmarks
        return Trust(
            torch.exp(_TRUST_RANGE * said[:, :count]),
            torch.exp(_TRUST_RANGE * said[:, count : 2 * count]),
            torch.exp(_TRUST_RANGE * said[:, 2 * count : 3 * count]),
            torch.exp(said[:, 3 * count :]),
        )


class Pull(nn.Module):
    """One step of the landmarks' pull on all joints at once."""

    carried: Tensor
    eye: Tensor
    crossing: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        carried = carried_points(body)
        joints, landmarks = carried.shape
        self.register_buffer("carried", carried, persistent=False)
        self.register_buffer("eye", torch.eye(3)[None, None], persistent=False)
        # row of the parent's rotation once the identity stands before all of them
        self.above = [int(parent) + 1 for parent in body.parents]
        self.register_buffer("crossing", torch.tensor(_CROSSING), persistent=False)
        self.picture = nn.Parameter(torch.zeros(landmarks))
        self.across = nn.Parameter(torch.zeros(landmarks))
        self.depth = nn.Parameter(torch.zeros(landmarks))
        self.momentum = nn.Parameter(torch.zeros(joints))
        self.gate = nn.Parameter(torch.full((joints,), _FIRST_GATE))
        self.damping = nn.Parameter(torch.full((joints,), _FIRST_DAMPING))
        self.camera = nn.Parameter(torch.zeros(()))

    def turns(self, missed: Missed, camera: Tensor, trust: Trust | None) -> Tensor:
        """Rotation vectors (B, J, 3) in the parents' frames: where each joint alone would go."""
        picture = functional.softplus(self.picture)
        across = functional.softplus(self.across)
        depth = functional.softplus(self.depth)
        if trust is not None:
            picture = picture * trust.picture
            across, depth = across * trust.across, depth * trust.depth
        # a miss in the picture is so many metres across the line of sight
        seen = missed.picture / camera[:, None, :1].clamp(min=_LEAST_SCALE)
        flat = picture[..., None] * seen + across[..., None] * missed.metres[..., :2]
        force = torch.cat([flat, depth[..., None] * missed.metres[..., 2:]], -1)
        # one number for a weight that depends on the way: the mean over x, y and z, where what
        # is seen has no z and counts whole, so that a step is rather too short than too long
        weight = picture + (2 * across + depth) / 3
        weight = weight[..., None].expand(force.shape[0], -1, 1)
        points, places = missed.points, missed.places
        # one product sums everything over what each joint carries
        leverage = (points.unsqueeze(-1) * force.unsqueeze(-2)).flatten(-2)
        square = points.square().sum(-1, keepdim=True)
        carried = self.carried @ torch.cat(
            [leverage, force, weight * points, weight * square, weight], -1
        )
        lever = carried[..., :9] - (places.unsqueeze(-1) * carried[..., None, 9:12]).flatten(-2)
        torque = lever[..., _FORWARD] - lever[..., _BACKWARD]
        # sum of w |p - place|^2
        inertia = (
            carried[..., 15:16]
            - 2 * (places * carried[..., 12:15]).sum(-1, keepdim=True)
            + places.square().sum(-1, keepdim=True) * carried[..., 16:17]
        )
        turn = torque / (inertia.clamp(min=0) + torch.exp(self.damping)[:, None])
        above = torch.cat([self.eye.expand(turn.shape[0], 1, 3, 3), missed.world], 1)
        # a vector times a matrix from the left: the inverse rotation, into the parent's frame
        return (turn.unsqueeze(-1) * above[:, self.above]).sum(-2)

    def columns(self, missed: Missed, camera: Tensor, trust: Trust | None) -> Tensor:
        """How the rotations' first two columns would move, (B, 6 J), row by row as in a pose."""
        turn = self.turns(missed, camera, trust)
        return product(self._crossed(turn), missed.rotations[..., :2]).flatten(1)

    def forward(
        self, missed: Missed, camera: Tensor, trust: Trust, before: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Rotations (B, J, 3, 3) after the step, and the step as rotation vectors (B, J, 3).

        A part of the step `before` is made once more (Polyak's heavy ball): joints that turn each
        for itself creep along a chain, which would have to be bent as a whole.
        """
        turn = self.turns(missed, camera, trust) * (self.gate * trust.gate)[..., None]
        if before is not None:
            turn = turn + self.momentum[:, None] * before
        columns = product(self.eye + self._crossed(turn), missed.rotations[..., :2])
        # a step straight along the tangent, brought back: turns never pass a right angle
        return matrix_from_6d(columns.flatten(-2)), turn

    def _crossed(self, turn: Tensor) -> Tensor:
        """(B, J, 3) to the matrices (B, J, 3, 3) of 'turn x'."""
        flat = torch.matmul(turn, self.crossing)
        return torch.stack([flat[..., :3], flat[..., 3:6], flat[..., 6:]], -2)

    def fitted_camera(
        self, points: Tensor, landmarks: Tensor, camera: Tensor, trust: Trust
    ) -> Tensor:
        """The camera (B, 3) on its way to the least-squares one for the landmarks (B, K, 2)."""
        weight = functional.softplus(self.picture) * trust.picture
        weight = (weight / weight.sum(-1, keepdim=True))[..., None]
        flat = points[..., :2]
        middle = (weight * flat).sum(1, keepdim=True)
        target = (weight * landmarks).sum(1, keepdim=True)
        spread = (weight * (flat - middle).square()).sum((1, 2)) + 1e-4
        common = (weight * (flat - middle) * (landmarks - target)).sum((1, 2))
        scale = (common / spread).clamp(0.1, 4.0)[:, None]
        best = torch.cat([scale, target[:, 0] / scale - middle[:, 0]], -1)
        return camera + torch.sigmoid(self.camera) * (best - camera)


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


def missed_by(
    rotations: Tensor,
    world: Tensor,
    places: Tensor,
    points: Tensor,
    camera: Tensor,
    landmarks: Tensor,
    landmarks_world: Tensor,
    hips: list[int],
) -> Missed:
    """Compare a posed body's points (B, K, 3) with landmarks in the picture and in metres."""
    middle = points[:, hips].mean(1, keepdim=True)
    return Missed(
        rotations,
        world,
        places,
        points,
        landmarks - projected(points, camera),
        landmarks_world - (points - middle),
    )
