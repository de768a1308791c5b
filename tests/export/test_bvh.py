"""Tests of the BVH export and of continuous Euler angles."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import bvhio
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, pose_joints
from pymaf_live.errors import InputError, OutputError
from pymaf_live.export import bvh
from pymaf_live.export.euler import continuous_angles
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions, Rig
from pymaf_live.export.rig_presets import PRESETS
from pymaf_live.takes.npz_file import read_take
from pymaf_live.takes.shape import with_one_shape
from pymaf_live.takes.take import Take
from tests.helpers.bvh import bvh_joint_error
from tests.helpers.take import make_take, moving_limbs, standing, walking_past

IN_METRES = ExportOptions(unit="m")


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def seconds(count: int, rate: float = 30.0) -> np.ndarray:
    return np.arange(count) / rate


def one_person(body: Body, count: int = 40) -> Take:
    times = seconds(count)
    return make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})


def export_in_camera_world(take: Take, body: Body, path: Path, unit: str = "m") -> Path:
    options = ExportOptions(unit=unit, world="camera")  # type: ignore[arg-type]
    (written,) = FORMATS["bvh"](take, body, path, options)
    return written


def joints_in_file(path: Path, names: tuple[str, ...]) -> np.ndarray:
    """Return world positions (N, J, 3) by bvhio, in file units."""
    root = bvhio.readAsHierarchy(str(path))
    joints = {entry[0].Name: entry[0] for entry in root.layout()}
    places = []
    for frame in range(root.getKeyframeRange()[1] + 1):
        root.loadPose(frame)
        places.append([tuple(joints[name].PositionWorld) for name in names])
    return np.array(places)


def frame_numbers(path: Path) -> np.ndarray:
    text = path.read_text()
    return np.loadtxt(text.split("Frame Time:")[1].splitlines()[1:], ndmin=2)


@pytest.mark.parametrize(("unit", "scale"), [("m", 1.0), ("cm", 100.0)])
def test_bvhio_reads_the_joints_of_the_take_y_up(
    body: Body, tmp_path: Path, unit: str, scale: float
) -> None:
    take = one_person(body)
    path = export_in_camera_world(take, body, tmp_path / "a.bvh", unit)
    places = joints_in_file(path, body.joint_names) / scale
    np.testing.assert_allclose(places, take.joints * [1, -1, -1], atol=1e-4)


def test_standing_person_is_upright_on_the_ground_and_faces_z(body: Body, tmp_path: Path) -> None:
    take = make_take(
        body, seconds(5), {1: standing(body, 5)}, {1: np.tile([0.3, 0.2, 5.0], (5, 1))}
    )
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh", IN_METRES)
    places = joints_in_file(path, body.joint_names)[0]
    at = dict(zip(body.joint_names, places, strict=True))
    assert np.abs(places[0, [0, 2]]).max() < 1e-4  # starts at x = z = 0
    height = np.ptp(body.template[:, 1])
    assert 0 < at["left_foot"][1] < 0.1
    assert height * 0.8 < at["head"][1] < height
    assert at["left_foot"][2] > at["left_ankle"][2]  # toes towards the camera
    assert at["left_wrist"][0] > at["right_wrist"][0]  # faces the camera


def test_offsets_are_the_rest_pose_of_the_persons_shape(body: Body, tmp_path: Path) -> None:
    times = seconds(10)
    shapes = np.zeros((10, body.shape_count))
    shapes[:, 0] = np.linspace(-1, 3, 10)
    take = make_take(
        body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)}, shapes={1: shapes}
    )
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh", IN_METRES)
    shaped = body.template + body.shape_directions @ np.r_[1.0, np.zeros(body.shape_count - 1)]
    rest = body.joint_regressor @ shaped
    root = bvhio.readAsBvh(str(path)).Root
    offsets = {entry[0].Name: np.array(tuple(entry[0].Offset)) for entry in root.layout()}
    for joint, name in enumerate(body.joint_names):
        parent = body.parents[joint]
        wanted = rest[joint] - rest[parent] if parent >= 0 else np.zeros(3)
        np.testing.assert_allclose(offsets[name], wanted, atol=2e-6)
    # the root is where the body of that shape appears in the image where the measured one did
    root_positions = with_one_shape(take, body).joints[:, 0]
    moved = joints_in_file(path, body.joint_names[:1])[:, 0]
    np.testing.assert_allclose(
        moved - moved[0], (root_positions - root_positions[0]) * [1, -1, -1], atol=1e-5
    )


@pytest.mark.parametrize("rig", RIGS)
def test_the_root_carries_all_translation(body: Body, tmp_path: Path, rig: Rig) -> None:
    take = one_person(body, 10)
    options = ExportOptions(unit="m", rig=rig, world="camera")
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh", options)
    root, *others = (entry[0] for entry in bvhio.readAsBvh(str(path)).Root.layout())
    assert root.Channels[:3] == ["Xposition", "Yposition", "Zposition"]
    assert all(len(joint.Channels) == 3 for joint in others)
    hips = PRESETS[rig].names.get("pelvis", "pelvis")
    moved = joints_in_file(path, (hips,))[:, 0]
    np.testing.assert_allclose(moved, take.joints[:, 0] * [1, -1, -1], atol=2e-6)


def test_frame_time_is_exact_for_a_rational_rate(body: Body, tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    times = seconds(30, float(rate))
    take = make_take(body, times, {1: standing(body, 30)}, {1: walking_past(times)}, rate=rate)
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh")
    read = bvhio.readAsBvh(str(path))
    assert read.FrameCount == 30
    assert abs(read.FrameTime - 1001 / 30000) < 1e-12


def test_times_rounded_to_milliseconds_are_not_resampled(body: Body, tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    times = seconds(50, float(rate)).round(3)
    turns = moving_limbs(body, times)
    take = make_take(body, times, {1: turns}, {1: walking_past(times)}, rate=rate)
    path = export_in_camera_world(take, body, tmp_path / "a.bvh")
    places = joints_in_file(path, body.joint_names)
    own = places - places[:, :1]
    np.testing.assert_allclose(own, (take.joints - take.joints[:, :1]) * [1, -1, -1], atol=1e-4)


def test_source_with_variable_rate_is_resampled_by_its_times(body: Body, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.01, 0.06, 120))
    take = make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})
    path = export_in_camera_world(take, body, tmp_path / "a.bvh")
    places = joints_in_file(path, body.joint_names)
    grid = times[0] + np.arange(len(places)) / 30
    assert abs(grid[-1] - times[-1]) <= 0.5 / 30 + 1e-9
    truth = pose_joints(
        body, moving_limbs(body, grid), np.zeros(body.shape_count), walking_past(grid)
    ) * [1, -1, -1]
    error = places - places[:1, :1] - (truth - truth[:1, :1])
    inside = grid <= times[-1]
    assert np.linalg.norm(error[inside], axis=-1).max() < 0.01  # of curvature between frames
    assert np.diff(places[:, 0, 0])[:-1] == pytest.approx(0.5 / 30, abs=1e-4)  # a steady walk


def test_angles_of_a_spinning_person_are_continuous(body: Body, tmp_path: Path) -> None:
    times = seconds(90)
    turns = standing(body, 90)
    turns[:, 0] = turns[:, 0] @ Rotation.from_euler("y", 2 * np.pi * times[:, None]).as_matrix()
    take = make_take(body, times, {1: turns}, {1: np.tile([0, 0, 4.0], (90, 1))})
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh")
    numbers = frame_numbers(path)
    assert np.abs(np.diff(numbers, axis=0)).max() < 13  # 12 degrees a frame
    assert numbers[-1, 5] == pytest.approx(360 * times[-1], abs=1e-3)


def test_euler_angles_are_continuous_across_the_pole() -> None:
    # a somersault: x continues through 90, 180, 270 degrees, where plain extraction flips y and z
    wanted = np.linspace(0, 4 * np.pi, 181)
    rotations = Rotation.from_euler("ZXY", np.column_stack([0.2 + 0 * wanted, wanted, 0 * wanted]))
    angles = continuous_angles(rotations.as_matrix()[:, None], "zxy")[:, 0]
    np.testing.assert_allclose(angles[:, 1], wanted, atol=1e-6)
    again = Rotation.from_euler("ZXY", angles)
    assert (again.inv() * rotations).magnitude().max() < 1e-6


def test_euler_angles_reproduce_random_rotations() -> None:
    rotations = Rotation.random(500, random_state=1)
    angles = continuous_angles(rotations.as_matrix()[:, None], "zxy")[:, 0]
    again = Rotation.from_euler("ZXY", angles)
    assert (again.inv() * rotations).magnitude().max() < 1e-7


def test_several_people_get_one_file_each_with_common_time_and_space(
    body: Body, tmp_path: Path
) -> None:
    times = seconds(30)
    late = np.arange(10, 20)
    take = make_take(
        body,
        times,
        {2: standing(body, 30), 5: standing(body, 10)},
        {2: walking_past(times), 5: walking_past(times[late], start=1.0)},
        frames={2: np.arange(30), 5: late},
    )
    paths = FORMATS["bvh"](take, body, tmp_path / "a.bvh", IN_METRES)
    assert [path.name for path in paths] == ["a.bvh", "a_person5.bvh"]
    first, second = (joints_in_file(path, body.joint_names[:1])[:, 0] for path in paths)
    assert len(first) == len(second) == 30
    np.testing.assert_allclose(second[late] - first[late], np.tile([1.0, 0, 0], (10, 1)), atol=1e-4)
    np.testing.assert_allclose(second[:10], np.tile(second[10], (10, 1)), atol=1e-6)
    np.testing.assert_allclose(second[20:], np.tile(second[19], (10, 1)), atol=1e-6)


def test_frames_without_the_person_are_interpolated(body: Body, tmp_path: Path) -> None:
    times = seconds(30)
    there = np.r_[0:10, 20:30]
    take = make_take(
        body, times, {1: standing(body, 20)}, {1: walking_past(times[there])}, frames={1: there}
    )
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh", IN_METRES)
    x = joints_in_file(path, body.joint_names[:1])[:, 0, 0]
    np.testing.assert_allclose(x, 0.5 * times, atol=1e-4)


def test_take_without_people_writes_no_file(body: Body, tmp_path: Path) -> None:
    take = make_take(body, seconds(3), {}, {})
    assert FORMATS["bvh"](take, body, tmp_path / "a.bvh") == []
    assert list(tmp_path.iterdir()) == []


def test_one_frame_is_enough(body: Body, tmp_path: Path) -> None:
    take = one_person(body, 1)
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh")
    assert len(frame_numbers(path)) == 1


def test_existing_files_of_all_people_are_kept_unless_forced(body: Body, tmp_path: Path) -> None:
    times = seconds(4)
    take = make_take(
        body,
        times,
        {1: standing(body, 4), 2: standing(body, 4)},
        {1: walking_past(times), 2: walking_past(times, 1.0)},
    )
    (tmp_path / "a_person2.bvh").write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        FORMATS["bvh"](take, body, tmp_path / "a.bvh")
    assert (tmp_path / "a_person2.bvh").read_text() == "mine"
    assert not (tmp_path / "a.bvh").exists()
    assert len(FORMATS["bvh"](take, body, tmp_path / "a.bvh", force=True)) == 2


def test_impossible_folder_is_an_output_error(body: Body, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        FORMATS["bvh"](one_person(body, 2), body, tmp_path / "file" / "a.bvh")


def test_refused_rename_is_an_output_error_and_leaves_nothing(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # simulated, because root may write anywhere
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for rename in ("replace", "link", "rename"):
        monkeypatch.setattr(os, rename, refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        FORMATS["bvh"](one_person(body, 2), body, tmp_path / "a.bvh")
    assert not list(tmp_path.iterdir())


def test_wrong_file_is_detected_and_not_kept(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = one_person(body)
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh", IN_METRES)
    assert bvh_joint_error(path, take, 1, body, "m") < 1e-4
    # 3 degrees in every channel are centimetres at the wrist
    monkeypatch.setattr(bvh, "continuous_angles", lambda R, o: continuous_angles(R, o) + 0.05)
    with pytest.raises(OutputError, match="mm off"):
        FORMATS["bvh"](take, body, tmp_path / "b.bvh")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bvh"]
    text = path.read_text().splitlines()
    path.write_text("\n".join(text[:-1]))
    with pytest.raises(OutputError, match="frames"):
        bvh_joint_error(path, take, 1, body, "m")


def test_take_of_another_body_is_refused(body: Body, tmp_path: Path) -> None:
    other = replace(one_person(body, 2), body_sha256="0" * 64)
    with pytest.raises(InputError, match="another body"):
        FORMATS["bvh"](other, body, tmp_path / "a.bvh")


def test_every_format_writes_its_file(body: Body, tmp_path: Path) -> None:
    take = one_person(body, 3)
    for each in FORMATS.values():
        target = each.target(tmp_path / "a")
        assert each(take, body, target) == [target]
    assert len(read_take(tmp_path / "a.npz").frame) == 3
