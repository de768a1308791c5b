"""Textured z-buffer against facts that can be computed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from trainer.rendering.mipmaps import build_mipmaps
from trainer.rendering.textured import RECOLOUR, Canvas, Dye, Part, draw_depth, vertex_normals


def _square(depth: float, owner: int, texture: np.ndarray) -> Part:
    """Return a square of 2 m across the view."""
    x = np.array([-1, 1, 1, -1], np.float32)
    y = np.array([-1, -1, 1, 1], np.float32)
    return Part(
        vertices=np.column_stack([x, y, np.full(4, depth, np.float32)]),
        normals=np.tile(np.float32([0, 0, -1]), (4, 1)),
        place=np.column_stack([x, -y, x]),
        faces=np.array([[0, 2, 1], [0, 3, 2]]),
        uv=np.float32([[0, 1], [1, 1], [1, 0], [0, 0]]),
        face_uv=np.array([[0, 2, 1], [0, 3, 2]]),
        face_dye=np.zeros(2, np.uint8),
        texture=build_mipmaps(texture),
        dye=Dye.factor(1.0),
        owner=owner,
    )


def _flat(part: Part, focal: float = 32.0) -> np.ndarray:
    return (part.vertices[:, :2] / part.vertices[:, 2:] * focal + 31.5).astype(np.float32)


def _grey(value: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_nearer_parts_hide_farther_ones_in_any_order() -> None:
    near, far = _square(2.0, 1, _grey(255)), _square(1.5, 2, _grey(0))
    canvases = []
    for order in ((near, far), (far, near)):
        canvas = Canvas((64, 64))
        for part in order:
            canvas.draw(part, _flat(part))
        canvases.append(canvas)
    np.testing.assert_array_equal(canvases[0].owner, canvases[1].owner)
    assert canvases[0].owner[32, 32] == 2
    assert canvases[0].depth[32, 32] == pytest.approx(1.5)
    assert canvases[0].owner[12, 12] == 2  # wider than the other, which begins at 15.5


def test_a_square_covers_its_projection() -> None:
    part = _square(2.0, 1, _grey(255))
    canvas = Canvas((64, 64))
    canvas.draw(part, _flat(part))
    # 2 m wide, 2 m away, 32 samples of focal length: 32 samples wide
    assert (canvas.owner == 1).sum() == 32 * 32
    assert np.isinf(canvas.depth[canvas.owner < 0]).all()


def test_texture_is_seen_upright_and_in_perspective() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32] = 255  # the upper half is white
    part = _square(2.0, 1, image)
    # lean the square: its lower edge comes nearer, so that the middle of the texture moves up
    part.vertices[2:, 2] = 1.2
    canvas = Canvas((64, 64))
    canvas.draw(part, _flat(part))
    column = canvas.albedo[:, 32, 0]
    seen = np.flatnonzero(canvas.owner[:, 32] == 1)
    edge = int(np.flatnonzero(column[seen] < 0.5)[0]) + seen[0]
    # the middle of the square is at height 0 and depth 1.6: it projects to the view's middle
    assert edge == pytest.approx(31.5, abs=1.1)
    assert column[seen[0] + 1] > 0.9
    assert column[seen[-1] - 1] < 0.1


def test_hems_cut_cloth_off() -> None:
    part = replace(_square(2.0, 1, _grey(255)), hems=(0.0, 0.5))
    canvas = Canvas((64, 64))
    canvas.draw(part, _flat(part))
    rows, columns = np.nonzero(canvas.owner == 1)
    assert rows.max() == 31  # nothing below height 0
    assert columns.min() == 16
    assert columns.max() == 39  # nothing farther out than half a metre


def test_transparent_texels_are_not_drawn_and_half_transparent_ones_in_part() -> None:
    image = np.zeros((8, 8, 4), np.uint8)
    for opacity, low, high in ((0, 0.0, 0.0), (128, 0.3, 0.7), (255, 1.0, 1.0)):
        image[..., 3] = opacity
        part = replace(_square(2.0, 1, image), opacity=True)
        canvas = Canvas((64, 64))
        canvas.draw(part, _flat(part))
        assert low <= (canvas.owner == 1).sum() / 32**2 <= high


def test_recolouring_gives_the_median_brightness_the_new_colour() -> None:
    colour = np.float32([[0.1, 0.4, 0.2]])
    one = np.ones(1, np.float32)
    dye = Dye(
        np.full(1, RECOLOUR, np.uint8), colour, colour, one * 0.6, one * 0,
        np.zeros((1, 1, 1), np.float32),
    )  # fmt: skip
    part = replace(_square(2.0, 1, _grey(153)), dye=dye)  # 153 / 255 = 0.6
    canvas = Canvas((64, 64))
    canvas.draw(part, _flat(part))
    np.testing.assert_allclose(canvas.albedo[32, 32], colour[0], rtol=0.02)


def test_parts_closer_than_the_lens_are_left_out() -> None:
    part = _square(0.01, 1, _grey(255))
    canvas = Canvas((64, 64))
    canvas.draw(part, _flat(part))
    assert (canvas.owner == -1).all()


def test_normals_of_split_vertices_are_smooth_where_welded() -> None:
    # two triangles that meet in a right angle, with vertices of their own along the edge
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, -1]])
    faces = np.array([[0, 1, 2], [3, 5, 4]])
    apart = vertex_normals(vertices, faces, np.arange(6))
    joined = vertex_normals(vertices, faces, np.array([0, 1, 2, 0, 1, 3]))
    assert not np.allclose(apart[0], apart[3])
    np.testing.assert_allclose(joined[0], joined[3])
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-5)


def test_shadow_depths_are_linear() -> None:
    depth = np.full((8, 8), np.inf, np.float32)
    flat = np.float32([[0, 0], [7, 0], [0, 7]])
    draw_depth(flat, np.float32([1, 8, 1]), np.array([[0, 1, 2]]), depth)
    assert depth[0, 3] == pytest.approx(4.0)
    assert np.isinf(depth[7, 7])
