from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.rendering.rasteriser import nearest_faces
from pymaf_live.rendering.style import PALETTE, shade

WIDTH, HEIGHT = SIZE = (40, 30)


def by_hand(
    pixels: np.ndarray, inverse_depth: np.ndarray, values: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return coverage and values, pixel by pixel and face by face, by Cramer's rule and 1 / z."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    shown = np.zeros((HEIGHT, WIDTH, values.shape[1]))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            best = 0.0
            for face in faces:
                corners = np.vstack([pixels[face].T, np.ones(3)])
                if np.linalg.det(corners) > 0:
                    continue
                weights = np.linalg.solve(corners, [column, row, 1])
                near = weights @ inverse_depth[face]
                if (weights >= 0).all() and near > best:
                    best = near
                    inside[row, column] = True
                    shown[row, column] = weights @ values[face]
    return inside, shown


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_random_triangles_match_the_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    # some extend beyond the image on all sides
    pixels = random.uniform(-15, 50, (24, 2))
    inverse_depth = random.uniform(0.1, 2, 24).astype(np.float32)
    values = random.uniform(0, 1, (24, 2)).astype(np.float32)
    faces = np.arange(24, dtype=np.int32).reshape(8, 3)
    inside, shown = by_hand(pixels, inverse_depth, values, faces)
    pixel, spread = nearest_faces(pixels, inverse_depth, values, faces, SIZE)
    drawn = np.zeros(WIDTH * HEIGHT, bool)
    drawn[pixel] = True
    assert len(np.unique(pixel)) == len(pixel)
    assert np.array_equal(drawn.reshape(inside.shape), inside)
    assert np.allclose(spread, shown.reshape(-1, 2)[pixel], atol=1e-4)
    assert 100 < inside.sum() < inside.size


def test_a_shared_edge_and_corners_on_pixel_centres_leave_no_crack() -> None:
    # a rectangle of two triangles, all corners on pixel centres
    pixels = np.array([[5, 5], [5, 20], [30, 20], [30, 5]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    pixel, _ = nearest_faces(
        pixels, np.ones(4, np.float32), np.ones((4, 1), np.float32), faces, SIZE
    )
    rows, columns = np.divmod(np.sort(pixel), WIDTH)
    assert len(pixel) == 16 * 26
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 20, 5, 30)


def test_a_surface_facing_the_light_is_brighter_than_one_turned_away() -> None:
    points = np.tile([0.0, 0.0, 3.0], (3, 1))
    normals = np.array([[-0.4, -0.5, -0.77], [0.0, 0.0, -1.0], [0.6, 0.7, -0.39]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    for colour in PALETTE:
        lit = shade(points, normals, colour).mean(axis=1)
        assert lit[0] > lit[1] > lit[2] > 0.15
        assert lit[0] < 1
