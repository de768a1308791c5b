"""One shape per person of a take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body, pose_joints
from pymaf_live.export.formats import FORMATS
from pymaf_live.takes import read_take
from pymaf_live.takes.shape import has_one_shape, person_shape, with_one_shape
from pymaf_live.takes.take import Take
from pymaf_live.workflows.export import ExportRequest, export
from pymaf_live.workflows.recoverable import finished_take
from tests.helpers.take import make_take, moving_limbs, walking_past

FRAMES = 60


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def true_shape(body: Body) -> np.ndarray:
    return np.random.default_rng(1).normal(scale=0.7, size=body.shape_count)


@pytest.fixture(scope="module")
def take(body: Body, true_shape: np.ndarray) -> Take:
    """Return a take of two people; one's shape varies, with every fifth frame far off."""
    random = np.random.default_rng(2)
    times = np.arange(FRAMES) / 30
    shapes = true_shape + random.normal(scale=0.15, size=(FRAMES, body.shape_count))
    shapes[::5] += 3.0
    turns = moving_limbs(body, times)
    varied = make_take(
        body,
        times,
        {0: turns, 3: turns},
        {0: walking_past(times), 3: walking_past(times, 1.0)},
        shapes={0: shapes, 3: np.zeros_like(shapes)},
    )
    # the far-off frames are also those that the network is unsure of
    unsure = (varied.person == 0) & (varied.frame % 5 == 0)
    return replace(varied, score=np.where(unsure, 0.3, 0.9))


def bone_lengths(take: Take, person: int) -> np.ndarray:
    joints = np.asarray(take.joints[take.person == person], dtype=np.float64)
    return np.linalg.norm(joints[:, 1:] - joints[:, take.parents[1:]], axis=-1)


def test_each_person_has_one_shape_and_constant_bones(body: Body, take: Take) -> None:
    assert not has_one_shape(take)
    assert bone_lengths(take, 0).std(axis=0).max() > 0.01
    one = with_one_shape(take, body)
    assert has_one_shape(one)
    for person in (0, 3):
        lengths = bone_lengths(one, person)
        assert (lengths.std(axis=0) / lengths.mean(axis=0)).max() < 1e-9
    np.testing.assert_array_equal(one.pose, take.pose)
    joints = pose_joints(body, _rotations(one), np.asarray(one.shape), np.asarray(one.translation))
    np.testing.assert_allclose(one.joints, joints, atol=1e-9)


def test_outlying_frames_hardly_move_the_shape(
    body: Body, take: Take, true_shape: np.ndarray
) -> None:
    shape = person_shape(take, body, 0)
    plain_mean = take.shape[take.person == 0].mean(axis=0)
    assert np.abs(shape - true_shape).max() < 0.2
    assert np.abs(plain_mean - true_shape).max() > 0.5
    np.testing.assert_array_equal(person_shape(take, body, 3), np.zeros(body.shape_count))


def test_image_positions_stay_where_they_were(body: Body, take: Take) -> None:
    one = with_one_shape(take, body)
    rows = (take.person == 0) & (take.frame % 5 > 0)
    distance = np.linalg.norm(one.joints_2d - take.joints_2d, axis=-1)
    assert distance[rows].mean() < 1.0
    # a body moved without solving for its place is several times further off
    joints = pose_joints(
        body, _rotations(take), np.asarray(one.shape), np.asarray(take.translation)
    )
    camera = take.camera
    unsolved = joints[..., :2] / joints[..., 2:] * camera.focal_length + camera.principal_point
    assert (
        np.linalg.norm(unsolved - take.joints_2d, axis=-1)[rows].mean() > 3 * distance[rows].mean()
    )
    # person 3 had one shape before
    np.testing.assert_allclose(distance[take.person == 3], 0, atol=1e-6)


def test_a_take_with_one_shape_and_separate_images_stay(body: Body, take: Take) -> None:
    one = with_one_shape(take, body)
    assert with_one_shape(one, body) is one
    cameras = np.tile([1280.0, 720.0, 1468.6, 639.5, 359.5], (FRAMES, 1))
    images = replace(
        take, picture_camera=cameras, picture_name=tuple(f"{n}.jpg" for n in range(FRAMES))
    )
    assert with_one_shape(images, body) is images


@pytest.mark.parametrize("smoothing", ["off", "live", "offline"])
def test_finished_takes_have_one_shape(body: Body, take: Take, smoothing: str) -> None:
    finished = finished_take(take, smoothing, body)  # type: ignore[arg-type]
    assert has_one_shape(finished)
    shapes = [finished.shape[finished.person == person][0] for person in (0, 3)]
    np.testing.assert_allclose(shapes[0], person_shape(take, body, 0), atol=1e-9)
    np.testing.assert_allclose(shapes[1], 0, atol=1e-9)


def test_exports_of_an_old_take_agree(body: Body, take: Take, tmp_path: Path) -> None:
    old = replace(take, trim=(10, 49))
    targets = tuple(FORMATS[name].target(tmp_path / "old") for name in ("npz", "csv"))
    export(old, ExportRequest(targets))
    written = read_take(targets[0])
    assert has_one_shape(written)
    # estimated over the whole take, not only the trim
    np.testing.assert_allclose(
        written.shape[written.person == 0][0], person_shape(take, body, 0), atol=1e-6
    )
    table = np.genfromtxt(targets[1], delimiter=",", names=True)
    names = take.joint_names
    from_csv = np.stack(
        [[table[f"{name}_{axis}_m"] for axis in "xyz"] for name in names]
    ).transpose(2, 0, 1)
    first = written.joints[written.person == written.person[0]].astype(np.float64)
    # one rigid motion takes the camera frame to the file's world
    ours, theirs = first - first[:, :1], from_csv - from_csv[:, :1]
    u, _, vt = np.linalg.svd(ours.reshape(-1, 3).T @ theirs.reshape(-1, 3))
    assert np.abs(ours @ (u @ vt) - theirs).max() < 1e-5


def _rotations(take: Take) -> np.ndarray:
    from pymaf_live.body.rotations import matrix_from_axis_angle

    return matrix_from_axis_angle(np.asarray(take.pose))
