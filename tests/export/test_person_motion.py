"""Tests of people's motions: rejected rows, gaps, resampling, progress and errors."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from pymaf_live.body import Body, default_body
from pymaf_live.errors import Interrupted, OutputError
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.person_motion import frame_grid, person_motion
from pymaf_live.export.world import world_transform
from pymaf_live.takes.take import Take
from tests.helpers.reporter import RecordingReporter
from tests.helpers.take import make_take, moving_limbs, standing, walking_past

NTSC = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def walk(body: Body, count: int = 12, rate: Fraction = Fraction(30)) -> Take:
    times = np.arange(count) / float(rate)
    return make_take(
        body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)}, rate=rate
    )


def with_nan_in(take: Take, row: int) -> Take:
    pose = take.pose.copy()
    pose[row, 3, 1] = np.nan
    return replace(take, pose=pose)


def test_frame_that_is_not_finite_is_filled_and_noted(body: Body, tmp_path: Path) -> None:
    take = with_nan_in(walk(body), 5)
    (done,) = FORMATS["glb"].write(take, body, tmp_path / "a.glb")
    assert done.joint_error is not None
    assert done.joint_error < 1e-5
    assert "1 rows with numbers that are not finite were left out" in done.note
    assert "not seen in 1 of 12 frames" in done.note


@pytest.mark.parametrize("pause", [10.1, 90_000.0])
def test_frames_are_bounded_by_those_measured(body: Body, tmp_path: Path, pause: float) -> None:
    take = walk(body)
    late = take.frame_time + np.where(np.arange(12) < 5, 0.0, pause)
    (done,) = FORMATS["bvh"].write(replace(take, frame_time=late), body, tmp_path / "a.bvh")
    assert f"{pause:.0f} s without any frame were closed up" in done.note
    assert "Frames: 12\n" in (tmp_path / "a.bvh").read_text()


def test_short_pauses_stay(body: Body, tmp_path: Path) -> None:
    take = walk(body)
    late = take.frame_time + np.where(np.arange(12) < 5, 0.0, 2.0)
    (done,) = FORMATS["bvh"].write(replace(take, frame_time=late), body, tmp_path / "a.bvh")
    assert "closed up" not in done.note
    assert "Frames: 72\n" in (tmp_path / "a.bvh").read_text()


def test_rates_that_need_far_more_frames_than_measured_are_refused(body: Body) -> None:
    with pytest.raises(OutputError, match="too long"):
        frame_grid(walk(body), Fraction(1_000_000))


def test_take_without_finite_rows_is_an_error(body: Body, tmp_path: Path) -> None:
    take = walk(body, 1)
    with pytest.raises(OutputError, match="finite"):
        FORMATS["glb"].write(with_nan_in(take, 0), body, tmp_path / "a.glb")
    assert not list(tmp_path.iterdir())


def test_two_rows_of_one_person_in_a_frame_are_an_error(body: Body, tmp_path: Path) -> None:
    take = walk(body, 4)
    same = replace(take, frame=np.array([0, 1, 1, 2]))
    for name in ("bvh", "fbx", "glb"):
        with pytest.raises(OutputError, match="person 1 twice in frame 1"):
            FORMATS[name].write(same, body, tmp_path / f"a.{name}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["bvh", "fbx", "glb"])
def test_one_frame_unicode_names_and_empty_takes_work(
    body: Body, tmp_path: Path, name: str
) -> None:
    path = tmp_path / f"Tänzerin 舞 🕺.{name}"
    (done,) = FORMATS[name].write(walk(body, 1, NTSC), body, path)
    assert done.path == path
    assert path.exists()
    assert done.rate == pytest.approx(float(NTSC), rel=1e-5)
    empty = make_take(body, np.arange(3) / 30, {}, {})
    assert FORMATS[name].write(empty, body, tmp_path / f"b.{name}") == []
    no_frames = make_take(body, np.zeros(0), {}, {})
    assert FORMATS[name].write(no_frames, body, tmp_path / f"b.{name}") == []
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["bvh", "fbx", "glb"])
def test_cancelled_export_leaves_no_file(body: Body, tmp_path: Path, name: str) -> None:
    reporter = RecordingReporter(cancel_after=0.3)
    with pytest.raises(Interrupted):
        FORMATS[name].write(walk(body), body, tmp_path / f"a.{name}", reporter=reporter)
    assert reporter.fractions == sorted(reporter.fractions)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["bvh", "fbx", "glb"])
def test_progress_ends_at_one(body: Body, tmp_path: Path, name: str) -> None:
    reporter = RecordingReporter()
    FORMATS[name].write(walk(body), body, tmp_path / f"a.{name}", reporter=reporter)
    assert reporter.fractions == sorted(reporter.fractions)
    assert reporter.fractions[0] == 0.0
    assert reporter.fractions[-1] == 1.0


@pytest.mark.parametrize("name", ["fbx", "glb"])
def test_full_disk_is_an_output_error_and_leaves_nothing(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match="No space left"):
        FORMATS[name].write(walk(body), body, tmp_path / f"a.{name}")
    assert not list(tmp_path.iterdir())


def test_resampling_interpolates_rotations_and_keeps_the_ends(body: Body) -> None:
    take = walk(body, 31)
    transform = world_transform(take, body, "camera", 1)
    motion = person_motion(take, body, 1, transform, Fraction(24))
    assert motion.rate == 24
    assert len(motion.root) == 25
    joint = body.joint_names.index("left_elbow")
    slerp = Slerp(take.frame_time, Rotation.from_rotvec(take.pose[:, joint]))
    wanted = slerp(np.minimum(np.arange(25) / 24, take.frame_time[-1]))
    off = (Rotation.from_matrix(motion.rotations[:, joint]).inv() * wanted).magnitude()
    assert off.max() < 1e-6
    np.testing.assert_allclose(motion.root[-1], take.joints[-1, 0] * [1, -1, -1], atol=1e-6)


def test_frame_grid_of_a_long_take_does_not_drift(body: Body) -> None:
    times = np.arange(0.0, 36_001.0, 5.0)  # a frame every five seconds
    here = {1: np.array([0])}
    take = make_take(
        body,
        times,
        {1: standing(body, 1)},
        {1: np.array([[0.0, 0.0, 4.0]])},
        rate=NTSC,
        frames=here,
    )
    grid = frame_grid(take)
    assert len(grid) == round(36_000 * NTSC) + 1
    assert grid[-1] == pytest.approx(float((len(grid) - 1) / NTSC), abs=1e-9)


def test_frames_without_a_measurement_are_marked(body: Body) -> None:
    take = walk(body, 10)
    predicted = np.zeros(10, dtype=bool)
    predicted[4] = True
    keep = np.arange(10) != 7
    rows = {
        name: getattr(take, name)[keep]
        for name in ("frame", "person", "pose", "shape", "translation", "joints", "joints_2d",
                     "box", "score", "joint_score")
    }  # fmt: skip
    gap = replace(take, **rows, predicted=predicted[keep])
    motion = person_motion(gap, body, 1, world_transform(gap, body, "camera", 1))
    assert np.flatnonzero(~motion.seen).tolist() == [4, 7]
