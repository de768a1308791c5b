"""Body kinematics inside the network: those of `trainer.body.torch_body` in few large operators.

The cost of an exported graph grows with its number of operators: a runtime spends more on starting
a product of twenty-four small matrices than on computing it. A rotation is therefore stored as its
first two columns and a joint's motion as one 4x4 matrix for row vectors; the tree is evaluated by
pointer jumping (every frame times that of 1, 2, 4, ... ancestors); and everything that depends only
on the shape is one affine map of it. A point fixed to the body is a row of `anchors`, so that all
points are one product with all frames. There is one frame more than joints: the world's, the parent
of the root.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body, PointSet
from pymaf_live.types import Array, Ints

# elements of two columns (x, y, z, x', y', z') whose products form their cross product: the first
# three are added, the last three subtracted
_LEFT = (1, 2, 0, 2, 0, 1)
_RIGHT = (5, 3, 4, 4, 5, 3)


def orthonormalized(columns: Tensor, min_length: float | None = 1e-6) -> Tensor:
    """Orthonormalise pairs of vectors by Gram-Schmidt.

    Parameters
    ----------
    columns : (B, J, 2, 3) tensor
    min_length : float, optional
        Vectors shorter than this are divided by it; None if there are none.
    """

    def normalized(vectors: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        unit: Tensor = vectors / (length if min_length is None else length.clamp(min=min_length))
        return unit

    first, second = torch.split(columns, 1, dim=2)
    first = normalized(first)
    second = normalized(second - (first * second).sum(-1, keepdim=True) * first)
    return torch.cat([first, second], dim=2)


def columns_from_pose(pose: Tensor, joints: int) -> Tensor:
    """Convert a pose (B, 6 J), (3, 2) matrices row by row, to columns (B, J, 2, 3)."""
    return pose.reshape(-1, joints, 3, 2).transpose(-1, -2)


def pose_from_columns(columns: Tensor) -> Tensor:
    """Convert columns (B, J, 2, 3) to a pose (B, 6 J)."""
    joints = int(columns.shape[1])
    return columns.transpose(-1, -2).reshape(-1, 6 * joints)


class ShapeAffine(nn.Module):
    """A tensor that is an affine function of the shape coefficients.

    Parameters
    ----------
    mean : (...) array
    directions : (..., S) array
        Change with each coefficient.
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
        """Evaluate at coefficients (B, S), with a result (B, ...)."""
        return functional.linear(shape, self.directions, self.mean).reshape(-1, *self.sizes)


class KinematicChain(nn.Module):
    """Frames of a body's J joints."""

    left: Tensor
    right: Tensor
    to_frame: Tensor
    to_rotation: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        joints = body.joint_count
        parents = [int(parent) for parent in body.parents]
        rest, directions = rest_joints_and_directions(body)
        bones = np.eye(joints)
        for joint, parent in enumerate(parents):
            if parent >= 0:
                bones[joint, parent] = -1
        mean = np.tile(np.diag([0.0, 0, 0, 1]), (joints + 1, 1, 1))
        mean[joints] = np.eye(4)
        mean[:joints, 3, :3] = bones @ rest
        changes = np.zeros((joints + 1, 4, 4, body.shape_count))
        changes[:joints, 3, :3] = np.einsum("jk,kcs->jcs", bones, directions)
        self.bones = ShapeAffine(
            mean.reshape(joints + 1, 16), changes.reshape(joints + 1, 16, body.shape_count)
        )
        self.joints = joints
        self.register_buffer("left", torch.tensor(_LEFT), persistent=False)
        self.register_buffer("right", torch.tensor(_RIGHT), persistent=False)
        rows = _column_rows()
        frame = np.zeros((12, 4, 4))
        frame[:, :3, :3] = rows
        self.register_buffer("to_frame", _tensor(frame.reshape(12, 16)), persistent=False)
        rotation = rows.transpose(0, 2, 1).reshape(12, 9)
        self.register_buffer("to_rotation", _tensor(rotation), persistent=False)
        jumps = _jumps(parents)
        self.rounds = len(jumps)
        for number, ancestors in enumerate(jumps):
            self.register_buffer(f"jump{number}", torch.tensor(ancestors), persistent=False)

    def forward(self, columns: Tensor, bones: Tensor) -> Tensor:
        """Compute the joints' frames.

        Parameters
        ----------
        columns : (B, J, 2, 3) tensor
            First two columns of each rotation relative to the parent, orthonormal.
        bones : (B, J + 1, 16) tensor
            From `bones`.

        Returns
        -------
        (B, J + 1, 4, 4) tensor
            World motions of row vectors, the last the identity.
        """
        rotated = torch.matmul(self._with_products(columns), self.to_frame)
        local = functional.pad(rotated, (0, 0, 0, 1)) + bones
        frames = local.reshape(-1, self.joints + 1, 4, 4)
        for number in range(self.rounds):
            ancestors: Tensor = getattr(self, f"jump{number}")
            frames = torch.matmul(frames, frames.index_select(1, ancestors))
        return frames

    def rotations(self, columns: Tensor) -> Tensor:
        """Return the full matrices (B, J, 3, 3) of columns (B, J, 2, 3)."""
        flat = torch.matmul(self._with_products(columns), self.to_rotation)
        return flat.reshape(-1, self.joints, 3, 3)

    def _with_products(self, columns: Tensor) -> Tensor:
        """Return the columns and the products that form the third one, (B, J, 12)."""
        flat = columns.reshape(-1, self.joints, 6)
        products = flat.index_select(-1, self.left) * flat.index_select(-1, self.right)
        return torch.cat([flat, products], dim=-1)


class AnchoredPoints(nn.Module):
    """N points fixed to the body, such as key points."""

    def __init__(self, body: Body, rows: csr_matrix) -> None:
        super().__init__()
        points, joints = PointSet.from_rows(body, rows), body.joint_count
        rest, changes = rest_joints_and_directions(body)
        point, joint, weight = points.point, points.joint, points.weight
        mean = np.zeros((1, points.count, joints + 1, 4))
        mean[0, point, joint, :3] = points.mean - weight[:, None] * rest[joint]
        mean[0, point, joint, 3] = weight
        directions = np.zeros((*mean.shape, body.shape_count))
        directions[0, point, joint, :3] = points.directions - weight[:, None, None] * changes[joint]
        flat = (1, points.count, 4 * (joints + 1))
        self.anchors = ShapeAffine(mean.reshape(flat), directions.reshape(*flat, -1))
        self.rows = 4 * (joints + 1)

    def forward(self, anchors: Tensor, frames: Tensor) -> Tensor:
        """Pose the points.

        Parameters
        ----------
        anchors : (B, 1, N, 4 (J + 1)) tensor
            From `anchors`.
        frames : (B, J + 1, 4, 4) tensor
            From a `KinematicChain`.

        Returns
        -------
        (B, 1, N, 4) tensor
            x, y, z in metres and a one.
        """
        return torch.matmul(anchors, frames.reshape(-1, 1, self.rows, 4))


class SampledSkin(nn.Module):
    """Linear blend skinning of P chosen vertices."""

    weights: Tensor

    def __init__(self, body: Body, vertices: Ints) -> None:
        super().__init__()
        joints, count = body.joint_count, len(vertices)
        rest, changes = rest_joints_and_directions(body)
        # from a position on the body at rest to one relative to its joint
        mean = np.tile(np.eye(4), (joints + 1, 1, 1))
        mean[:joints, 3, :3] = -rest
        directions = np.zeros((*mean.shape, body.shape_count))
        directions[:joints, 3, :3] = -changes
        self.from_rest = ShapeAffine(mean, directions)
        position = np.concatenate([body.template[vertices], np.ones((count, 1))], axis=-1)
        change = np.zeros((count, 4, body.shape_count))
        change[:, :3] = body.shape_directions[vertices]
        self.positions = ShapeAffine(position[..., None], change[:, :, None])
        weights = np.pad(body.skin_weights[vertices], ((0, 0), (0, 1)))
        self.register_buffer("weights", _tensor(weights), persistent=False)
        self.joints = joints

    def forward(self, frames: Tensor, shape: Tensor) -> Tensor:
        """Pose the vertices.

        Parameters
        ----------
        frames : (B, J + 1, 4, 4) tensor
            From a `KinematicChain`.
        shape : (B, S) tensor

        Returns
        -------
        (B, P, 4) tensor
            x, y, z in metres and a one.
        """
        motions = torch.matmul(self.from_rest(shape), frames)
        blended = torch.matmul(self.weights, motions.reshape(-1, self.joints + 1, 16))
        matrices = blended.reshape(-1, len(self.weights), 4, 4)
        vertices: Tensor = (self.positions(shape) * matrices).sum(-2)
        return vertices


def rest_joints_and_directions(body: Body) -> tuple[Array, Array]:
    """Return the joints at rest (J, 3) in metres, and their change with the shape (J, 3, S)."""
    flat = body.shape_directions.reshape(len(body.template), -1)
    mean = body.joint_regressor @ body.template
    return mean, (body.joint_regressor @ flat).reshape(*mean.shape, -1)


def _column_rows() -> Array:
    """Return the map (12, 3, 3) from two columns and their products to three columns as rows."""
    rows = np.zeros((12, 3, 3))
    for axis in range(3):
        rows[axis, 0, axis] = rows[3 + axis, 1, axis] = 1
        rows[6 + axis, 2, axis], rows[9 + axis, 2, axis] = 1, -1
    return rows


def _jumps(parents: list[int]) -> list[list[int]]:
    """Return the ancestors 1, 2, 4, ... generations up; J, the world, where there is none."""
    world = len(parents)
    ancestors = [parent if parent >= 0 else world for parent in parents] + [world]
    jumps = []
    while any(ancestor != world for ancestor in ancestors):
        jumps.append(ancestors)
        ancestors = [ancestors[ancestor] for ancestor in ancestors]
    return jumps


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
