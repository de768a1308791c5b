"""Forward kinematics and linear blend skinning in NumPy, batched.

Any set of points that are fixed weighted means of vertices (joints of another convention, single
vertices, the whole mesh) is posed through one `PointSet`, which keeps only the point-joint pairs
that have weight: a key point costs a few products, never the whole mesh.

SMPL's definitions (Loper et al., SIGGRAPH Asia 2015): joints are regressed from the shaped rest
body; a vertex is the weighted sum of its joints' rigid motions; the root turns about its own joint
and the translation is added last.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix, identity

from pymaf_live.body.model import Body, Ints
from pymaf_live.types import Array

_LEAST_WEIGHT = 1e-9


def rest_joints(body: Body, shape: Array) -> Array:
    """Joints of the shaped rest body.

    Parameters
    ----------
    body : Body
    shape : (..., S) array

    Returns
    -------
    (..., J, 3) array
        Metres, body frame.
    """
    mean, directions = body.rest_joints
    joints: Array = mean + np.einsum("jcs,...s->...jc", directions, np.asarray(shape))
    return joints


def joint_transforms(body: Body, rotations: Array, rest: Array) -> tuple[Array, Array]:
    """World rotation and place of every joint.

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
    places : (..., J, 3) array
        Metres, without translation.
    """
    batch = np.broadcast_shapes(rotations.shape[:-3], rest.shape[:-2])
    joints, parents = body.joint_count, tuple(body.parents.tolist())
    # a motion a joint, and the world's, which moves nothing, for the root's parent
    motions = np.zeros((*batch, joints + 1, 4, 4))
    motions[..., :joints, :3, :3] = rotations
    motions[..., :joints, :3, 3] = rest
    motions[..., 1:joints, :3, 3] -= rest[..., body.parents[1:], :]
    motions[..., 3, 3] = 1.0
    motions[..., joints, :3, :3] = np.eye(3)
    # with the motion of the parent, then of the two above, then of the four: a few products of all
    # joints at once, for calls are what a single body costs
    for ancestors in _jumps(parents):
        motions = motions.take(ancestors, axis=-3) @ motions
    return motions[..., :joints, :3, :3], motions[..., :joints, :3, 3]


@lru_cache(maxsize=4)
def _jumps(parents: tuple[int, ...]) -> list[Ints]:
    """Each joint's ancestor 1, 2, 4, ... generations up; J, the world, where there is none."""
    world = len(parents)
    up = np.array([*(parent if parent >= 0 else world for parent in parents), world])
    jumps = []
    while (up < world).any():
        jumps.append(up)
        up = up[up]
    return jumps


@dataclass(frozen=True)
class PointSet:
    """Weighted means of vertices, ready to be posed; N points, M point-joint pairs."""

    body: Body
    point: Ints
    """(M,) point of each pair."""
    joint: Ints
    """(M,) joint of each pair."""
    weight: Array
    """(M,) skin weight of the pair, summed over the point's vertices."""
    mean: Array
    """(M, 3) weighted rest place of the pair."""
    directions: Array
    """(M, 3, S) its change with shape."""
    count: int
    """N."""

    @classmethod
    def from_rows(cls, body: Body, rows: csr_matrix) -> PointSet:
        """Points given by a sparse regressor (N, V)."""
        entries = rows.tocoo()
        skin = csr_matrix(body.skin_weights)
        # one entry a (point, vertex, joint), summed over vertices into (point, joint) pairs
        spread = skin[entries.col].tocoo()
        point = entries.row[spread.row].astype(np.int64)
        vertex = entries.col[spread.row]
        amount = entries.data[spread.row] * spread.data
        keys = point * body.joint_count + spread.col
        unique, pair = np.unique(keys, return_inverse=True)
        gather = csr_matrix((amount, (pair, vertex)), (len(unique), len(body.template)))
        weight = np.asarray(gather.sum(axis=1)).ravel()
        keep = weight > _LEAST_WEIGHT
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
        """A key-point set of the body file: 'lsp', 'coco', 'blazepose', 'h36m'..."""
        return cls.from_rows(body, body.keypoint_rows(name))

    @classmethod
    def vertices(cls, body: Body, indices: Ints | None = None) -> PointSet:
        """The given vertices, or the whole mesh."""
        every = identity(len(body.template), format="csr")
        return cls.from_rows(body, every if indices is None else every[indices])

    def pose(self, rotations: Array, shape: Array, translation: Array | None = None) -> Array:
        """Pose the points.

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
        world, places = joint_transforms(self.body, rotations, rest)
        points = self.moved(world, places, rest, shape)
        return points if translation is None else points + np.asarray(translation)[..., None, :]

    def moved(self, world: Array, places: Array, rest: Array, shape: Array) -> Array:
        """The points (..., N, 3) of bodies whose joints are posed already.

        Parameters
        ----------
        world : (..., J, 3, 3) array
        places : (..., J, 3) array
            From `joint_transforms`.
        rest : (..., J, 3) array
            From `rest_joints`.
        shape : (..., S) array
        """
        shift = places - np.einsum("...jab,...jb->...ja", world, rest)
        resting = self.mean + np.einsum("mcs,...s->...mc", self.directions, shape)
        moved = np.einsum("...mab,...mb->...ma", world[..., self.joint, :, :], resting)
        moved += self.weight[:, None] * shift[..., self.joint, :]
        points = np.zeros((*moved.shape[:-2], self.count, 3))
        # pairs are sorted by point, so each point's pairs are one run
        starts = np.flatnonzero(np.r_[True, self.point[1:] != self.point[:-1]])
        points[..., self.point[starts], :] = np.add.reduceat(moved, starts, axis=-2)
        return points


def pose_joints(
    body: Body, rotations: Array, shape: Array, translation: Array | None = None
) -> Array:
    """Joints (..., J, 3) in metres of posed bodies; arguments as `PointSet.pose`."""
    _, places = joint_transforms(body, np.asarray(rotations), rest_joints(body, shape))
    return places if translation is None else places + np.asarray(translation)[..., None, :]
