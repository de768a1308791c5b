"""The parametric body in torch: the same kinematics as `pymaf_live.body`, differentiable.

Written for small batches on a CPU and for lean ONNX graphs: the tree is not walked but folded,
every joint's transform with that of 1, 2, 4, ... ancestors, and 3x3 products are broadcast
multiplications, since thousands of tiny matrix products are slow in torch.
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
"""The matrices of 'x axis x', 'y axis x' and 'z axis x'."""


def small_matmul(first: Tensor, second: Tensor) -> Tensor:
    """Matrix product of small matrices (..., a, b) and (..., b, c), by broadcasting."""
    return (first.unsqueeze(-1) * second.unsqueeze(-3)).sum(-2)


def small_matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrix (..., a, b) times vector (..., b), by broadcasting."""
    return (matrix * vector.unsqueeze(-2)).sum(-1)


def matrix_from_6d(columns: Tensor) -> Tensor:
    """Six numbers (..., 6), a (3, 2) matrix row by row, to rotations (..., 3, 3): Gram-Schmidt."""
    # strided slices instead of a reshape: no shape arithmetic in the exported graph
    first, second = columns[..., 0::2], columns[..., 1::2]
    first = nn.functional.normalize(first, dim=-1, eps=1e-6)
    second = second - (first * second).sum(-1, keepdim=True) * first
    second = nn.functional.normalize(second, dim=-1, eps=1e-6)
    third = cross(first, second)
    return torch.stack([first, second, third], dim=-1)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product along the last axis, in fewer ONNX nodes than torch.linalg.cross becomes."""
    after, before = [1, 2, 0], [2, 0, 1]
    return a[..., after] * b[..., before] - a[..., before] * b[..., after]


def matrix_to_6d(matrix: Tensor) -> Tensor:
    """Rotations (..., 3, 3) to their first two columns, row by row, (..., 6)."""
    return matrix[..., :2].reshape(*matrix.shape[:-2], 6)


def matrix_from_axis_angle(vector: Tensor) -> Tensor:
    """Rotation vectors (..., 3) in radians to matrices (..., 3, 3), smooth at zero."""
    square = (vector * vector).sum(-1, keepdim=True)
    angle = torch.sqrt(square + 1e-12)
    sine, cosine = torch.sin(angle) / angle, (1 - torch.cos(angle)) / (square + 1e-12)
    # sums over constants and no stacks of elements: a tenth of the nodes of an exported graph
    axes = vector.unsqueeze(-1).unsqueeze(-1)
    crossed = (axes * vector.new_tensor(CROSS_MATRICES)).sum(-3)
    eye = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return (
        eye + sine.unsqueeze(-1) * crossed + cosine.unsqueeze(-1) * small_matmul(crossed, crossed)
    )


class Skeleton(nn.Module):
    """Joints of shaped bodies and their motion; J joints, S shape coefficients."""

    mean: Tensor
    directions: Tensor
    bones: Tensor
    nothing: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        mean, directions = _regressed(body, body.joint_regressor)
        self.register_buffer("mean", _tensor(mean), persistent=False)
        self.register_buffer("directions", _tensor(directions), persistent=False)
        parents = [int(parent) for parent in body.parents]
        self.register_buffer("bones", _tensor(_bones(parents)), persistent=False)
        self.register_buffer("nothing", torch.eye(3, 4)[None, None], persistent=False)
        self.jumps = _jumps(parents)

    def rest(self, shape: Tensor) -> Tensor:
        """(B, S) to joints at rest (B, J, 3)."""
        moved = shape @ self.directions.reshape(-1, shape.shape[-1]).T
        return self.mean + moved.reshape(-1, *self.mean.shape)

    def forward(self, rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """World rotations (B, J, 3, 3) and places (B, J, 3) from relative ones."""
        bone = torch.matmul(self.bones, rest)
        moved = torch.cat([rotations, bone.unsqueeze(-1)], -1)
        nothing = self.nothing.expand(moved.shape[0], -1, -1, -1)
        for ancestors in self.jumps:
            above = torch.cat([moved, nothing], 1)[:, ancestors]
            moved = small_matmul(above[..., :3], moved) + nn.functional.pad(above[..., 3:], (3, 0))
        return moved[..., :3], moved[..., 3]


class PosedPoints(nn.Module):
    """Any fixed set of points posed through their point-joint pairs; N points, M pairs."""

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

    def forward(self, world: Tensor, places: Tensor, rest: Tensor, shape: Tensor) -> Tensor:
        """Points (B, N, 3) in metres from a `Skeleton`'s rotations, places and rest joints."""
        return self.posed(world, places, rest, self.resting(shape))

    def resting(self, shape: Tensor) -> Tensor:
        """What hangs on the shape (B, S) alone, for several poses of one shape: (B, M, 3)."""
        moved = shape @ self.directions.reshape(-1, shape.shape[-1]).T
        return self.mean + moved.reshape(-1, *self.mean.shape)

    def posed(self, world: Tensor, places: Tensor, rest: Tensor, resting: Tensor) -> Tensor:
        """As `forward`, from what `resting` gave."""
        shift = places - small_matvec(world, rest)
        pairs = small_matvec(world[:, self.joint], resting)
        pairs = pairs + self.weight[:, None] * shift[:, self.joint]
        return torch.matmul(self.gather, pairs)


class SkinnedVertices(nn.Module):
    """A subset of P vertices, skinned plainly: one dense product of weights and transforms."""

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

    def forward(self, world: Tensor, places: Tensor, rest: Tensor, shape: Tensor) -> Tensor:
        """Vertices (B, P, 3) in metres."""
        shift = places - small_matvec(world, rest)
        flat = world.reshape(-1, world.shape[1], 9)
        transform = torch.cat([flat, shift], dim=-1)
        blended = torch.matmul(self.weights, transform)
        moved = shape @ self.directions.reshape(-1, shape.shape[-1]).T
        resting = self.mean + moved.reshape(-1, *self.mean.shape)
        matrix = blended[..., :9].reshape(-1, self.mean.shape[0], 3, 3)
        return small_matvec(matrix, resting) + blended[..., 9:]


def project_weak_perspective(points: Tensor, camera: Tensor) -> Tensor:
    """Weak perspective: points (B, N, 3) m and cameras (B, 3) s, tx, ty to crop units (B, N, 2)."""
    return camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])


def _regressed(body: Body, rows: csr_matrix) -> tuple[Array, Array]:
    flat = body.shape_directions.reshape(len(body.template), -1)
    mean = rows @ body.template
    return mean, (rows @ flat).reshape(*mean.shape, -1)


def _bones(parents: list[int]) -> Array:
    """(J, J): joints at rest to each joint's place seen from its parent's."""
    bones = np.eye(len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            bones[joint, parent] = -1
    return bones


def _jumps(parents: list[int]) -> list[list[int]]:
    """Ancestors 1, 2, 4, ... generations up; J, one past the last joint, where there is none."""
    none = len(parents)
    up = [parent if parent >= 0 else none for parent in parents] + [none]
    jumps = []
    while any(ancestor != none for ancestor in up):
        jumps.append(up[:none])
        up = [up[ancestor] for ancestor in up]
    return jumps


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
