"""Meshes of the people of a take."""

from __future__ import annotations

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import UsageError
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

_mesh: list[PointSet] = []
"""Mesh of the body used last: building it costs more than posing it."""


def vertices_of(take: Take, body: Body, frame: int, person: int | None = None) -> Array:
    """Return the mesh (V, 3) of one person in one frame; see `Take.vertices`.

    Raises
    ------
    UsageError
        If the frame or the person is not in the take, or the person is ambiguous.
    """
    row = _row(take, frame, person)
    return _mesh_of(body).pose(
        matrix_from_axis_angle(take.pose[row]), take.shape[row], take.translation[row]
    )


def _mesh_of(body: Body) -> PointSet:
    cached = _mesh[0] if _mesh else None
    if cached is None or cached.body is not body:
        cached = PointSet.vertices(body)
        _mesh[:] = [cached]
    return cached


def _row(take: Take, frame: int, person: int | None) -> int:
    if not 0 <= frame < len(take.frame_time):
        raise UsageError(f"the take has no frame {frame}; it has {len(take.frame_time)} frames")
    rows = np.flatnonzero(take.frame == frame)
    if person is not None:
        rows = rows[take.person[rows] == person]
    if not len(rows):
        who = "no person" if person is None else f"no person {person}"
        raise UsageError(f"there is {who} in frame {frame}")
    if len(rows) > 1:
        numbers = ", ".join(str(number) for number in take.person[rows])
        raise UsageError(f"frame {frame} has several people ({numbers}); choose one")
    return int(rows[0])
