"""The body inside the network: the kinematics of `trainer.body.torch_body` in few large operators.

An exported graph is paid for by the operator: a runtime spends more on starting a product of
twenty-four small matrices than on making it. So a rotation is kept as its first two columns, a
joint's motion as one 4x4 matrix for row vectors, the tree is folded by pointer jumping (every
frame times that of 1, 2, 4, ... ancestors), and whatever hangs on the shape alone is one affine
map of the shape. A point that is fixed to the body is a row of `anchors`, so that all points are
one product with all frames. One frame more than there are joints, the world's, stands for the
root's parent.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body, PointSet
from pymaf_live.types import Array, Ints

# elements of two columns (x, y, z, x', y', z') whose products make their cross product:
# the first three count for, the last three against it
_LEFT = (1, 2, 0, 2, 0, 1)
_RIGHT = (5, 3, 4, 4, 5, 3)


def righted(columns: Tensor, least: float | None = 1e-6) -> Tensor:
    """Two vectors as rows (B, J, 2, 3), made of length one and right-angled: Gram-Schmidt.

    Shorter ones than `least` are divided by that; None where none can be short.
    """

    def shortened(vectors: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        unit: Tensor = vectors / (length if least is None else length.clamp(min=least))
        return unit

    first, second = torch.split(columns, 1, dim=2)
    first = shortened(first)
    second = shortened(second - (first * second).sum(-1, keepdim=True) * first)
    return torch.cat([first, second], dim=2)


def columns_of(pose: Tensor, joints: int) -> Tensor:
    """A pose's numbers (B, 6 J), (3, 2) matrices row by row, to their columns (B, J, 2, 3)."""
    return pose.reshape(-1, joints, 3, 2).transpose(-1, -2)


def pose_of(columns: Tensor) -> Tensor:
    """The other way round: columns (B, J, 2, 3) to a pose (B, 6 J)."""
    joints = int(columns.shape[1])
    return columns.transpose(-1, -2).reshape(-1, 6 * joints)


class Affine(nn.Module):
    """A tensor that is an affine function of the shape coefficients.

    Parameters
    ----------
    mean : (...) array
    directions : (..., S) array
        Its change with each coefficient.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, mean: Array, directions: Array) -> None:
        super().__init__()
        self.sizes = mean.shape
        self.register_buffer("mean", _tensor(mean).flatten(), persistent=False)
        flat = _tensor(directions).flatten(0, -2)
        self.register_buffer("directions", flat, persistent=False)

    def forward(self, shape: Tensor) -> Tensor:
        """(B, S) to (B, ...)."""
        return functional.linear(shape, self.directions, self.mean).reshape(-1, *self.sizes)


class Chain(nn.Module):
    """Frames of a body's joints; J joints."""

    left: Tensor
    right: Tensor
    to_frame: Tensor
    to_rotation: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        joints = body.joint_count
        parents = [int(parent) for parent in body.parents]
        rest, directions = rest_of(body)
        bones = np.eye(joints)
        for joint, parent in enumerate(parents):
            if parent >= 0:
                bones[joint, parent] = -1
        mean = np.tile(np.diag([0.0, 0, 0, 1]), (joints + 1, 1, 1))
        mean[joints] = np.eye(4)
        mean[:joints, 3, :3] = bones @ rest
        changes = np.zeros((joints + 1, 4, 4, body.shape_count))
        changes[:joints, 3, :3] = np.einsum("jk,kcs->jcs", bones, directions)
        self.bones = Affine(
            mean.reshape(joints + 1, 16), changes.reshape(joints + 1, 16, body.shape_count)
        )
        self.joints = joints
        self.register_buffer("left", torch.tensor(_LEFT), persistent=False)
        self.register_buffer("right", torch.tensor(_RIGHT), persistent=False)
        whole = _columns_and_cross()
        frame = np.zeros((12, 4, 4))
        frame[:, :3, :3] = whole
        self.register_buffer("to_frame", _tensor(frame.reshape(12, 16)), persistent=False)
        turned = whole.transpose(0, 2, 1).reshape(12, 9)
        self.register_buffer("to_rotation", _tensor(turned), persistent=False)
        jumps = _jumps(parents)
        self.rounds = len(jumps)
        for number, ancestors in enumerate(jumps):
            self.register_buffer(f"jump{number}", torch.tensor(ancestors), persistent=False)

    def forward(self, columns: Tensor, bones: Tensor) -> Tensor:
        """World motions (B, J + 1, 4, 4) of row vectors, the last the identity.

        Parameters
        ----------
        columns : (B, J, 2, 3) tensor
            First two columns of each rotation relative to the parent, right-angled.
        bones : (B, J + 1, 16) tensor
            From `bones`.
        """
        turned = torch.matmul(self._with_products(columns), self.to_frame)
        moved = functional.pad(turned, (0, 0, 0, 1)) + bones
        frames = moved.reshape(-1, self.joints + 1, 4, 4)
        for number in range(self.rounds):
            ancestors: Tensor = getattr(self, f"jump{number}")
            frames = torch.matmul(frames, frames.index_select(1, ancestors))
        return frames

    def rotations(self, columns: Tensor) -> Tensor:
        """The whole matrices (B, J, 3, 3) of columns (B, J, 2, 3)."""
        flat = torch.matmul(self._with_products(columns), self.to_rotation)
        return flat.reshape(-1, self.joints, 3, 3)

    def _with_products(self, columns: Tensor) -> Tensor:
        """(B, J, 12): the columns, and the products that make the third one."""
        flat = columns.reshape(-1, self.joints, 6)
        products = flat.index_select(-1, self.left) * flat.index_select(-1, self.right)
        return torch.cat([flat, products], dim=-1)


class AnchoredPoints(nn.Module):
    """Points that are fixed to the body: key points; N points."""

    def __init__(self, body: Body, rows: csr_matrix) -> None:
        super().__init__()
        points, joints = PointSet.from_rows(body, rows), body.joint_count
        rest, changes = rest_of(body)
        where, joint, weight = points.point, points.joint, points.weight
        mean = np.zeros((1, points.count, joints + 1, 4))
        mean[0, where, joint, :3] = points.mean - weight[:, None] * rest[joint]
        mean[0, where, joint, 3] = weight
        directions = np.zeros((*mean.shape, body.shape_count))
        directions[0, where, joint, :3] = points.directions - weight[:, None, None] * changes[joint]
        flat = (1, points.count, 4 * (joints + 1))
        self.anchors = Affine(mean.reshape(flat), directions.reshape(*flat, -1))
        self.rows = 4 * (joints + 1)

    def forward(self, anchors: Tensor, frames: Tensor) -> Tensor:
        """(B, 1, N, 4): x, y, z in metres and a one.

        Parameters
        ----------
        anchors : (B, 1, N, 4 (J + 1)) tensor
            From `anchors`.
        frames : (B, J + 1, 4, 4) tensor
            From a `Chain`.
        """
        return torch.matmul(anchors, frames.reshape(-1, 1, self.rows, 4))


class SampledSkin(nn.Module):
    """A choice of P vertices, skinned plainly."""

    weights: Tensor

    def __init__(self, body: Body, vertices: Ints) -> None:
        super().__init__()
        joints, count = body.joint_count, len(vertices)
        rest, changes = rest_of(body)
        # takes a place of the body at rest to one seen from its joint
        mean = np.tile(np.eye(4), (joints + 1, 1, 1))
        mean[:joints, 3, :3] = -rest
        directions = np.zeros((*mean.shape, body.shape_count))
        directions[:joints, 3, :3] = -changes
        self.from_rest = Affine(mean, directions)
        place = np.concatenate([body.template[vertices], np.ones((count, 1))], axis=-1)
        moved = np.zeros((count, 4, body.shape_count))
        moved[:, :3] = body.shape_directions[vertices]
        self.places = Affine(place[..., None], moved[:, :, None])
        weights = np.pad(body.skin_weights[vertices], ((0, 0), (0, 1)))
        self.register_buffer("weights", _tensor(weights), persistent=False)
        self.joints = joints

    def forward(self, frames: Tensor, shape: Tensor) -> Tensor:
        """(B, P, 4): x, y, z in metres and a one; frames from a `Chain`, shape (B, S)."""
        moved = torch.matmul(self.from_rest(shape), frames)
        blended = torch.matmul(self.weights, moved.reshape(-1, self.joints + 1, 16))
        matrices = blended.reshape(-1, len(self.weights), 4, 4)
        vertices: Tensor = (self.places(shape) * matrices).sum(-2)
        return vertices


def rest_of(body: Body) -> tuple[Array, Array]:
    """Joints at rest (J, 3) in metres, and their change with the shape (J, 3, S)."""
    flat = body.shape_directions.reshape(len(body.template), -1)
    mean = body.joint_regressor @ body.template
    return mean, (body.joint_regressor @ flat).reshape(*mean.shape, -1)


def _columns_and_cross() -> Array:
    """(12, 3, 3) what makes of two columns and their products the three columns, as rows."""
    whole = np.zeros((12, 3, 3))
    for axis in range(3):
        whole[axis, 0, axis] = whole[3 + axis, 1, axis] = 1
        whole[6 + axis, 2, axis], whole[9 + axis, 2, axis] = 1, -1
    return whole


def _jumps(parents: list[int]) -> list[list[int]]:
    """Ancestors 1, 2, 4, ... generations up; J, the world, where there is none."""
    world = len(parents)
    up = [parent if parent >= 0 else world for parent in parents] + [world]
    jumps = []
    while any(ancestor != world for ancestor in up):
        jumps.append(up)
        up = [up[ancestor] for ancestor in up]
    return jumps


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
