"""Kinematics of thousands of bodies at once, one person a column, for the fit on a CPU.

`trainer.body.torch_body` puts the person first, as a network's batch is; sums over its last axes of
three are slow for thousands of people. Here every number of a person is a row and people are the
last axis, so that each step runs along contiguous memory.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from pymaf_live.body import Body, PointSet
from pymaf_live.types import Array
from trainer.data.base import FACE_NAMES


def point_rows(body: Body) -> csr_matrix:
    """Return the weights (P, V) of the vertices in the fitted key points and landmarks."""
    face = body.keypoint_rows("coco")[: len(FACE_NAMES)]
    rows = vstack([body.keypoint_rows("lsp"), face, body.keypoint_rows("blazepose")])
    return rows.tocsr()


def rotations_from_vectors(vectors: Tensor) -> Tensor:
    """Return matrices (3, 3, J, N) of rotation vectors (3, J, N) in radians, smooth at zero."""
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


def rotation_from_columns(columns: Tensor) -> Tensor:
    """Return rotations (3, 3, 1, N) from two columns (2, 3, N) by Gram-Schmidt."""
    first = columns[0] / columns[0].norm(dim=0).clamp(min=1e-6)
    second = columns[1] - (first * columns[1]).sum(0) * first
    second = second / second.norm(dim=0).clamp(min=1e-6)
    third = torch.stack(
        [
            first[1] * second[2] - first[2] * second[1],
            first[2] * second[0] - first[0] * second[2],
            first[0] * second[1] - first[1] * second[0],
        ]
    )
    return torch.stack([first, second, third], dim=1)[:, :, None]


def rotate(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return matrices (3, 3, K, N) times vectors (3, K, N)."""
    (a, b, c), (x, y, z) = matrix.unbind(1), vector.unbind(0)
    return a * x + b * y + c * z


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Return matrices (3, 3, K, N) times matrices (3, 3, K, N)."""
    # unbound, not indexed: the backward pass of an index fills a whole tensor with zeros
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
        self._parents = [int(parent) for parent in body.parents]
        depth = [0] * joints
        for joint, parent in enumerate(self._parents):
            depth[joint] = depth[parent] + 1 if parent >= 0 else 0
        self._levels = [[j for j in range(joints) if depth[j] == d] for d in range(max(depth) + 1)]
        order = [joint for level in self._levels for joint in level]
        self._order = torch.tensor(np.argsort(order))
        flat = body.shape_directions.reshape(len(body.template), -1)
        self.rest_mean = _coordinates_first(body.joint_regressor @ body.template)
        """(3, J) m, joints of the mean body at rest."""
        regressed = np.asarray(body.joint_regressor @ flat).reshape(joints, 3, shapes)
        self._rest_directions = _tensor(np.moveaxis(regressed, 1, 0))
        points = PointSet.from_rows(body, rows)
        self._pair_mean = _coordinates_first(points.mean)
        self._pair_directions = _tensor(np.moveaxis(points.directions, 1, 0))
        pairs = np.arange(len(points.point))
        # one-hot products instead of indexing: their backward pass is a product too
        spread, gather = np.zeros((len(pairs), joints)), np.zeros((points.count, len(pairs)))
        spread[pairs, points.joint] = 1
        gather[points.point, pairs] = 1
        weight = np.zeros((points.count, joints))
        weight[points.point, points.joint] = points.weight
        self._spread, self._gather, self._weight = map(_tensor, (spread, gather, weight))

    def pose(self, rotations: Tensor, shape: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pose all bodies.

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
        joints : (3, J, N) tensor
            Metres.
        """
        rest = self.rest_mean[..., None] + self._rest_directions @ shape
        world, joints = self._chain(rotations, rest)
        shift = joints - rotate(world, rest)
        pairs = self._pair_mean[..., None] + self._pair_directions @ shape
        turned = rotate(self._spread @ world, pairs)
        return self._gather @ turned + self._weight @ shift, world, joints

    def _chain(self, rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """Return world rotations (3, 3, J, N) and joints (3, J, N), level by level of the tree."""
        worlds, places = [rotations[:, :, :1]], [rest[:, :1]]
        above = self._levels[0]
        for level in self._levels[1:]:
            parents = [self._parents[joint] for joint in level]
            rows = [above.index(parent) for parent in parents]
            world, place = worlds[-1][:, :, rows], places[-1][:, rows]
            worlds.append(compose(world, rotations[:, :, level]))
            places.append(place + rotate(world, rest[:, level] - rest[:, parents]))
            above = level
        return torch.cat(worlds, 2)[:, :, self._order], torch.cat(places, 1)[:, self._order]


def _coordinates_first(values: Array) -> Tensor:
    return _tensor(np.asarray(values).T.copy())


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)
