"""Vertex normals of triangle meshes."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from pymaf_live.types import Array, Ints

_Float = TypeVar("_Float", np.float32, np.float64)


class VertexNormals:
    """Area-weighted vertex normals of meshes that share their faces.

    Parameters
    ----------
    faces : (F, 3) int array
        Counter-clockwise seen from outside.
    vertex_count : int
        V.
    """

    def __init__(self, faces: Ints, vertex_count: int) -> None:
        self._faces = faces
        corners = faces.T.ravel()
        order = np.argsort(corners, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(corners, minlength=vertex_count))])
        # (V, F): 1 where a face touches a vertex; float32, so that it widens no result
        self._faces_of_vertex = csr_matrix(
            (np.ones(len(order), np.float32), order % max(len(faces), 1), starts),
            shape=(vertex_count, len(faces)),
        )

    def __call__(self, vertices: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
        """Return the unit normals (V, 3) of vertices (V, 3), in the vertices' precision.

        The area weight keeps slivers from tilting their neighbours. A vertex without a face, or
        with faces of no area, gets (0, 1, 0).
        """
        a, b, c = (vertices[self._faces[:, corner]] for corner in range(3))
        total = self._faces_of_vertex @ np.cross(b - a, c - a)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        up = np.array([0.0, 1.0, 0.0], total.dtype)
        tiny = np.finfo(total.dtype).tiny
        normals: npt.NDArray[_Float] = np.where(length > 0, total / np.maximum(length, tiny), up)
        return normals


def vertex_normals(vertices: Array, faces: Ints) -> Array:
    """Return the area-weighted unit normals (V, 3) of one mesh; see `VertexNormals`."""
    return VertexNormals(faces, len(vertices))(vertices)
