"""Batched forward kinematics and linear blend skinning in NumPy.

Points that are fixed weighted means of vertices (joints of another convention, single vertices, the
whole mesh) are posed through a `PointSet`. It keeps only the point-joint pairs with weight, so that
a key point costs a few products and never the whole mesh.

Definitions as SMPL's (Loper et al., SIGGRAPH Asia 2015): joints are regressed from the shaped rest
body; a vertex is the weighted sum of its joints' rigid transforms; the root rotates about its own
joint and the translation is added last.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix, identity

from pymaf_live.body.model import Body
from pymaf_live.types import Array, Ints

_MIN_WEIGHT = 1e-9


def rest_joints(body: Body, shape: Array) -> Array:
    """Return the joints of the shaped rest body.

    Parameters
    ----------
    body : Body
    shape : (..., S) array

    Returns
    -------
    (..., J, 3) array
        Metres, body frame.
    """
    mean, directions = body.rest_joint_basis
    joints: Array = mean + np.einsum("jcs,...s->...jc", directions, np.asarray(shape))
    return joints


def joint_transforms(body: Body, rotations: Array, rest: Array) -> tuple[Array, Array]:
    """Return the world rotation and position of every joint.

    Parameters
    ----------
    body : Body
    rotations : (..., J, 3, 3) array
        Relative to the parent.
    rest : (..., J, 3) array
        Joints at rest, from `rest_joints`.

    Returns
    -------
    world : (..., J, 3, 3) array
    positions : (..., J, 3) array
        Metres, without translation.
    """
    batch = np.broadcast_shapes(rotations.shape[:-3], rest.shape[:-2])
    joints, parents = body.joint_count, tuple(body.parents.tolist())
    # one transform per joint, and the identity as the parent of the root
    transforms = np.zeros((*batch, joints + 1, 4, 4))
    transforms[..., :joints, :3, :3] = rotations
    transforms[..., :joints, :3, 3] = rest
    transforms[..., 1:joints, :3, 3] -= rest[..., body.parents[1:], :]
    transforms[..., 3, 3] = 1.0
    transforms[..., joints, :3, :3] = np.eye(3)
    # pointer doubling: multiply by the parent's transform, then by the one two above, then four: a
    # few products of all joints at once, because the number of calls dominates for a single body
    for ancestors in _ancestors(parents):
        transforms = transforms.take(ancestors, axis=-3) @ transforms
    return transforms[..., :joints, :3, :3], transforms[..., :joints, :3, 3]


@lru_cache(maxsize=4)
def _ancestors(parents: tuple[int, ...]) -> list[Ints]:
    """Return each joint's ancestor 1, 2, 4, ... generations up; J (the identity) above the root."""
    world = len(parents)
    up = np.array([*(parent if parent >= 0 else world for parent in parents), world])
    ancestors = []
    while (up < world).any():
        ancestors.append(up)
        up = up[up]
    return ancestors


@dataclass(frozen=True)
class PointSet:
    """Weighted means of vertices, prepared for posing; N points, M point-joint pairs."""

    body: Body
    point: Ints
    """(M,) point of each pair."""
    joint: Ints
    """(M,) joint of each pair."""
    weight: Array
    """(M,) skin weight of the pair, summed over the point's vertices."""
    mean: Array
    """(M, 3) weighted rest position of the pair."""
    directions: Array
    """(M, 3, S) derivative of `mean` by shape."""
    count: int
    """Number of points, N."""

    @classmethod
    def from_rows(cls, body: Body, rows: csr_matrix) -> PointSet:
        """Create a set from a sparse regressor (N, V)."""
        entries = rows.tocoo()
        skin = csr_matrix(body.skin_weights)
        # one entry per (point, vertex, joint), summed over vertices into (point, joint) pairs
        spread = skin[entries.col].tocoo()
        point = entries.row[spread.row].astype(np.int64)
        vertex = entries.col[spread.row]
        amount = entries.data[spread.row] * spread.data
        keys = point * body.joint_count + spread.col
        unique, pair = np.unique(keys, return_inverse=True)
        gather = csr_matrix((amount, (pair, vertex)), (len(unique), len(body.template)))
        weight = np.asarray(gather.sum(axis=1)).ravel()
        keep = weight > _MIN_WEIGHT
        gather = gather[keep]
        flat = body.shape_directions.reshape(len(body.template), -1)
        directions = (gather @ flat).reshape(gather.shape[0], 3, body.shape_count)
        return cls(
            body=body,
            point=unique[keep] // body.joint_count,
            joint=unique[keep] % body.joint_count,
            weight=weight[keep],
            mean=gather @ body.template,
            directions=directions,
            count=rows.shape[0],
        )

    @classmethod
    def keypoints(cls, body: Body, name: str) -> PointSet:
        """Create the set of a body's key points: 'lsp', 'coco', 'blazepose', 'h36m'..."""
        return cls.from_rows(body, body.keypoint_rows(name))

    @classmethod
    def vertices(cls, body: Body, indices: Ints | None = None) -> PointSet:
        """Create the set of some vertices, by default of the whole mesh."""
        every = identity(len(body.template), format="csr")
        return cls.from_rows(body, every if indices is None else every[indices])

    def pose(self, rotations: Array, shape: Array, translation: Array | None = None) -> Array:
        """Return the points of posed bodies.

        Parameters
        ----------
        rotations : (..., J, 3, 3) array
            Relative to the parent.
        shape : (..., S) array
        translation : (..., 3) array, optional
            Metres, in the frame that the root's rotation leads to.

        Returns
        -------
        (..., N, 3) array
            Metres.
        """
        rotations, shape = np.asarray(rotations), np.asarray(shape)
        rest = rest_joints(self.body, shape)
        world, positions = joint_transforms(self.body, rotations, rest)
        points = self.skinned(world, positions, rest, shape)
        return points if translation is None else points + np.asarray(translation)[..., None, :]

    def skinned(self, world: Array, positions: Array, rest: Array, shape: Array) -> Array:
        """Return the points (..., N, 3) of bodies whose joints are already posed.

        Parameters
        ----------
        world : (..., J, 3, 3) array
        positions : (..., J, 3) array
            From `joint_transforms`.
        rest : (..., J, 3) array
            From `rest_joints`.
        shape : (..., S) array
        """
        shift = positions - np.einsum("...jab,...jb->...ja", world, rest)
        resting = self.mean + np.einsum("mcs,...s->...mc", self.directions, shape)
        moved = np.einsum("...mab,...mb->...ma", world[..., self.joint, :, :], resting)
        moved += self.weight[:, None] * shift[..., self.joint, :]
        points = np.zeros((*moved.shape[:-2], self.count, 3))
        # pairs are sorted by point, so that the pairs of a point are one run
        starts = np.flatnonzero(np.r_[True, self.point[1:] != self.point[:-1]])
        points[..., self.point[starts], :] = np.add.reduceat(moved, starts, axis=-2)
        return points


def pose_joints(
    body: Body, rotations: Array, shape: Array, translation: Array | None = None
) -> Array:
    """Return the joints (..., J, 3) of posed bodies in metres; arguments as `PointSet.pose`."""
    _, positions = joint_transforms(body, np.asarray(rotations), rest_joints(body, shape))
    return positions if translation is None else positions + np.asarray(translation)[..., None, :]
