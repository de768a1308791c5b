"""Silhouettes, compared with a test of every pixel centre against every face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pymaf_live.body import Body, PointSet, default_body, project
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.rendering.rasteriser import CoverageRasteriser
from pymaf_live.rendering.silhouettes import SilhouetteRenderer
from pymaf_live.types import Array, Camera

Flags = npt.NDArray[np.bool_]
SIZE = (171, 123)
CAMERA = Camera(160.0, np.array([85.3, 60.8]), SIZE)
TOLERANCE = 0.01
"""Pixels; centres closer to an edge than this may be covered or not."""


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def silhouettes(body: Body) -> SilhouetteRenderer:
    return SilhouetteRenderer(body)


def random_poses(body: Body, count: int, spread: float, seed: int) -> Array:
    """Return axis-angle poses (count, J, 3): upright, every joint rotated at random."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, spread, (count, body.joint_count, 3))
    pose[:, 0] = [np.pi, 0, 0]  # y up to y down
    return pose


def flags(bits: npt.NDArray[np.uint8], size: tuple[int, int] = SIZE) -> Flags:
    return np.unpackbits(bits, axis=1)[:, : size[0]].astype(bool)


def brute_force(corners: Array, size: tuple[int, int] = SIZE) -> tuple[Flags, Flags]:
    """Return the pixels that triangles (N, 3, 2) certainly cover, and those they may cover."""
    width, height = size
    certain, possible = np.zeros((height, width), bool), np.zeros((height, width), bool)
    least = np.clip(np.floor(corners.min(axis=1)), 0, [width, height]).astype(int)
    most = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, [width, height]).astype(int)
    for triangle, (x0, y0), (x1, y1) in zip(corners, least, most, strict=True):
        x, y = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
        inside = np.full(x.shape, np.inf)
        side = np.roll(triangle, -1, axis=0) - triangle
        area = side[0, 0] * side[1, 1] - side[0, 1] * side[1, 0]
        for (px, py), (dx, dy) in zip(triangle, side, strict=True):
            length = max(np.hypot(dx, dy), 1e-12) * np.sign(area)
            distance = (dx * (y - py) - dy * (x - px)) / length if area else -np.inf
            inside = np.minimum(inside, distance)
        certain[y0:y1, x0:x1] |= inside > TOLERANCE
        possible[y0:y1, x0:x1] |= inside > -TOLERANCE
    return certain, possible


def vertices_of(body: Body, pose: Array, shape: Array, translation: Array) -> Array:
    return PointSet.vertices(body).pose(matrix_from_axis_angle(pose), shape, translation)


@pytest.mark.parametrize(
    ("place", "spread"),
    [
        ((0.0, 0.0, 3.0), 0.1),
        ((0.1, -0.1, 2.6), 0.7),  # self-intersecting
        ((-1.4, -0.9, 2.5), 0.4),  # cut by the left and the upper edge
        ((1.5, 0.6, 2.5), 0.4),  # cut by the right and the lower edge
        ((0.3, 0.2, 60.0), 0.4),  # a few pixels large
    ],
)
def test_a_body_covers_the_pixel_centres_inside_its_faces(
    body: Body, silhouettes: SilhouetteRenderer, place: tuple[float, ...], spread: float
) -> None:
    pose = random_poses(body, 1, spread, seed=1)
    shape = np.random.default_rng(2).normal(size=(1, body.shape_count))
    at = np.array([place])
    (bits,) = silhouettes.render(pose, shape, at, np.array([0]), [CAMERA])
    points = project(vertices_of(body, pose[0], shape[0], at[0]), CAMERA)
    # the body is closed, so faces that turn away cover no further pixels
    certain, possible = brute_force(points[body.faces])
    mask = flags(bits)
    assert certain.any()
    assert mask[certain].all()
    assert not mask[~possible].any()


def test_faces_that_reach_the_camera_are_omitted_and_the_others_drawn(
    body: Body, silhouettes: SilhouetteRenderer
) -> None:
    pose, shape = random_poses(body, 1, 0.3, seed=3), np.zeros((1, body.shape_count))
    pose[0, 0] = [np.pi / 2, 0, 0]  # along the camera's axis, partly behind it
    at = np.array([[0.1, 0.2, 0.5]])
    (bits,) = silhouettes.render(pose, shape, at, np.array([0]), [CAMERA])
    vertices = vertices_of(body, pose[0], shape[0], at[0])
    corners = vertices[body.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    front = np.einsum("fc,fc->f", normal, corners[:, 0]) < 0
    drawn = (corners[..., 2] > 0.05).all(axis=1) & front
    assert 0 < drawn.sum() < front.sum()
    certain, possible = brute_force(project(corners[drawn], CAMERA))
    mask = flags(bits)
    assert certain.any()
    assert mask[certain].all()
    # the nearest faces are a hundred times larger, and so are their rounding errors
    assert (mask & ~possible).mean() < 1e-3


def test_people_of_one_image_are_drawn_together_and_images_stay_separate(
    body: Body, silhouettes: SilhouetteRenderer
) -> None:
    count = 40  # more than one batch
    small = Camera(50.0, np.array([20.0, 30.0]), (45, 64))
    cameras = [CAMERA, small, CAMERA]
    frames = np.repeat([0, 1, 2], [count - 3, 1, 2])
    rng = np.random.default_rng(4)
    pose, shape = random_poses(body, count, 0.4, seed=5), rng.normal(size=(count, body.shape_count))
    place = np.c_[rng.uniform(-1, 1, (count, 2)), rng.uniform(3, 5, count)]
    together = silhouettes.render(pose, shape, place, frames, cameras)
    assert [bits.shape for bits in together] == [(123, 22), (64, 6), (123, 22)]
    expected = [np.zeros_like(bits) for bits in together]
    for row, frame in enumerate(frames):
        one = slice(row, row + 1)
        (bits,) = silhouettes.render(
            pose[one], shape[one], place[one], np.array([0]), [cameras[frame]]
        )
        assert bits.any()
        expected[frame] |= bits
    for bits, alone in zip(together, expected, strict=True):
        assert np.array_equal(bits, alone)


def test_bodies_at_extreme_positions_are_not_drawn_and_affect_no_others(
    body: Body, silhouettes: SilhouetteRenderer
) -> None:
    pose, shape = random_poses(body, 4, 0.1, seed=6), np.zeros((4, body.shape_count))
    place = np.array([[0.0, 0.0, 3.0], [1e300, 0.0, 3.0], [1e30, 1e30, 2.0], [0.0, 0.0, 1e30]])
    seen = silhouettes.render(pose, shape, place, np.arange(4), [CAMERA] * 4)
    (alone,) = silhouettes.render(pose[:1], shape[:1], place[:1], np.array([0]), [CAMERA])
    assert alone.any()
    assert np.array_equal(seen[0], alone)
    assert not any(bits.any() for bits in seen[1:])


def test_open_and_non_manifold_meshes_are_covered() -> None:
    # two squares sharing an edge, one of them twice, and triangles on the same edge
    points = np.array(
        [[10, 10], [20, 10], [20, 20], [10, 20], [30, 10], [30, 20], [20, 2], [25, 2]], float
    )
    faces = np.array([[0, 2, 1], [0, 3, 2], [1, 2, 5], [1, 5, 4], [0, 2, 1], [1, 7, 6], [1, 2, 7]])
    x, y = (points.astype(np.float32) + 0.5).T
    front = np.ones((len(faces), 1), bool)
    # make all faces counter-clockwise in the image, y down
    corners = points[faces] + 0.5
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    clockwise = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0] > 0
    faces[clockwise] = faces[clockwise][:, ::-1]
    (bits,) = CoverageRasteriser(faces).rasterise(x[:, None], y[:, None], front, [(40, 32)])
    certain, possible = brute_force(points[faces] + 0.5, (40, 32))
    mask = flags(bits, (40, 32))
    assert mask[11:20, 11:20].all()
    assert mask[certain].all()
    assert not mask[~possible].any()
