"""The renderer against rays traced one by one, and its light."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.body.normals import vertex_normals
from pymaf_live.types import Array, Camera
from trainer.rendering.rasterizer import rasterize
from trainer.rendering.renderer import (
    Light,
    linear_from_srgb,
    render,
    srgb_from_linear,
    sun_map,
)

CAMERA = Camera(40.0, np.array([15.2, 11.7]), (32, 24))


def random_triangles(count: int = 40) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    centre = np.column_stack([rng.uniform(-1.5, 1.5, (count, 2)), rng.uniform(3, 5, count)])
    corners = centre[:, None] + rng.normal(0, 0.35, (count, 3, 3))
    # one far larger than the image, and one that reaches behind the camera
    wall = np.array([[-20.0, -20, 4.6], [30, -20, 4.4], [0, 30, 4.5]])
    behind = np.array([[0.0, 0, 2.0], [0.3, 0, 2.0], [0.0, 0.5, -1.0]])
    corners = np.concatenate([corners, wall[None], behind[None]])
    return corners.reshape(-1, 3), np.arange(len(corners) * 3).reshape(-1, 3)


def trace_ray(points: Array, faces: Array, x: float, y: float) -> tuple[int, Array, float]:
    """Return the nearest triangle on the ray through a pixel, its weights and its depth."""
    ray = np.array([(x - 15.2) / 40.0, (y - 11.7) / 40.0, 1.0])
    best, found, weights = np.inf, -1, np.zeros(3)
    for number, face in enumerate(faces):
        a, b, c = points[face]
        if min(a[2], b[2], c[2]) <= 0.05:
            continue
        matrix = np.column_stack([ray, a - b, a - c])
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        depth, v, w = np.linalg.solve(matrix, a)
        if v >= 0 and w >= 0 and v + w <= 1 and 0 < depth < best:
            best, found, weights = depth, number, np.array([1 - v - w, v, w])
    return found, weights, best


def test_every_sample_sees_the_triangle_its_ray_hits_first() -> None:
    points, faces = random_triangles()
    with np.errstate(divide="ignore"):
        pixels = points[:, :2] / np.maximum(points[:, 2:], 0.05) * 40.0 + CAMERA.principal_point
    raster = rasterize(pixels, points[:, 2], faces, CAMERA.size, perspective=True)
    seen = set()
    for y in range(24):
        for x in range(32):
            number, weights, depth = trace_ray(points, faces, x, y)
            assert raster.triangle[y, x] == number
            seen.add(number)
            if number >= 0:
                np.testing.assert_allclose(raster.weights[y, x], weights, atol=1e-9)
                assert raster.depth[y, x] == pytest.approx(depth, rel=1e-9)
    assert len(seen) > 20


def test_a_parallel_view_has_linear_depth() -> None:
    points = np.array([[0.0, 0, 1], [10, 0, 3], [0, 10, 5], [0, 0, 2], [10, 0, 2], [0, 10, 2]])
    raster = rasterize(points[:, :2], points[:, 2], np.array([[0, 1, 2], [3, 4, 5]]), (8, 8))
    # the first plane is z = 1 + 0.2 x + 0.4 y, the second z = 2
    for y, x in ((0, 0), (1, 2), (2, 2), (4, 1), (0, 6)):
        plane = 1 + 0.2 * x + 0.4 * y
        assert raster.depth[y, x] == pytest.approx(min(plane, 2.0))
        assert raster.triangle[y, x] == (0 if plane < 2 else 1)


def test_supersampled_edge_has_the_covered_share() -> None:
    # a half plane whose edge runs through the middle of pixel column 10
    z, f = 2.0, 40.0
    edge = (10.0 - CAMERA.principal_point[0]) * z / f
    points = np.array([[edge, -50, z], [edge, 50, z], [-100.0, 0, z]])
    drawn = render(points, np.array([[0, 1, 2]]), CAMERA, np.full((3, 3), 0.5), supersampling=4)
    row = drawn.mask[12]
    np.testing.assert_allclose(row[[2, 9, 10, 11, 30]], [1, 1, 0.5, 0, 0])
    np.testing.assert_allclose(drawn.colour[12, 10], 0.25)
    white = np.ones((24, 32, 3))
    np.testing.assert_allclose(drawn.over(white)[12, 10], 0.75)
    assert drawn.depth[12, 10] == pytest.approx(z)
    assert np.isinf(drawn.depth[12, 30])


def test_colours_are_interpolated_in_perspective() -> None:
    near, far = np.array([-0.5, 0.0, 2.0]), np.array([1.5, 0.0, 6.0])
    points = np.array([near, far, (near + far) / 2 + [0, 3, 0]])
    colours = np.array([[0.0, 0, 0], [1.0, 1, 1], [0.5, 0.5, 0.5]])
    drawn = render(points, np.array([[0, 1, 2]]), CAMERA, colours, supersampling=1)
    # half-way along the edge in space is nearer to the near end's pixel than half-way between
    middle = (near + far) / 2
    x = middle[0] / middle[2] * 40.0 + CAMERA.principal_point[0]
    y = int(np.ceil(CAMERA.principal_point[1])) + 1
    row = np.interp(x, np.arange(32), drawn.colour[y, :, 0])
    assert row == pytest.approx(0.5, abs=0.03)


def test_a_body_casts_a_shadow_behind_it() -> None:
    square = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    to_sun = np.array([0.0, 0.0, -1.0])
    sun = sun_map(square, faces, to_sun, step=0.05)
    behind, before, beside = [0.2, 0.1, 0.5], [0.2, 0.1, -0.5], [1.6, 0.0, 0.5]
    np.testing.assert_allclose(sun.lit(np.array([behind, before, beside])), [0.0, 1.0, 1.0])
    edge = sun.lit(np.array([[1.0, 0.0, 0.5]]))[0]
    assert 0.2 < edge < 0.8


def test_light_depends_on_the_angle() -> None:
    light = Light(
        to_sun=np.array([0.0, -1.0, 0.0]),
        sun=np.array([1.0, 0.5, 0.0]),
        sky=np.array([0.2, 0.2, 0.4]),
        ground=np.array([0.1, 0.1, 0.1]),
        up=np.array([0.0, -1.0, 0.0]),
    )
    up, down = light.received(np.array([[0.0, -1, 0], [0, 1.0, 0]]), np.ones(2))
    np.testing.assert_allclose(up, [1.2, 0.7, 0.4])
    np.testing.assert_allclose(down, [0.1, 0.1, 0.1])
    np.testing.assert_allclose(
        light.received(np.array([[0.0, -1, 0]]), np.zeros(1))[0], [0.2, 0.2, 0.4]
    )


def test_normals_of_a_sphere_point_outwards() -> None:
    rng = np.random.default_rng(0)
    from scipy.spatial import ConvexHull

    points = rng.standard_normal((300, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    faces = hull.simplices.copy()
    a, b, c = (points[faces[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * hull.equations[:, :3]).sum(1) < 0
    faces[inward] = faces[inward][:, ::-1]
    assert (vertex_normals(points, faces) * points).sum(1).min() > 0.95


def test_srgb_round_trip_and_known_value() -> None:
    values = np.linspace(0, 1, 256)
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-6)
    assert linear_from_srgb(np.array(0.5)) == pytest.approx(0.21404, abs=1e-5)
