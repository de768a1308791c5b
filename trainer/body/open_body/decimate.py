"""Mesh decimation by half-edge collapse with quadric errors.

Garland and Heckbert, 'Surface simplification using quadric error metrics' (SIGGRAPH 1997), but a
removed vertex merges into a neighbour instead of moving: the remaining vertices are original ones,
so that MakeHuman's targets and weights apply exactly.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Set

import numpy as np

from pymaf_live.types import Array, Ints
from trainer.body.open_body.geometry import boundary_edges
from trainer.body.open_body.rig import Rig, bone_and_side

Face = tuple[int, ...]

_LENGTH_WEIGHT = 2.5e-3
"""Weight of the fourth power of an edge's length: preserves some vertices in flat regions."""
_MIN_SHAPE = 0.12
"""Minimum of twice a face's area over half its summed squared edges; rejects slivers."""
_MIN_COSINE = 0.35
"""Minimum cosine between a face's normals before and after a collapse."""
_MAX_NEIGHBOURS = 11

_HEAD_BONES = ("oris", "levator", "oculi", "orbic", "special", "temporalis", "risorius", "eye",
               "tongue")  # fmt: skip
_HEAD, _HAND, _TOES, _FACE = 1.6, 2.5, 1.2, 4.0
"""Factors on the cost of removing vertices."""
_FACE_DEPTH = 0.03
"""Metres in front of the head's joint where the face begins."""


def importance(rig: Rig, body: Array, head_joint: Array) -> Array:
    """Return the factor (V,) on the cost of removing each vertex; 1 on trunk and limbs.

    Parameters
    ----------
    rig : Rig
    body : (V, 3) array
        The middle adult.
    head_joint : (3,) array
    """
    head = rig.share(is_head_bone)
    factor = np.ones(len(body))
    factor[head > 0.5] = _HEAD
    factor[rig.share(is_hand_bone) > 0.5] = _HAND
    factor[rig.share(is_toe_bone) > 0.5] = _TOES
    factor[(body[:, 2] > head_joint[2] + _FACE_DEPTH) & (head > 0.5)] = _FACE
    return factor


def is_head_bone(bone: str) -> bool:
    """Return True for the head, the jaw and the muscles of the face."""
    return bone in ("head", "jaw") or bone.split(".")[0].startswith(_HEAD_BONES)


def is_hand_bone(bone: str) -> bool:
    """Return True for wrist, palm and fingers."""
    return bone.startswith(("finger", "metacarpal", "wrist"))


def is_toe_bone(bone: str) -> bool:
    """Return True for the toes."""
    return bone_and_side(bone)[0].startswith("toe")


def decimate(
    points: Array,
    faces: Ints,
    target: int,
    locked: Set[int],
    factor: Array,
    *,
    profile: bool = True,
) -> Ints:
    """Remove vertices until `target` remain.

    Parameters
    ----------
    points : (V, 3) array
        Metres.
    faces : (F, 3) array
        Oriented mesh; boundary vertices merge along the boundary only.
    target : int
    locked : set of int
        Vertices that are never removed.
    factor : (V,) array
        See `importance`.
    profile : bool
        The boundary is the body's midline, whose profile is kept; otherwise it may be any edge.

    Returns
    -------
    (F', 3) array
        Faces between the remaining vertices, in the original numbers.
    """
    collapse = _Collapse(points, faces, locked, factor, profile=profile)
    collapse.run(target)
    return np.array(list(collapse.faces.values()))


class _Collapse:
    """State of a decimation: faces by number, faces of each vertex, heap of collapses."""

    def __init__(
        self, points: Array, faces: Ints, locked: Set[int], factor: Array, *, profile: bool
    ) -> None:
        self._points, self._locked, self._factor = points, locked, factor
        self.faces: dict[int, Face] = {i: tuple(face) for i, face in enumerate(faces.tolist())}
        self._faces_of: dict[int, set[int]] = defaultdict(set)
        for number, face in self.faces.items():
            for vertex in face:
                self._faces_of[vertex].add(number)
        edges = boundary_edges(faces)
        self._boundary = set(itertools.chain.from_iterable(edges))
        self._quadrics = _quadrics(points, self.faces, edges, profile=profile)
        # a heap entry is outdated if the vertex's stamp has changed since
        self._stamp: dict[int, int] = defaultdict(int)
        self._heap: list[tuple[float, int, int, int]] = []
        self._alive = set(self._faces_of)
        for vertex in self._alive:
            self._push(vertex)

    def run(self, target: int) -> None:
        """Collapse the cheapest edges until `target` vertices remain or no collapse is legal."""
        while len(self._alive) > target and self._heap:
            cost, vertex, onto, stamp = heapq.heappop(self._heap)
            if vertex not in self._alive or stamp != self._stamp[vertex] or onto not in self._alive:
                continue
            chosen: int | None = onto
            if not self._is_legal(vertex, onto):
                # without a legal alternative the vertex stays until a neighbour changes
                chosen = self._alternative(vertex, onto, cost)
            if chosen is not None:
                self._merge(vertex, chosen)

    def _neighbours(self, vertex: int) -> set[int]:
        corners = (self.faces[number] for number in self._faces_of[vertex])
        return set(itertools.chain.from_iterable(corners)) - {vertex}

    def _cost(self, vertex: int, onto: int) -> float:
        place = np.append(self._points[onto], 1)
        square = ((self._points[onto] - self._points[vertex]) ** 2).sum()
        quadric = self._quadrics[vertex] + self._quadrics[onto]
        cost = place @ quadric @ place + _LENGTH_WEIGHT * square * square
        return float(cost * self._factor[vertex])

    def _leaves_boundary(self, vertex: int, onto: int) -> bool:
        """Return True if a boundary vertex would move off the boundary."""
        if vertex not in self._boundary:
            return False
        shared = self._faces_of[vertex] & self._faces_of[onto]
        return onto not in self._boundary or len(shared) != 1

    def _push(self, vertex: int) -> None:
        """Push the vertex's cheapest collapse onto the heap."""
        if vertex in self._locked:
            return
        best: tuple[float, int] | None = None
        for onto in self._neighbours(vertex):
            if self._leaves_boundary(vertex, onto):
                continue
            cost = self._cost(vertex, onto)
            if best is None or cost < best[0]:
                best = (cost, onto)
        if best:
            heapq.heappush(self._heap, (best[0], vertex, best[1], self._stamp[vertex]))

    def _alternative(self, vertex: int, refused: int, cost: float) -> int | None:
        """Return the cheapest other legal target of a collapse, None if it costs too much."""
        options = [
            (self._cost(vertex, onto), onto)
            for onto in self._neighbours(vertex)
            if onto != refused and not self._leaves_boundary(vertex, onto)
        ]
        for other, onto in sorted(options):
            if other > max(6 * cost, 1e-13):
                break
            if self._is_legal(vertex, onto):
                return onto
        return None

    def _is_legal(self, vertex: int, onto: int) -> bool:
        """Return True if a collapse keeps the mesh manifold and causes no folds or slivers."""
        both = self._neighbours(vertex) & self._neighbours(onto)
        shared = self._faces_of[vertex] & self._faces_of[onto]
        if len(both) != len(shared) or len(shared) == 0:
            return False
        for number in self._faces_of[vertex] - shared:
            face = self.faces[number]
            before = self._points[list(face)]
            after = self._points[[onto if corner == vertex else corner for corner in face]]
            n0 = np.cross(before[1] - before[0], before[2] - before[0])
            n1 = np.cross(after[1] - after[0], after[2] - after[0])
            l0, l1 = np.linalg.norm(n0), np.linalg.norm(n1)
            edges = ((after - np.roll(after, 1, 0)) ** 2).sum()
            if l1 < _MIN_SHAPE * edges / 2 or n0 @ n1 < _MIN_COSINE * l0 * l1:
                return False
        around = len(self._neighbours(onto) | self._neighbours(vertex)) - 2
        return max(around, 0) <= _MAX_NEIGHBOURS

    def _merge(self, vertex: int, onto: int) -> None:
        """Merge the vertex into a neighbour, and update the collapses around it."""
        for number in list(self._faces_of[vertex]):
            face = self.faces[number]
            for corner in face:
                self._faces_of[corner].discard(number)
            if onto in face:
                del self.faces[number]
            else:
                moved = tuple(onto if corner == vertex else corner for corner in face)
                self.faces[number] = moved
                for corner in moved:
                    self._faces_of[corner].add(number)
        self._alive.discard(vertex)
        self._faces_of.pop(vertex, None)
        self._quadrics[onto] = self._quadrics[onto] + self._quadrics[vertex]
        for near in self._neighbours(onto) | {onto}:
            self._stamp[near] += 1
            self._push(near)


def _quadrics(
    points: Array, faces: dict[int, Face], boundary: list[tuple[int, int]], *, profile: bool
) -> dict[int, Array]:
    """Return the (4, 4) quadric of each vertex.

    Planes of faces are weighted by area, those of boundary edges by squared length.
    """
    quadrics: dict[int, Array] = defaultdict(lambda: np.zeros((4, 4)))
    for face in faces.values():
        corners = points[list(face)]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        area = np.linalg.norm(normal)
        if area < 1e-14:
            continue
        normal = normal / area
        plane = np.append(normal, -normal @ corners[0])
        for vertex in face:
            quadrics[vertex] += np.outer(plane, plane) * area
    # planes through the boundary edges, orthogonal to the symmetry plane, preserve the profile;
    # at any other edge they are orthogonal to the face there
    across = {} if profile else _boundary_normals(points, faces, boundary)
    for a, b in boundary:
        along = points[b] - points[a]
        length = np.linalg.norm(along)
        if length < 1e-9:
            continue
        normal = np.cross(along / length, across.get((a, b), np.array([1.0, 0, 0])))
        plane = np.append(normal, -normal @ points[a])
        quadric = np.outer(plane, plane) * length * length
        quadrics[a] += quadric
        quadrics[b] += quadric
    return quadrics


def _boundary_normals(
    points: Array, faces: dict[int, Face], boundary: list[tuple[int, int]]
) -> dict[tuple[int, int], Array]:
    """Return the unit normal (3,) of the face at each boundary edge."""
    wanted = set(boundary)
    normals: dict[tuple[int, int], Array] = {}
    for face in faces.values():
        corners = points[list(face)]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        for edge in itertools.pairwise((*face, face[0])):
            if edge in wanted:
                normals[edge] = normal / max(float(np.linalg.norm(normal)), 1e-14)
    return normals
