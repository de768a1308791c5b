"""Texture charts, one per surface part: injective, with little stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

from pymaf_live.types import Array, Ints
from trainer.body.open_body.geometry import boundary_edges
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.parts import MIRRORED_PART, PART_NUMBER, PARTS

_ITERATIONS = 14
_EXPONENT = 2.8
"""Exponent of the superellipse of the boundary: between circle and square, strictly convex."""
_HALF_WIDTH = 0.495
"""Half the width of a chart in the unit square."""
_MIN_EDGE = 1e-4
"""Metres: shorter edges count as this long."""


@dataclass(frozen=True)
class Chart:
    """Texture coordinates of one part's P vertices."""

    vertices: Ints
    """(P,)"""
    uv: Array
    """(P, 2) 0..1"""
    faces: int
    flipped: int
    """Number of faces flipped in the chart."""
    stretch: float
    """L2 stretch over the part; 1 is isometric."""


@dataclass(frozen=True)
class TexturedMesh:
    """Mesh with vertices split at the borders of the parts; T texture vertices."""

    vertex: NDArray[np.int32]
    """(T,) mesh vertex of each texture vertex."""
    uv: NDArray[np.float32]
    """(T, 2) 0..1"""
    part: NDArray[np.uint8]
    """(T,) 1..24"""
    faces: NDArray[np.int32]
    """(F, 3) in texture vertices."""


def build_charts(
    half: HalfMesh, template: Array, face_part: NDArray[np.uint8]
) -> tuple[TexturedMesh, dict[str, Chart]]:
    """Unwrap every part; the charts of the right side mirror those of the left.

    Parameters
    ----------
    half : HalfMesh
    template : (V, 3) array
        Metres.
    face_part : (F,) uint8 array
        1..24

    Returns
    -------
    mesh : TexturedMesh
    charts : dict of str to Chart
        Charts of the left and the central parts, by name.
    """
    charts = {}
    finished: dict[int, tuple[Ints, Array]] = {}
    for name in PARTS:
        if name.startswith(("right", "head_right")):
            continue
        faces = half.faces[face_part == PART_NUMBER[name]]
        u_axis, v_axis = _axes(name)
        charts[name] = chart = _unwrap(faces, template, u_axis, v_axis)
        finished[PART_NUMBER[name]] = chart.vertices, chart.uv
    for name in PARTS:
        number = PART_NUMBER[name]
        if number not in finished:
            vertices, uv = finished[MIRRORED_PART[number]]
            finished[number] = half.mirror[vertices], uv
    return _join(half.faces, face_part, finished), charts


def _axes(part: str) -> tuple[Array, Array]:
    """Return the directions (3,) on the body along which u and v grow."""
    x, y, z = np.eye(3)
    if "arm" in part:
        return z, x
    if part in ("left_hand", "head_left"):
        return z, y
    return (x, z) if part == "left_foot" else (x, y)


def _join(
    faces: NDArray[np.int32], face_part: NDArray[np.uint8], charts: dict[int, tuple[Ints, Array]]
) -> TexturedMesh:
    vertex: list[int] = []
    uv: list[Array] = []
    part: list[int] = []
    numbers: dict[tuple[int, int], int] = {}
    for number in range(1, len(PARTS) + 1):
        vertices, positions = charts[number]
        for own, position in zip(vertices.tolist(), positions, strict=True):
            numbers[(own, number)] = len(vertex)
            vertex.append(own)
            uv.append(position)
            part.append(number)
    corners = [
        [numbers[(corner, own)] for corner in face]
        for face, own in zip(faces.tolist(), face_part, strict=True)
    ]
    return TexturedMesh(
        np.array(vertex, np.int32),
        np.array(uv, np.float32),
        np.array(part, np.uint8),
        np.array(corners, np.int32),
    )


def _unwrap(faces: NDArray[np.int32], points: Array, u_axis: Array, v_axis: Array) -> Chart:
    """Map a disc to the plane: Tutte's embedding with weights tuned against stretch.

    A convex boundary makes the map injective (Tutte, 1963). The weights are divided by the square
    root of each vertex's stretch, in each iteration (Yoshizawa, Belyaev and Seidel, 'A fast and
    simple stretch-minimizing mesh parameterization', SMI 2004); the best iteration is kept.
    """
    loop = _boundary_loop(faces)
    vertices = np.unique(faces).astype(np.int64)
    count = len(vertices)
    local = np.searchsorted(vertices, faces)
    boundary = np.searchsorted(vertices, loop)
    inner = np.setdiff1d(np.arange(count), boundary)
    positions: Array = np.zeros((count, 2))
    positions[boundary] = _convex_boundary(points[loop], u_axis, v_axis)
    corners = [[0, 1], [1, 2], [2, 0], [1, 0], [2, 1], [0, 2]]
    edges = np.unique(np.concatenate([local[:, pair] for pair in corners]), axis=0)
    lengths = np.linalg.norm(points[vertices[edges[:, 0]]] - points[vertices[edges[:, 1]]], axis=1)
    weights = 1 / np.maximum(lengths, _MIN_EDGE)
    best: tuple[tuple[int, float], Array] | None = None
    for _ in range(_ITERATIONS):
        graph = csr_matrix((weights, (edges[:, 0], edges[:, 1])), (count, count))
        laplacian = diags(np.asarray(graph.sum(1)).ravel()) - graph
        if len(inner):
            system = laplacian[inner]
            fixed = -(system[:, boundary] @ positions[boundary])
            positions[inner] = spsolve(system[:, inner].tocsc(), fixed)
        stretch = _Stretch(points[faces], positions[local])
        quality = stretch.flipped, stretch.total
        if best is None or quality < best[0]:
            best = quality, positions.copy()
        at_vertices = stretch.at_vertices(local, count)
        weights = weights / np.sqrt(at_vertices[edges[:, 1]])
    assert best is not None
    (flipped, total), positions = best
    uv = 0.5 + _HALF_WIDTH * positions / np.abs(positions).max()
    return Chart(vertices, uv, len(faces), flipped, total)


def _boundary_loop(faces: NDArray[np.int32]) -> list[int]:
    """Return the boundary of a disc in order.

    Raises
    ------
    ValueError
        If the faces are not one disc.
    """
    next_vertex: dict[int, int] = {}
    for a, b in boundary_edges(faces):
        if a in next_vertex:
            raise ValueError("a surface part touches itself at a vertex")
        next_vertex[a] = b
    start = next(iter(next_vertex))
    loop = [start]
    while next_vertex[loop[-1]] != start:
        loop.append(next_vertex[loop[-1]])
    if len(loop) != len(next_vertex):
        raise ValueError("a surface part has more than one boundary")
    return loop


def _convex_boundary(points: Array, u_axis: Array, v_axis: Array) -> Array:
    """Return positions (N, 2) on a superellipse for boundary points (N, 3) in order.

    Distances along the boundary are preserved; orientation and rotation are those that agree best
    with the axes on the body.
    """
    offset = points - points.mean(0)
    steps = np.linalg.norm(np.roll(points, -1, 0) - points, axis=1)
    along = 2 * np.pi * np.concatenate([[0], np.cumsum(steps)[:-1]]) / steps.sum()
    target = np.arctan2(offset @ v_axis, offset @ u_axis)
    _, sign, phase = max(
        ((np.cos(direction * along + start - target) * steps).sum(), direction, start)
        for direction in (1, -1)
        for start in np.linspace(0, 2 * np.pi, 360)
    )
    angle = sign * along + phase
    x, y = np.cos(angle), np.sin(angle)
    radius = (np.abs(x) ** _EXPONENT + np.abs(y) ** _EXPONENT) ** (-1 / _EXPONENT)
    return np.stack([radius * x, radius * y], 1)


class _Stretch:
    """L2 stretch of a map from a surface to the plane.

    Sander et al., 'Texture mapping progressive meshes' (SIGGRAPH 2001).

    Parameters
    ----------
    surface : (F, 3, 3) array
        Corners on the body, m.
    chart : (F, 3, 2) array
        Corners in the chart.
    """

    def __init__(self, surface: Array, chart: Array) -> None:
        p, q = surface, chart
        self._area = 0.5 * np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
        area = 0.5 * (
            (q[:, 1, 0] - q[:, 0, 0]) * (q[:, 2, 1] - q[:, 0, 1])
            - (q[:, 1, 1] - q[:, 0, 1]) * (q[:, 2, 0] - q[:, 0, 0])
        )
        area = area * np.sign(area.sum())
        double = 2 * np.maximum(area, 1e-12)[:, None]
        s_u = (
            p[:, 0] * (q[:, 1, 1] - q[:, 2, 1])[:, None]
            + p[:, 1] * (q[:, 2, 1] - q[:, 0, 1])[:, None]
            + p[:, 2] * (q[:, 0, 1] - q[:, 1, 1])[:, None]
        ) / double
        s_v = (
            p[:, 0] * (q[:, 2, 0] - q[:, 1, 0])[:, None]
            + p[:, 1] * (q[:, 0, 0] - q[:, 2, 0])[:, None]
            + p[:, 2] * (q[:, 1, 0] - q[:, 0, 0])[:, None]
        ) / double
        self._square = 0.5 * ((s_u**2).sum(1) + (s_v**2).sum(1))
        mean_square = (self._square * self._area).sum() / self._area.sum()
        self.total = float(np.sqrt(mean_square) * np.sqrt(area.sum() / self._area.sum()))
        self.flipped = int((area <= 0).sum())

    def at_vertices(self, corners: Ints, count: int) -> Array:
        """Return the stretch (N,) around each vertex, relative to their mean."""
        stretch, area = np.zeros(count), np.zeros(count)
        for corner in range(3):
            np.add.at(stretch, corners[:, corner], self._square * self._area)
            np.add.at(area, corners[:, corner], self._area)
        stretch = np.sqrt(stretch / area)
        return np.asarray(stretch / stretch.mean())
