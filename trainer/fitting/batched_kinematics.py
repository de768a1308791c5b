"""Kinematics of thousands of bodies at once, one person a column: what the fit needs on a CPU.

`trainer.body.torch_body` puts the person first, as a network's batch is; sums over its last axes
of three are slow when there are thousands of people and nothing else. Here every number of a
person is a row and people are the last axis, so that each step runs along contiguous memory.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from pymaf_live.body import Body, PointSet
from pymaf_live.types import Array


def rotation_columns(vectors: Tensor) -> Tensor:
    """Rotation vectors (3, J, N) in radians to matrices (3, 3, J, N), smooth at zero."""
    x, y, z = vectors.unbind(0)
    square = x * x + y * y + z * z
    angle = torch.sqrt(square + 1e-12)
    cosine = torch.cos(angle)
    sine, rest = torch.sin(angle) / angle, (1 - cosine) / (square + 1e-12)
    ax, ay, az = sine * x, sine * y, sine * z
    bx, by, bz = rest * x, rest * y, rest * z
    xy, xz, yz = bx * y, bx * z, by * z
    rows = [
        torch.stack([cosine + bx * x, xy - az, xz + ay]),
        torch.stack([xy + az, cosine + by * y, yz - ax]),
        torch.stack([xz - ay, yz + ax, cosine + bz * z]),
    ]
    return torch.stack(rows)


def root_columns(six: Tensor) -> Tensor:
    """Two columns (2, 3, N), not yet at right angles, to rotations (3, 3, 1, N): Gram-Schmidt."""
    first = six[0] / six[0].norm(dim=0).clamp(min=1e-6)
    second = six[1] - (first * six[1]).sum(0) * first
    second = second / second.norm(dim=0).clamp(min=1e-6)
    third = torch.stack(
        [
            first[1] * second[2] - first[2] * second[1],
            first[2] * second[0] - first[0] * second[2],
            first[0] * second[1] - first[1] * second[0],
        ]
    )
    return torch.stack([first, second, third], dim=1)[:, :, None]


def turned_by(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrices (3, 3, K, N) times vectors (3, K, N)."""
    (a, b, c), (x, y, z) = matrix.unbind(1), vector.unbind(0)
    return a * x + b * y + c * z


def chained(first: Tensor, second: Tensor) -> Tensor:
    """Matrices (3, 3, K, N) times matrices (3, 3, K, N)."""
    # unbound, not indexed: an index's backward pass fills a whole tensor of zeros
    (a, b, c), (x, y, z) = first.unbind(1), second.unbind(0)
    return a[:, None] * x + b[:, None] * y + c[:, None] * z


class BatchedKinematics:
    """A body's joints and P fixed points, posed for N people.

    Parameters
    ----------
    body : Body
    rows : (P, V) sparse matrix
        Weights of the vertices in each point.
    """

    def __init__(self, body: Body, rows: csr_matrix) -> None:
        joints, shapes = body.joint_count, body.shape_count
        self.parents = [int(parent) for parent in body.parents]
        depth = [0] * joints
        for joint, parent in enumerate(self.parents):
            depth[joint] = depth[parent] + 1 if parent >= 0 else 0
        self.levels = [[j for j in range(joints) if depth[j] == d] for d in range(max(depth) + 1)]
        order = [joint for level in self.levels for joint in level]
        self.order = torch.tensor(np.argsort(order))
        flat = body.shape_directions.reshape(len(body.template), -1)
        rest = body.joint_regressor @ body.template
        self.rest_mean = _coordinates_first(rest)
        self.rest_directions = _directions(body.joint_regressor @ flat, joints, shapes)
        points = PointSet.from_rows(body, rows)
        self.pair_mean = _coordinates_first(points.mean)
        self.pair_directions = _tensor(np.moveaxis(points.directions, 1, 0))
        pairs = np.arange(len(points.point))
        # one-hot products instead of indexing: their backward pass is a product too
        spread, gather = np.zeros((len(pairs), joints)), np.zeros((points.count, len(pairs)))
        spread[pairs, points.joint] = 1
        gather[points.point, pairs] = 1
        weight = np.zeros((points.count, joints))
        weight[points.point, points.joint] = points.weight
        self.spread, self.gather, self.weight = map(_tensor, (spread, gather, weight))

    def pose(self, rotations: Tensor, shape: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pose everybody.

        Parameters
        ----------
        rotations : (3, 3, J, N) tensor
            Relative to the parent.
        shape : (S, N) tensor

        Returns
        -------
        points : (3, P, N) tensor
            Metres, in the frame that the root's rotation leads to.
        world : (3, 3, J, N) tensor
            Rotations of the joints in that frame.
        places : (3, J, N) tensor
            Of the joints, metres.
        """
        rest = self.rest_mean[..., None] + self.rest_directions @ shape
        world, places = self._moved(rotations, rest)
        shift = places - turned_by(world, rest)
        pairs = self.pair_mean[..., None] + self.pair_directions @ shape
        turned = turned_by(self.spread @ world, pairs)
        return self.gather @ turned + self.weight @ shift, world, places

    def _moved(self, rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        worlds, places = [rotations[:, :, :1]], [rest[:, :1]]
        above = self.levels[0]
        for level in self.levels[1:]:
            parents = [self.parents[joint] for joint in level]
            rows = [above.index(parent) for parent in parents]
            world, place = worlds[-1][:, :, rows], places[-1][:, rows]
            worlds.append(chained(world, rotations[:, :, level]))
            places.append(place + turned_by(world, rest[:, level] - rest[:, parents]))
            above = level
        return torch.cat(worlds, 2)[:, :, self.order], torch.cat(places, 1)[:, self.order]


def _directions(flat: Array, joints: int, shapes: int) -> Tensor:
    return _tensor(np.moveaxis(np.asarray(flat).reshape(joints, 3, shapes), 1, 0))


def _coordinates_first(values: Array) -> Tensor:
    return _tensor(np.asarray(values).T.copy())


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)
