"""Linear blend skinning of a character's meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.characters.model import Character, CharacterMesh
from pymaf_live.types import Array, Ints

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def rest_vertices(mesh: CharacterMesh, world: Array) -> Array:
    """Return the vertices (V, 3) of a mesh whose nodes are at world transforms (B, 4, 4)."""
    moves = world[mesh.nodes] @ mesh.inverse_bind
    blended = _blend(mesh) @ moves[:, :3].reshape(len(moves), 12)
    blended = blended.reshape(-1, 3, 4)
    return np.asarray(np.einsum("vij,vj->vi", blended[:, :, :3], mesh.vertices) + blended[:, :, 3])


def _blend(mesh: CharacterMesh) -> csr_matrix:
    """Return the weights as a sparse matrix (V, J)."""
    count, width = mesh.joints.shape
    starts = np.arange(0, count * width + 1, width)
    shape = (count, len(mesh.nodes))
    return csr_matrix((mesh.weights.ravel(), mesh.joints.ravel(), starts), shape)


@dataclass(frozen=True, eq=False)
class Skin:
    """All meshes of a character as one, prepared for skinning many poses; M node-bind pairs."""

    nodes: Ints
    """(M,) node of each pair."""
    inverse_bind: Array
    """(M, 4, 4)"""
    blend: csr_matrix
    """(V, M) float32 weights."""
    vertices: Floats
    """(V, 3)"""
    faces: Ints
    """(F, 3)"""

    @classmethod
    def of(cls, character: Character) -> Skin:
        """Prepare the meshes of a character."""
        meshes = character.meshes
        counts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        pairs = np.cumsum([0, *(len(mesh.nodes) for mesh in meshes)])
        width = max(mesh.joints.shape[1] for mesh in meshes)
        joints = np.zeros((counts[-1], width), dtype=np.int64)
        weights = np.zeros((counts[-1], width), dtype=np.float32)
        for mesh, vertex, pair in zip(meshes, counts[:-1], pairs[:-1], strict=True):
            rows = slice(vertex, vertex + len(mesh.vertices))
            joints[rows] = pair
            joints[rows, : mesh.joints.shape[1]] = mesh.joints + pair
            weights[rows, : mesh.joints.shape[1]] = mesh.weights
        starts = np.arange(0, joints.size + 1, width)
        blend = csr_matrix((weights.ravel(), joints.ravel(), starts), (counts[-1], pairs[-1]))
        blend.eliminate_zeros()
        return cls(
            nodes=np.concatenate([mesh.nodes for mesh in meshes]),
            inverse_bind=np.concatenate([mesh.inverse_bind for mesh in meshes]),
            blend=blend,
            vertices=np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32),
            faces=np.concatenate(
                [mesh.faces + first for mesh, first in zip(meshes, counts[:-1], strict=True)]
            ),
        )

    def pose(self, world: Array, frame: Array | None = None) -> Floats:
        """Return the vertices (V, 3) with nodes at world transforms (B, 4, 4).

        Parameters
        ----------
        world : (B, 4, 4) array
        frame : (4, 4) array, optional
            Transform that is applied last, from the file world to another frame.
        """
        moves = world[self.nodes] @ self.inverse_bind
        if frame is not None:
            moves = frame @ moves
        flat = np.ascontiguousarray(moves[:, :3].reshape(-1, 12), dtype=np.float32)
        blended = (self.blend @ flat).reshape(-1, 3, 4)
        posed = np.einsum("vij,vj->vi", blended[:, :, :3], self.vertices)
        return np.asarray(posed + blended[:, :, 3], dtype=np.float32)
