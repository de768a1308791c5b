"""The z-buffer and the dense maps, against a slow and plain restatement."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import PointSet, default_body  # noqa: E402
from pymaf_live.body.rotations import matrix_from_axis_angle  # noqa: E402
from pymaf_live.errors import ModelError  # noqa: E402
from pymaf_live.resources import resource  # noqa: E402
from trainer.rendering.surface_maps import (  # noqa: E402
    PARTS6,
    BodyMaps,
    load_surface,
    part_map,
    rasterize,
    rasterize_batch,
)


@pytest.fixture(scope="module")
def body():
    return default_body()


def plainly(points, depth, faces, size, perspective=False):
    """Triangle by triangle, cell by cell: solve for the weights, keep the nearest."""
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
    triangle, weights, nearest = plainly(points, depth, faces, size, perspective)
    assert (triangle >= 0).mean() > 0.8
    assert (raster.triangle == triangle).all()
    np.testing.assert_allclose(raster.weights, weights, atol=1e-6)
    np.testing.assert_allclose(raster.depth, nearest, atol=1e-6)


def test_the_batch_sees_the_same():
    size = (21, 17)
    meshes = [random_mesh(seed, size) for seed in range(3)]
    faces = meshes[0][2]
    points, depth = (torch.tensor(np.stack([m[k] for m in meshes])) for k in range(2))
    triangle, weights = rasterize_batch(points, depth, torch.tensor(faces), size)
    for row, (flat, z, _) in enumerate(meshes):
        raster = rasterize(flat, z, faces, size)
        assert (triangle[row].numpy() == raster.triangle).all()
        np.testing.assert_allclose(weights[row], raster.weights, atol=1e-6)


def test_a_body_is_seen_the_same_by_all(body):
    _, _, camera, vertices = posed(body, 0)
    flat = (camera[0] * (vertices[:, :2] + camera[1:]) + 1) / 2 * 31
    triangle, _, _ = plainly(flat, vertices[:, 2], body.faces, (32, 32))
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
    """Two halves of a square meet on a diagonal of cells' centres; the first is seen there."""
    points = np.array([[0, 0], [8, 0], [8, 8], [0, 8]], float)
    raster = rasterize(points, np.ones(4), np.array([[0, 1, 2], [0, 2, 3]]), (9, 9))
    assert (raster.triangle >= 0).all()
    assert (np.diag(raster.triangle) == 0).all()


def test_what_cannot_be_drawn_is_left_out():
    points = np.array([[0, 0], [8, 0], [8, 8], [np.nan, 8], [1e30, -1e30]], float)
    faces = np.array([[0, 1, 3], [0, 1, 1], [1, 4, 4], [0, 1, 2]])
    raster = rasterize(points, np.ones(5), faces, (9, 9))
    assert set(np.unique(raster.triangle)) == {-1, 3}
    behind = rasterize(points, np.array([1, 1, -1.0, 1, 1]), faces, (9, 9), perspective=True)
    assert (behind.triangle == -1).all()
    nothing = rasterize(points, np.ones(5), np.zeros((0, 3), np.int64), (4, 3))
    assert nothing.triangle.shape == (3, 4)
    assert (nothing.triangle == -1).all()


def test_maps_are_what_is_painted_on_the_seen_faces(body):
    """Part, U and V of the file at the seen places; corners aligned as where maps are read."""
    rotations, shape, camera, vertices = posed(body, 1)
    maps = BodyMaps(body)(
        *(torch.tensor(a[None], dtype=torch.float32) for a in (rotations, shape, camera)), 24
    )
    with np.load(resource("body/open_body.npz")) as file:
        corners, uv, uv_part = file["uv_f"], file["uv"], file["uv_part"]
    flat = (camera[0] * (vertices[:, :2] + camera[1:]) + 1) / 2 * 23
    triangle, weights, _ = plainly(flat, vertices[:, 2], body.faces, (24, 24))
    hit = triangle >= 0
    same = np.where(hit, uv_part[corners[triangle, 0]], 0) == maps.part[0].numpy()
    assert hit.sum() > 60
    assert same.mean() > 0.995
    expected = (weights[..., None] * uv[corners[triangle]]).sum(2)
    both = hit & same
    # at the body's outline the skinning's rounding may choose a neighbour
    for found, true in ((maps.u, expected[..., 0]), (maps.v, expected[..., 1])):
        assert np.quantile(np.abs(found[0].numpy() - true)[both], 0.98) < 1e-3
        assert (found[0].numpy()[~hit & same] == 0).all()


def test_nobody_gives_no_maps(body):
    nobody = torch.zeros(0, body.joint_count, 3, 3), torch.zeros(0, body.shape_count)
    maps = BodyMaps(body)(*nobody, torch.zeros(0, 3), 8)
    assert maps.part.shape == maps.u.shape == (0, 8, 8)


def test_six_parts_lie_where_they_belong(body):
    """Facing the camera the body's left is on the right, the head on top."""
    upright = torch.eye(3).repeat(1, body.joint_count, 1, 1)
    upright[0, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    maps = BodyMaps(body)
    camera = torch.tensor([[0.9, 0.0, 0.2]])
    seen = maps.six_parts(upright, torch.zeros(1, body.shape_count), camera, 96)[0].numpy()
    middle = {
        name: np.argwhere(seen == index).mean(0) for index, name in enumerate(PARTS6, start=1)
    }
    assert middle["left_arm"][1] > middle["torso"][1] > middle["right_arm"][1]
    assert middle["left_leg"][1] > middle["right_leg"][1]
    assert middle["head"][0] < middle["torso"][0] < middle["left_leg"][0]
    assert set(np.unique(seen)) == set(range(7))


def test_part_maps_of_pixels(body):
    square = np.array([[0, 0], [3, 0], [3, 3], [0, 3]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    parts = part_map(square, np.ones(4), faces, np.array([5, 2]), (6, 5))
    assert parts.shape == (5, 6)
    assert parts[0, 3] == 5
    assert parts[3, 0] == 2
    assert parts[4, 5] == 0


def test_a_body_without_surface_coordinates_is_told(body, tmp_path):
    path = tmp_path / "bare.npz"
    np.savez(path, f=body.faces)
    with pytest.raises(ModelError, match="no sound surface coordinates"):
        load_surface(body, path)
    with np.load(resource("body/open_body.npz")) as file:
        arrays = {name: file[name] for name in ("face_part6", "uv", "uv_f")}
    np.savez(path, **{**arrays, "face_part6": arrays["face_part6"][:-1]})
    with pytest.raises(ModelError, match="do not fit"):
        load_surface(body, path)
    np.savez(path, **{**arrays, "uv_f": arrays["uv_f"] + 100_000})
    with pytest.raises(ModelError, match="no sound surface coordinates"):
        load_surface(body, path)
