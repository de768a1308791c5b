"""Parametric body in torch: the kinematics of `pymaf_live.body`, differentiable.

Designed for small batches on a CPU and for small ONNX graphs: instead of a walk along the tree,
each joint's transform is combined with that of 1, 2, 4, ... ancestors, and 3x3 products are
broadcast multiplications, since thousands of tiny matrix products are slow in torch.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from pymaf_live.body import Body, PointSet
from pymaf_live.types import Array, Ints

CROSS_MATRICES = (
    ((0.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (-1.0, 0.0, 0.0)),
    ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
)
"""(3, 3, 3) cross-product matrices of the x, y and z axes."""


def small_matmul(first: Tensor, second: Tensor) -> Tensor:
    """Return the matrix products of (..., a, b) and (..., b, c), by broadcasting."""
    return (first.unsqueeze(-1) * second.unsqueeze(-3)).sum(-2)


def small_matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return the products of matrices (..., a, b) and vectors (..., b), by broadcasting."""
    return (matrix * vector.unsqueeze(-2)).sum(-1)


def matrix_from_6d(columns: Tensor) -> Tensor:
    """Return rotations (..., 3, 3) of six numbers (..., 6), the rows of (3, 2): Gram-Schmidt."""
    # strided slices instead of a reshape: no shape arithmetic in the exported graph
    first, second = columns[..., 0::2], columns[..., 1::2]
    first = nn.functional.normalize(first, dim=-1, eps=1e-6)
    second = second - (first * second).sum(-1, keepdim=True) * first
    second = nn.functional.normalize(second, dim=-1, eps=1e-6)
    third = cross(first, second)
    return torch.stack([first, second, third], dim=-1)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Return the cross product along the last axis, in fewer ONNX nodes than torch.linalg.cross."""
    after, before = [1, 2, 0], [2, 0, 1]
    return a[..., after] * b[..., before] - a[..., before] * b[..., after]


def matrix_to_6d(matrix: Tensor) -> Tensor:
    """Return the first two columns (..., 6) of rotations (..., 3, 3), row by row."""
    return matrix[..., :2].reshape(*matrix.shape[:-2], 6)


def matrix_from_axis_angle(vector: Tensor) -> Tensor:
    """Return matrices (..., 3, 3) of rotation vectors (..., 3) in radians, smooth at zero."""
    square = (vector * vector).sum(-1, keepdim=True)
    angle = torch.sqrt(square + 1e-12)
    sine, cosine = torch.sin(angle) / angle, (1 - torch.cos(angle)) / (square + 1e-12)
    # sums over constants instead of stacked elements: a tenth of the nodes in an exported graph
    axes = vector.unsqueeze(-1).unsqueeze(-1)
    cross_matrix = (axes * vector.new_tensor(CROSS_MATRICES)).sum(-3)
    eye = torch.eye(3, dtype=vector.dtype, device=vector.device)
    squared: Tensor = small_matmul(cross_matrix, cross_matrix)
    return eye + sine.unsqueeze(-1) * cross_matrix + cosine.unsqueeze(-1) * squared


class Skeleton(nn.Module):
    """Rest joints and forward kinematics of shaped bodies; J joints, S shape coefficients."""

    mean: Tensor
    directions: Tensor
    bones: Tensor
    identity: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        mean, directions = _regressed(body, body.joint_regressor)
        self.register_buffer("mean", _tensor(mean), persistent=False)
        self.register_buffer("directions", _tensor(directions), persistent=False)
        parents = [int(parent) for parent in body.parents]
        self.register_buffer("bones", _tensor(_bones(parents)), persistent=False)
        self.register_buffer("identity", torch.eye(3, 4)[None, None], persistent=False)
        self.ancestors = _ancestors(parents)

    def rest(self, shape: Tensor) -> Tensor:
        """Return joints at rest (B, J, 3) of shapes (B, S)."""
        offsets = shape @ self.directions.reshape(-1, shape.shape[-1]).T
        return self.mean + offsets.reshape(-1, *self.mean.shape)

    def forward(self, rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """Return world rotations (B, J, 3, 3) and positions (B, J, 3) from relative rotations."""
        bone = torch.matmul(self.bones, rest)
        transforms = torch.cat([rotations, bone.unsqueeze(-1)], -1)
        identity = self.identity.expand(transforms.shape[0], -1, -1, -1)
        for ancestors in self.ancestors:
            above = torch.cat([transforms, identity], 1)[:, ancestors]
            rotated = small_matmul(above[..., :3], transforms)
            transforms = rotated + nn.functional.pad(above[..., 3:], (3, 0))
        return transforms[..., :3], transforms[..., 3]


class PosedPoints(nn.Module):
    """Fixed set of points, posed through their point-joint pairs; N points, M pairs."""

    joint: Tensor
    weight: Tensor
    mean: Tensor
    directions: Tensor
    gather: Tensor

    def __init__(self, body: Body, rows: csr_matrix) -> None:
        super().__init__()
        points = PointSet.from_rows(body, rows)
        gather = np.zeros((points.count, len(points.point)))
        gather[points.point, np.arange(len(points.point))] = 1
        self.register_buffer("joint", torch.tensor(points.joint), persistent=False)
        self.register_buffer("weight", _tensor(points.weight), persistent=False)
        self.register_buffer("mean", _tensor(points.mean), persistent=False)
        self.register_buffer("directions", _tensor(points.directions), persistent=False)
        self.register_buffer("gather", _tensor(gather), persistent=False)

    def forward(self, world: Tensor, positions: Tensor, rest: Tensor, shape: Tensor) -> Tensor:
        """Return points (B, N, 3) m from a `Skeleton`'s rotations, positions and rest joints."""
        offsets = shape @ self.directions.reshape(-1, shape.shape[-1]).T
        shaped = self.mean + offsets.reshape(-1, *self.mean.shape)
        shift = positions - small_matvec(world, rest)
        pairs = small_matvec(world[:, self.joint], shaped)
        pairs = pairs + self.weight[:, None] * shift[:, self.joint]
        return torch.matmul(self.gather, pairs)


class SkinnedVertices(nn.Module):
    """Subset of P vertices by linear blend skinning: a dense product of weights and transforms."""

    mean: Tensor
    directions: Tensor
    weights: Tensor

    def __init__(self, body: Body, vertices: Ints) -> None:
        super().__init__()
        self.register_buffer("mean", _tensor(body.template[vertices]), persistent=False)
        self.register_buffer(
            "directions", _tensor(body.shape_directions[vertices]), persistent=False
        )
        self.register_buffer("weights", _tensor(body.skin_weights[vertices]), persistent=False)

    def forward(self, world: Tensor, positions: Tensor, rest: Tensor, shape: Tensor) -> Tensor:
        """Return vertices (B, P, 3) in metres."""
        shift = positions - small_matvec(world, rest)
        flat = world.reshape(-1, world.shape[1], 9)
        transform = torch.cat([flat, shift], dim=-1)
        blended = torch.matmul(self.weights, transform)
        offsets = shape @ self.directions.reshape(-1, shape.shape[-1]).T
        shaped = self.mean + offsets.reshape(-1, *self.mean.shape)
        matrix = blended[..., :9].reshape(-1, self.mean.shape[0], 3, 3)
        return small_matvec(matrix, shaped) + blended[..., 9:]


def project_weak_perspective(points: Tensor, camera: Tensor) -> Tensor:
    """Project points (B, N, 3) m by weak perspective to crop units (B, N, 2).

    Cameras (B, 3) are s, tx, ty.
    """
    return camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])


def _regressed(body: Body, rows: csr_matrix) -> tuple[Array, Array]:
    flat = body.shape_directions.reshape(len(body.template), -1)
    mean = rows @ body.template
    return mean, (rows @ flat).reshape(*mean.shape, -1)


def _bones(parents: list[int]) -> Array:
    """Return the matrix (J, J) from joints at rest to their offsets from the parent."""
    bones = np.eye(len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            bones[joint, parent] = -1
    return bones


def _ancestors(parents: list[int]) -> list[list[int]]:
    """Return each joint's ancestor 1, 2, 4, ... generations up; J if it has none."""
    none = len(parents)
    up = [parent if parent >= 0 else none for parent in parents] + [none]
    levels = []
    while any(ancestor != none for ancestor in up):
        levels.append(up[:none])
        up = [up[ancestor] for ancestor in up]
    return levels


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
