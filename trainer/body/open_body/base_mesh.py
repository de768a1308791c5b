"""Left half of MakeHuman's skin as triangles, without inner faces and with closed openings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints, Mask
from trainer.body.open_body.geometry import boundary_edges
from trainer.body.open_body.makehuman import SKIN_VERTICES, MakeHumanMesh

_INNER_MIN_Y, _INNER_MAX_HEIGHT = 0.60, 0.12
"""Metres: a texture island above the first and less tall than the second lies inside the head."""


@dataclass(frozen=True)
class HalfSkin:
    """Left half of the skin; vertex numbers are MakeHuman's."""

    faces: Ints
    """(F, 3) counter-clockwise seen from outside; open along the midline only."""
    on_midline: Mask
    """(V,) vertices at x = 0."""
    cornea: int
    """Foremost vertex of the left eye, which closes the opening between the lids."""
    mouth_corner: int
    eye_loop: list[int]
    """Vertices along the edge of the lids, in order."""


def build_half_skin(mesh: MakeHumanMesh) -> HalfSkin:
    """Cut the left half out of the base mesh and close eye and mouth.

    Raises
    ------
    InputError
        If the mesh has no opening at the eye or the mouth.
    """
    vertices = mesh.vertices
    quads = mesh.quads[~inner_faces(mesh)]
    is_left = np.zeros(SKIN_VERTICES, bool)
    is_left[vertices[:SKIN_VERTICES, 0] >= -1e-9] = True
    faces = triangulate(vertices, quads[is_left[quads].all(1)])
    on_midline = np.abs(vertices[:, 0]) < 1e-7
    next_vertex = dict(boundary_edges(faces))
    eye_loop = _closed_loop(next_vertex, on_midline)
    mouth_path = _mouth_path(next_vertex, on_midline)
    if not eye_loop or not mouth_path:
        raise InputError(f"the base mesh in {mesh.folder} has no opening at the eye or the mouth")
    eye = mesh.group("helper-l-eye")
    cornea = int(eye[vertices[eye, 2].argmax()])
    # a fan to the cornea, against the direction of the loop
    closing_faces = [
        (eye_loop[(place + 1) % len(eye_loop)], vertex, cornea)
        for place, vertex in enumerate(eye_loop)
    ]
    corner = int(np.argmax(vertices[mouth_path, 0]))
    closing_faces += _fill_gap(vertices, mouth_path[: corner + 1], mouth_path[corner:][::-1])
    return HalfSkin(
        np.concatenate([faces, np.array(closing_faces)]),
        on_midline,
        cornea,
        mouth_path[corner],
        eye_loop,
    )


def inner_faces(mesh: MakeHumanMesh) -> Mask:
    """Return a mask (Q,) of the mouth cavity and the eye sockets: texture islands in the head."""
    quads = mesh.texture_quads
    count = int(quads.max()) + 1
    edges = np.stack([quads.ravel(), np.roll(quads, -1, 1).ravel()])
    graph = coo_matrix((np.ones(edges.shape[1]), edges), (count, count))
    island = connected_components(graph, directed=False)[1][quads[:, 0]]
    inner = np.zeros(len(quads), bool)
    for number in np.unique(island):
        height = mesh.vertices[np.unique(mesh.quads[island == number]), 1]
        if height.min() > _INNER_MIN_Y and np.ptp(height) < _INNER_MAX_HEIGHT:
            inner |= island == number
    return inner


def triangulate(vertices: Array, quads: Ints) -> Ints:
    """Return quads (Q, 4) as triangles (2 Q, 3), cut along the shorter diagonal."""
    first = np.linalg.norm(vertices[quads[:, 0]] - vertices[quads[:, 2]], axis=1)
    second = np.linalg.norm(vertices[quads[:, 1]] - vertices[quads[:, 3]], axis=1)
    along_first, others = quads[first <= second], quads[first > second]
    return np.concatenate(
        [
            along_first[:, [0, 1, 2]],
            along_first[:, [0, 2, 3]],
            others[:, [0, 1, 3]],
            others[:, [1, 2, 3]],
        ]
    )


def _closed_loop(next_vertex: dict[int, int], on_midline: Mask) -> list[int]:
    """Return the boundary loop that never meets the midline: the opening of the eye."""
    visited: set[int] = set()
    loop: list[int] = []
    for start in list(next_vertex):
        if start in visited or on_midline[start]:
            continue
        path = [start]
        visited.add(start)
        while True:
            after = next_vertex[path[-1]]
            if after == start or on_midline[after]:
                break
            path.append(after)
            visited.add(after)
        if next_vertex[path[-1]] == start:
            loop = path
    return loop


def _mouth_path(next_vertex: dict[int, int], on_midline: Mask) -> list[int]:
    """Return the boundary path that leaves the midline and returns to it: both lips."""
    lips: list[int] = []
    for start in next_vertex:
        if on_midline[start] and not on_midline[next_vertex[start]]:
            path = [start]
            while True:
                path.append(next_vertex[path[-1]])
                if on_midline[path[-1]]:
                    break
            lips = path
    return lips


def _fill_gap(vertices: Array, upper: list[int], lower: list[int]) -> list[tuple[int, int, int]]:
    """Return triangles between two paths from the midline to one corner, shortest edge first."""
    faces = []
    i = j = 0
    while i < len(upper) - 1 or j < len(lower) - 1:
        if j >= len(lower) - 1 or (
            i < len(upper) - 1
            and np.linalg.norm(vertices[upper[i + 1]] - vertices[lower[j]])
            <= np.linalg.norm(vertices[upper[i]] - vertices[lower[j + 1]])
        ):
            face = (upper[i + 1], upper[i], lower[j])
            i += 1
        else:
            face = (lower[j], lower[j + 1], upper[i])
            j += 1
        if len(set(face)) == 3:
            faces.append(face)
    return faces
