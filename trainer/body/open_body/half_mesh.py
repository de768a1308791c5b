"""Vertex numbering of the body: left half and midline, then the mirrored right half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pymaf_live.types import Array, Ints, Mask


@dataclass(frozen=True)
class HalfMesh:
    """Decimated half mesh and the whole mesh made from it; H half and V whole vertices."""

    base_vertex: Ints
    """(H,) MakeHuman's vertex of each half vertex."""
    on_midline: Mask
    """(H,)"""
    half_faces: Ints
    """(F / 2, 3)"""
    faces: NDArray[np.int32]
    """(F, 3) the half's faces, then their mirror images."""
    mirror: Ints
    """(V,) counterpart of each vertex; itself on the midline."""
    half_of: Ints
    """(V,) half vertex of each vertex."""
    side: Array
    """(V,) 1, or -1 for the mirrored copies."""

    @property
    def half_count(self) -> int:
        """Return H."""
        return len(self.base_vertex)

    @property
    def count(self) -> int:
        """Return V."""
        return len(self.mirror)

    @property
    def off_midline(self) -> Ints:
        """Half vertices that have a mirrored copy, in the copies' order."""
        return np.flatnonzero(~self.on_midline)

    def whole(self, offsets: Array) -> Array:
        """Mirror points or offsets (..., H, 3) of the half to the whole body, (..., V, 3)."""
        both: Array = offsets[..., self.half_of, :].copy()
        both[..., 0] *= self.side
        return both


def build_half_mesh(vertices: Array, faces: Ints) -> HalfMesh:
    """Build the whole mesh from the decimated half, with new vertex numbers.

    Parameters
    ----------
    vertices : (N, 3) array
        MakeHuman's vertices, m.
    faces : (F / 2, 3) array
        The decimated left half, in MakeHuman's numbers.
    """
    base_vertex = np.unique(faces)
    half = len(base_vertex)
    renumbered = -np.ones(len(vertices), int)
    renumbered[base_vertex] = np.arange(half)
    on_midline = np.abs(vertices[base_vertex, 0]) < 1e-7
    off = np.flatnonzero(~on_midline)
    mirror = np.arange(half + len(off))
    mirror[off] = half + np.arange(len(off))
    mirror[half:] = off
    half_faces = renumbered[faces]
    return HalfMesh(
        base_vertex=base_vertex,
        on_midline=on_midline,
        half_faces=half_faces,
        faces=np.concatenate([half_faces, mirror[half_faces][:, ::-1]]).astype(np.int32),
        mirror=mirror,
        half_of=np.concatenate([np.arange(half), off]),
        side=np.concatenate([np.ones(half), -np.ones(len(off))]),
    )
