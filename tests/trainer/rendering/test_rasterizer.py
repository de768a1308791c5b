"""The rasterizers against a slow and plain restatement."""

import numpy as np
import pytest

from pymaf_live.body import PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from trainer.rendering.rasterizer import rasterize


@pytest.fixture(scope="module")
def body():
    return default_body()


def rasterize_slowly(points, depth, faces, size, perspective=False):
    """Solve for the weights of every triangle in every cell, and keep the nearest."""
    width, height = size
    triangle, nearest = np.full((height, width), -1), np.full((height, width), np.inf)
    weights = np.zeros((height, width, 3))
    for index, face in enumerate(faces):
        corners = points[face]
        low = np.maximum(np.ceil(corners.min(0)), 0).astype(int)
        high = np.minimum(np.floor(corners.max(0)), [width - 1, height - 1]).astype(int)
        if (low > high).any():
            continue
        scale = depth[face] if perspective else np.ones(3)
        matrix = np.vstack([corners.T * scale, scale])
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        for y in range(low[1], high[1] + 1):
            for x in range(low[0], high[0] + 1):
                found = np.linalg.solve(matrix, [x, y, 1.0])
                found /= found.sum()
                z = found @ depth[face]
                if found.min() >= 0 and z < nearest[y, x] - 1e-9:
                    triangle[y, x], nearest[y, x], weights[y, x] = index, z, found
    return triangle, weights, nearest


def random_mesh(seed, size):
    random = np.random.default_rng(seed)
    points = random.uniform(-0.4, 1.4, (30, 2)) * size
    return points, random.uniform(1, 5, 30), random.integers(0, 30, (40, 3))


def posed(body, seed):
    random = np.random.default_rng(seed)
    rotations = matrix_from_axis_angle(random.normal(size=(body.joint_count, 3)) * 0.4)
    rotations[0] = np.diag([1.0, -1.0, -1.0]) @ rotations[0]
    shape, camera = random.normal(size=body.shape_count), np.array([1.5, 0.05, 0.25])
    vertices = PointSet.vertices(body).pose(rotations, shape)
    return rotations, shape, camera, vertices


@pytest.mark.parametrize("perspective", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_triangle_is_seen(seed, perspective):
    size = (21, 17)
    points, depth, faces = random_mesh(seed, size)
    raster = rasterize(points, depth, faces, size, perspective=perspective)
    triangle, weights, nearest = rasterize_slowly(points, depth, faces, size, perspective)
    assert (triangle >= 0).mean() > 0.8
    assert (raster.triangle == triangle).all()
    np.testing.assert_allclose(raster.weights, weights, atol=1e-6)
    np.testing.assert_allclose(raster.depth, nearest, atol=1e-6)


def test_the_batch_rasterizer_agrees():
    torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
    from trainer.rendering.batch_rasterizer import rasterize_batch

    size = (21, 17)
    meshes = [random_mesh(seed, size) for seed in range(3)]
    faces = meshes[0][2]
    points, depth = (torch.tensor(np.stack([m[k] for m in meshes])) for k in range(2))
    triangle, weights = rasterize_batch(points, depth, torch.tensor(faces), size)
    for row, (flat, z, _) in enumerate(meshes):
        raster = rasterize(flat, z, faces, size)
        assert (triangle[row].numpy() == raster.triangle).all()
        np.testing.assert_allclose(weights[row], raster.weights, atol=1e-6)


def test_all_rasterizers_agree_on_a_body(body):
    torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
    from trainer.rendering.batch_rasterizer import rasterize_batch

    _, _, camera, vertices = posed(body, 0)
    flat = (camera[0] * (vertices[:, :2] + camera[1:]) + 1) / 2 * 31
    triangle, _, _ = rasterize_slowly(flat, vertices[:, 2], body.faces, (32, 32))
    one = rasterize(flat, vertices[:, 2], body.faces, (32, 32))
    front = rasterize(flat, vertices[:, 2], body.faces, (32, 32), both_sides=False)
    batch, _ = rasterize_batch(
        torch.tensor(flat)[None],
        torch.tensor(vertices[None, :, 2]),
        torch.tensor(body.faces),
        (32, 32),
    )
    assert (triangle >= 0).sum() > 100
    for seen in (one.triangle, front.triangle, batch[0].numpy()):
        assert (seen == triangle).mean() > 0.998
        assert ((seen >= 0) == (triangle >= 0)).all()


def test_neighbours_leave_no_crack():
    """Two halves of a square meet on a diagonal of cell centres; the first is seen there."""
    points = np.array([[0, 0], [8, 0], [8, 8], [0, 8]], float)
    raster = rasterize(points, np.ones(4), np.array([[0, 1, 2], [0, 2, 3]]), (9, 9))
    assert (raster.triangle >= 0).all()
    assert (np.diag(raster.triangle) == 0).all()


def test_invalid_triangles_are_left_out():
    points = np.array([[0, 0], [8, 0], [8, 8], [np.nan, 8], [1e30, -1e30]], float)
    faces = np.array([[0, 1, 3], [0, 1, 1], [1, 4, 4], [0, 1, 2]])
    raster = rasterize(points, np.ones(5), faces, (9, 9))
    assert set(np.unique(raster.triangle)) == {-1, 3}
    behind = rasterize(points, np.array([1, 1, -1.0, 1, 1]), faces, (9, 9), perspective=True)
    assert (behind.triangle == -1).all()
    nothing = rasterize(points, np.ones(5), np.zeros((0, 3), np.int64), (4, 3))
    assert nothing.triangle.shape == (3, 4)
    assert (nothing.triangle == -1).all()
