"""OpenCV's fast z-buffer against the slow one that draws the demo."""

import numpy as np
import pytest

from pymaf_live.body import default_body
from trainer.rendering.renderer import rasterize
from trainer.rendering.zbuffer import facing, look


@pytest.mark.parametrize("perspective", [True, False])
def test_sees_what_the_slow_rasteriser_sees(perspective: bool) -> None:
    body = default_body()
    points = body.template * [1, -1, -1] + [0.1, 0, 2.2]
    flat = points[:, :2] / points[:, 2:] * 120 + [50, 30]
    size = (96, 110)
    fast = look(flat, points[:, 2], body.faces, size, perspective=perspective)
    slow = rasterize(flat, points[:, 2], body.faces, size, perspective=perspective)
    hit = slow.triangle >= 0
    assert hit.sum() > 800
    assert (fast.hit == hit).mean() > 0.9995
    both = hit & fast.hit
    assert np.abs(fast.depth - slow.depth)[both].max() < 1e-3
    assert np.isinf(fast.depth[~fast.hit]).all()
    own, reference = np.zeros((*hit.shape, 3)), np.zeros((*hit.shape, 3))
    own[fast.hit] = fast.interpolate(body.template.astype(np.float32))
    reference[hit] = slow.interpolate(body.faces, body.template)
    assert np.quantile(np.abs(own - reference)[both], 0.999) < 1e-4


def test_nearer_triangle_wins_and_one_behind_the_camera_is_left_out() -> None:
    square = np.array([[0, 0], [20, 0], [0, 20.0]])
    points = np.concatenate([square, square, square])
    depth = np.repeat([3.0, 2.0, -1.0], 3)
    faces = np.arange(9).reshape(3, 3)
    seen = look(points, depth, faces, (16, 16))
    assert seen.triangle[3, 3] == 1
    assert seen.depth[3, 3] == pytest.approx(2.0, abs=1e-4)
    assert seen.triangle[15, 15] == -1


def test_nothing_to_see() -> None:
    seen = look(np.zeros((3, 2)), np.full(3, -1.0), np.array([[0, 1, 2]]), (8, 8))
    assert not seen.hit.any()
    assert seen.interpolate(np.zeros((3, 2), np.float32)).shape == (0, 2)


def test_half_of_a_closed_body_faces_the_camera() -> None:
    body = default_body()
    points = body.template * [1, -1, -1] + [0, 0, 3]
    flat = points[:, :2] / points[:, 2:] * 90 + 60
    front = facing(flat, body.faces)
    assert 0.4 < front.mean() < 0.6
    whole = look(flat, points[:, 2], body.faces, (120, 120)).depth
    culled = look(flat, points[:, 2], body.faces[front], (120, 120)).depth
    assert np.array_equal(whole, culled)
