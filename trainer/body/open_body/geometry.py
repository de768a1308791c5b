"""Rotations, triangle topology and volumes, shared by several steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymaf_live.body.vectors import unit_vectors
from pymaf_live.types import Array, Ints


def boundary_edges(faces: NDArray[np.integer]) -> list[tuple[int, int]]:
    """Return the directed edges (a, b) of oriented triangles (F, 3) that no face has as (b, a)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = set(map(tuple, edges.tolist()))
    return [(a, b) for a, b in directed if (b, a) not in directed]


def directed_edges(faces: NDArray[np.integer]) -> Ints:
    """Return every edge of triangles (F, 3) in both directions once, (E, 2), sorted."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    return np.unique(both, axis=0)


def mesh_volume(points: Array, faces: NDArray[np.integer]) -> Array:
    """Return the volume (...,) in m3 of closed meshes (..., V, 3); positive if wound outwards."""
    a, b, c = (points[..., faces[:, corner], :] for corner in range(3))
    return np.asarray((np.cross(a, b) * c).sum(-1).sum(-1) / 6.0)


def stature(points: Array) -> Array:
    """Return the extent (S,) in y of bodies (S, V, 3)."""
    return np.asarray(np.ptp(points[:, :, 1], axis=1))


def smoothstep(values: Array) -> Array:
    """Return 3 x^2 - 2 x^3 of values clipped to 0..1."""
    x = np.clip(values, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def rotation_x(angle: float) -> Array:
    """Return the rotation (3, 3) about x by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rotations_z(angle: Array) -> Array:
    """Return rotations (S, 3, 3) about z by angles (S,) in radians."""
    c, s, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    rows = [
        np.stack([c, -s, zero], -1),
        np.stack([s, c, zero], -1),
        np.stack([zero, zero, one], -1),
    ]
    return np.stack(rows, -2)


def rotations_about(axis: Array, angle: Array) -> Array:
    """Return rotations (S, 3, 3) about axes (S, 3) by angles (S,): Rodrigues' formula."""
    k = unit_vectors(axis)
    crossed = np.zeros((*k.shape[:-1], 3, 3))
    crossed[..., 0, 1], crossed[..., 0, 2] = -k[..., 2], k[..., 1]
    crossed[..., 1, 0], crossed[..., 1, 2] = k[..., 2], -k[..., 0]
    crossed[..., 2, 0], crossed[..., 2, 1] = -k[..., 1], k[..., 0]
    t = np.asarray(angle)[..., None, None]
    rotation = np.eye(3) + np.sin(t) * crossed + (1 - np.cos(t)) * (crossed @ crossed)
    return np.asarray(rotation)


def shortest_rotations(source: Array, target: Array) -> Array:
    """Return the smallest rotations (S, 3, 3) from directions (S, 3) to unit targets."""
    a = unit_vectors(source)
    axis = np.cross(a, target)
    angle = np.arctan2(np.linalg.norm(axis, axis=-1), (a * target).sum(-1))
    # parallel directions have no axis; any axis works for an angle of zero
    return rotations_about(axis + 1e-12, angle)


def frames(first: Array, second: Array) -> Array:
    """Return right-handed frames (S, 3, 3).

    Columns: `first` (S, 3), the part of `second` (S, 3) orthogonal to it, their cross product.
    """
    a = unit_vectors(first)
    b = unit_vectors(second - (a * second).sum(-1, keepdims=True) * a)
    return np.stack([a, b, np.cross(a, b)], -1)


def rotate_vectors(rotations: Array, vectors: Array) -> Array:
    """Return rotations (S, 3, 3) applied to vectors (S, 3), row by row."""
    return np.asarray(np.einsum("sij,sj->si", rotations, vectors))
