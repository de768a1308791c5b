"""Tests of area-weighted vertex normals."""

from __future__ import annotations

import numpy as np

from pymaf_live.body import Body, default_body
from pymaf_live.body.normals import VertexNormals, vertex_normals


def by_hand(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    total = np.zeros_like(vertices)
    for face in faces:
        a, b, c = vertices[face]
        for corner in face:
            total[corner] += np.cross(b - a, c - a)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def test_normals_of_the_body_are_unit_vectors_and_equal_those_by_hand() -> None:
    body: Body = default_body()
    normals = vertex_normals(body.template, body.faces)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    assert np.allclose(normals, by_hand(body.template, body.faces), atol=1e-9)


def test_precision_follows_the_vertices() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    normals = VertexNormals(np.array([[0, 1, 2]]), 3)(vertices)
    assert normals.dtype == np.float32
    assert np.array_equal(normals, np.tile(np.float32([0, 0, 1]), (3, 1)))


def test_vertices_without_area_point_up() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]])
    expected = np.tile([0.0, 1.0, 0.0], (4, 1))
    assert np.array_equal(vertex_normals(vertices, np.array([[0, 1, 2]])), expected)
    assert np.array_equal(vertex_normals(vertices, np.zeros((0, 3), np.int64)), expected)
