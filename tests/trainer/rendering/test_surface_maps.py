"""The dense maps against a slow rasterizer, and the surface coordinates of the body file."""

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import PointSet, default_body  # noqa: E402
from pymaf_live.body.rotations import matrix_from_axis_angle  # noqa: E402
from pymaf_live.errors import ModelError  # noqa: E402
from pymaf_live.resources import resource  # noqa: E402
from tests.trainer.rendering.test_rasterizer import posed, rasterize_slowly  # noqa: E402
from trainer.rendering.surface_maps import (  # noqa: E402
    PARTS6,
    BodyMaps,
    load_surface,
    part_map,
)


@pytest.fixture(scope="module")
def body():
    return default_body()


def test_maps_hold_the_labels_of_the_seen_faces(body):
    """Part, U and V are those of the file; -1 and 1 are the centres of the outermost cells."""
    rotations, shape, camera, vertices = posed(body, 1)
    maps = BodyMaps(body)(
        *(torch.tensor(a[None], dtype=torch.float32) for a in (rotations, shape, camera)), 24
    )
    with np.load(resource("body/open_body.npz")) as file:
        corners, uv, uv_part = file["uv_f"], file["uv"], file["uv_part"]
    flat = (camera[0] * (vertices[:, :2] + camera[1:]) + 1) / 2 * 23
    triangle, weights, _ = rasterize_slowly(flat, vertices[:, 2], body.faces, (24, 24))
    hit = triangle >= 0
    same = np.where(hit, uv_part[corners[triangle, 0]], 0) == maps.part[0].numpy()
    assert hit.sum() > 60
    assert same.mean() > 0.995
    expected = (weights[..., None] * uv[corners[triangle]]).sum(2)
    both = hit & same
    # at the outline, the rounding of the skinning may select a neighbour
    for found, true in ((maps.u, expected[..., 0]), (maps.v, expected[..., 1])):
        assert np.quantile(np.abs(found[0].numpy() - true)[both], 0.98) < 1e-3
        assert (found[0].numpy()[~hit & same] == 0).all()


def test_an_empty_batch_has_no_maps(body):
    empty = torch.zeros(0, body.joint_count, 3, 3), torch.zeros(0, body.shape_count)
    maps = BodyMaps(body)(*empty, torch.zeros(0, 3), 8)
    assert maps.part.shape == maps.u.shape == (0, 8, 8)


def test_six_parts_lie_where_they_belong(body):
    """A person who faces the camera has their left on the right of the image, the head on top."""
    vertices = PointSet.vertices(body).pose(upright(body), np.zeros(body.shape_count))
    flat = (0.9 * (vertices[:, :2] + [0, 0.2]) + 1) / 2 * 96 - 0.5
    faces, part6 = body.faces, load_surface(body).part6
    parts = part_map(flat, vertices[:, 2], faces, part6, (96, 96))
    middle = {
        name: np.argwhere(parts == index).mean(0) for index, name in enumerate(PARTS6, start=1)
    }
    assert middle["left_arm"][1] > middle["torso"][1] > middle["right_arm"][1]
    assert middle["left_leg"][1] > middle["right_leg"][1]
    assert middle["head"][0] < middle["torso"][0] < middle["left_leg"][0]
    assert set(np.unique(parts)) == set(range(7))


def upright(body):
    """Rotations (J, 3, 3) of the T-pose facing the camera."""
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = np.diag([1.0, -1.0, -1.0])
    return rotations


def test_part_maps_of_pixels(body):
    square = np.array([[0, 0], [3, 0], [3, 3], [0, 3]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    parts = part_map(square, np.ones(4), faces, np.array([5, 2]), (6, 5))
    assert parts.shape == (5, 6)
    assert parts[0, 3] == 5
    assert parts[3, 0] == 2
    assert parts[4, 5] == 0


def test_a_body_without_surface_coordinates_is_rejected(body, tmp_path):
    path = tmp_path / "bare.npz"
    np.savez(path, f=body.faces)
    with pytest.raises(ModelError, match="no valid surface coordinates"):
        load_surface(body, path)
    with np.load(resource("body/open_body.npz")) as file:
        arrays = {name: file[name] for name in ("face_part6", "uv", "uv_f")}
    np.savez(path, **{**arrays, "face_part6": arrays["face_part6"][:-1]})
    with pytest.raises(ModelError, match="do not fit"):
        load_surface(body, path)
    np.savez(path, **{**arrays, "uv_f": arrays["uv_f"] + 100_000})
    with pytest.raises(ModelError, match="no valid surface coordinates"):
        load_surface(body, path)


@pytest.mark.benchmark
def test_maps_a_second(body):
    """Report how many maps a second one thread renders, posing included."""
    torch.set_num_threads(1)
    random, batch, rounds = np.random.default_rng(0), 32, 5
    maps = BodyMaps(body)
    turns = matrix_from_axis_angle(random.normal(size=(batch, body.joint_count, 3)) * 0.3)
    turns[:, 0] = np.diag([1.0, -1.0, -1.0]) @ turns[:, 0]
    rotations = torch.tensor(turns, dtype=torch.float32)
    shape, camera = torch.zeros(batch, body.shape_count), torch.tensor([[0.7, 0.0, 0.2]])
    for size in (64, 256):
        maps(rotations, shape, camera.expand(batch, -1), size)
        used = time.process_time()
        for _ in range(rounds):
            maps(rotations, shape, camera.expand(batch, -1), size)
        used = time.process_time() - used
        print(f"{size}x{size}: {batch * rounds / used:.0f} maps a second of one thread's time")
        assert used < 30
