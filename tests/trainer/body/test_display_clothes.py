"""Steps of building the display meshes."""

from __future__ import annotations

import numpy as np

from trainer.body.display_clothes import Layer, with_rims
from trainer.body.open_body.decimate import decimate
from trainer.body.open_body.geometry import boundary_edges

_SIDE = 12


def _sheet() -> tuple[np.ndarray, np.ndarray]:
    """Return a bent sheet of vertices 0.1 m apart, and its triangles."""
    x, z = (part.ravel() for part in np.meshgrid(np.arange(_SIDE), np.arange(_SIDE)))
    points = np.stack([0.1 * x, 0.02 * np.sin(x / 2), 0.1 * z], axis=1)
    corner = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, c, b), (a, d, c))])
    return points, faces


def test_an_open_sheet_keeps_its_outline_when_it_is_decimated() -> None:
    points, faces = _sheet()
    count = len(points)
    reduced = decimate(points, faces, count // 3, frozenset(), np.ones(count), profile=False)
    left = points[np.unique(reduced)]
    assert len(left) <= count // 3
    assert np.allclose(left.min(axis=0)[[0, 2]], 0)
    assert np.allclose(left.max(axis=0)[[0, 2]], 0.1 * (_SIDE - 1))
    corners = points[reduced]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 1] > 0).all()


def test_open_edges_get_an_inner_side() -> None:
    points, faces = _sheet()
    count = len(points)
    layer = with_rims(
        Layer(
            points,
            np.zeros((count, 3, 2)),
            np.ones((count, 1)),
            faces,
            np.ones((count, 3)),
            np.ones(count),
        )
    )
    inner = layer.faces[len(faces) :]
    # the outermost ring only, reversed, with vertices and darker colours of its own
    assert 0 < len(inner) < len(faces)
    assert inner.min() >= count
    assert np.allclose(layer.colours[inner], 0.7)
    centres = layer.template[inner].mean(axis=1)
    ends = layer.template[np.unique(boundary_edges(faces))]
    assert np.linalg.norm(centres[:, None] - ends, axis=2).min(axis=1).max() < 0.1
    corners = layer.template[inner]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 1] < 0).all()
