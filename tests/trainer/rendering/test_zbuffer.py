"""OpenCV's z-buffer against the NumPy rasterizer."""

import numpy as np
import pytest

from pymaf_live.body import default_body
from trainer.rendering.rasterizer import rasterize
from trainer.rendering.zbuffer import faces_camera, rasterize_opencv


@pytest.mark.parametrize("perspective", [True, False])
def test_agrees_with_the_numpy_rasterizer(perspective: bool) -> None:
    body = default_body()
    points = body.template * [1, -1, -1] + [0.1, 0, 2.2]
    flat = points[:, :2] / points[:, 2:] * 120 + [50, 30]
    size = (96, 110)
    found = rasterize_opencv(flat, points[:, 2], body.faces, size, perspective=perspective)
    exact = rasterize(flat, points[:, 2], body.faces, size, perspective=perspective)
    hit = exact.triangle >= 0
    assert hit.sum() > 800
    assert (found.hit == hit).mean() > 0.9995
    both = hit & found.hit
    assert np.abs(found.depth[both] - exact.depth[both]).max() < 1e-3
    assert np.isinf(found.depth[~found.hit]).all()
    own, reference = np.zeros((*hit.shape, 3)), np.zeros((*hit.shape, 3))
    own[found.hit] = found.interpolate(body.template.astype(np.float32))
    reference[hit] = exact.interpolate(body.faces, body.template)
    assert np.quantile(np.abs(own - reference)[both], 0.999) < 1e-4


def test_nearer_triangle_wins_and_one_behind_the_camera_is_left_out() -> None:
    square = np.array([[0, 0], [20, 0], [0, 20.0]])
    points = np.concatenate([square, square, square])
    depth = np.repeat([3.0, 2.0, -1.0], 3)
    faces = np.arange(9).reshape(3, 3)
    seen = rasterize_opencv(points, depth, faces, (16, 16))
    assert seen.triangle[3, 3] == 1
    assert seen.depth[3, 3] == pytest.approx(2.0, abs=1e-4)
    assert seen.triangle[15, 15] == -1


def test_no_triangle_in_view() -> None:
    seen = rasterize_opencv(np.zeros((3, 2)), np.full(3, -1.0), np.array([[0, 1, 2]]), (8, 8))
    assert not seen.hit.any()
    assert seen.interpolate(np.zeros((3, 2), np.float32)).shape == (0, 2)


def test_half_of_a_closed_body_faces_the_camera() -> None:
    body = default_body()
    points = body.template * [1, -1, -1] + [0, 0, 3]
    flat = points[:, :2] / points[:, 2:] * 90 + 60
    front = faces_camera(flat, body.faces)
    assert 0.4 < front.mean() < 0.6
    whole = rasterize_opencv(flat, points[:, 2], body.faces, (120, 120)).depth
    culled = rasterize_opencv(flat, points[:, 2], body.faces[front], (120, 120)).depth
    assert np.array_equal(whole, culled)
