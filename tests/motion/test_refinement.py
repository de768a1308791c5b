"""Tests of the take-level refinement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import UsageError
from pymaf_live.motion import refine_take, smooth_offline
from pymaf_live.motion.motion_model import MotionModel
from pymaf_live.motion.outlier_gate import depth_flipped_rotations
from pymaf_live.motion.refinement.banded import solve_banded
from pymaf_live.motion.refinement.hypotheses import choose_poses
from pymaf_live.motion.refinement.trajectory import (
    HingeLimit,
    Measurements,
    Trajectory,
    TrajectoryFit,
)
from pymaf_live.motion.root_position_filter import bearing_from_position
from pymaf_live.takes.take import Take
from tests.helpers.take import UPRIGHT, make_take, moving_limbs, standing, walking_past
from tests.motion.benchmark import demo_case
from tests.motion.measures import acceleration_error, joint_error

RATE = 30.0


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def times(count: int) -> np.ndarray:
    return np.arange(count) / RATE


def take_of(body: Body, rotations: np.ndarray) -> Take:
    moments = times(len(rotations))
    return make_take(body, moments, {1: rotations}, {1: walking_past(moments)})


def largest_turn(take: Take) -> float:
    """Return the largest turn of a joint between two frames, degrees."""
    turns = matrix_from_axis_angle(take.pose)
    steps = np.swapaxes(turns[:-1], -1, -2) @ turns[1:]
    angle = Rotation.from_matrix(steps.reshape(-1, 3, 3)).magnitude()
    return float(np.degrees(angle.max()))


def raised_arm(body: Body, rotations: np.ndarray, frames: slice, degrees: float) -> np.ndarray:
    raised = rotations.copy()
    shoulder = body.joint_names.index("left_shoulder")
    raised[frames, shoulder] = (
        raised[frames, shoulder] @ Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    )
    return raised


@pytest.mark.parametrize("frames", [slice(30, 42), slice(30, 90)])
def test_an_arm_does_not_teleport(body: Body, frames: slice) -> None:
    truth = moving_limbs(body, times(90), 0.2)
    measured = take_of(body, raised_arm(body, truth, frames, 122))
    assert largest_turn(smooth_offline(measured, body)) > 90
    refined = refine_take(measured, body)
    assert largest_turn(refined) < 40
    if frames.stop == 90:  # a story that lasts is believed
        np.testing.assert_allclose(refined.joints[60:], measured.joints[60:], atol=0.03)


def test_a_body_seen_from_the_wrong_side_for_seconds_is_turned_back(body: Body) -> None:
    truth = moving_limbs(body, times(150), 0.3)
    truth[:, 0] = UPRIGHT
    measured = truth.copy()
    measured[40:100] = depth_flipped_rotations(truth[40:100], body.joint_mirror)
    true = take_of(body, truth)
    # the image is the same: the network takes each joint for the one on the other side
    seen = np.array(true.joints_2d)
    seen[40:100] = seen[40:100, body.joint_mirror]
    refined = refine_take(replace(take_of(body, measured), joints_2d=seen), body)
    assert largest_turn(refined) < 40
    assert joint_error(np.asarray(refined.joints), np.asarray(true.joints)) < 10.0


def test_a_person_who_turns_around_stays_turned(body: Body) -> None:
    turning = standing(body, 120)
    angle = np.pi * np.clip((times(120) - 1.5) / 0.5, 0, 1)
    turning[:, 0] = turning[:, 0] @ Rotation.from_rotvec(np.outer(angle, [0, 1, 0])).as_matrix()
    np.testing.assert_array_equal(choose_poses(body, turning, times(120)).rotations, turning)


def test_exchanged_legs_and_arms_are_put_right(body: Body) -> None:
    truth = moving_limbs(body, times(120), 0.4)
    names = body.joint_names
    for side, bend in (("left", 70), ("right", 5)):  # one leg raised, both arms down
        hip, knee, shoulder = (names.index(f"{side}_{p}") for p in ("hip", "knee", "shoulder"))
        truth[:, hip] = Rotation.from_euler("x", -bend, degrees=True).as_matrix()
        truth[:, knee] = Rotation.from_euler("x", bend, degrees=True).as_matrix()
        sign = -1 if side == "left" else 1
        truth[:, shoulder] = Rotation.from_euler("z", sign * bend, degrees=True).as_matrix()
    measured = truth.copy()
    legs = [
        [names.index(f"{s}_{p}") for p in ("hip", "knee", "ankle", "foot")]
        for s in ("left", "right")
    ]
    measured[50:70, legs[0]], measured[50:70, legs[1]] = (
        truth[50:70, legs[1]],
        truth[50:70, legs[0]],
    )
    chosen = choose_poses(body, measured, times(120))
    np.testing.assert_allclose(chosen.rotations, truth, atol=1e-9)
    assert (chosen.source[50:70] != np.arange(body.joint_count)).sum() == 20 * 8


def test_the_demo_is_refined_without_loss(body: Body) -> None:
    case = demo_case(body)
    true = np.asarray(case.truth.joints)
    joints = [
        np.asarray(take.joints)
        for take in (
            case.measured,
            smooth_offline(case.measured, body),
            refine_take(case.measured, body),
        )
    ]
    raw, offline, refined = (joint_error(each, true) for each in joints)
    assert refined < raw
    assert refined < 1.01 * offline
    jitter = [acceleration_error(each, true) for each in joints]
    assert jitter[2] < 1.05 * jitter[1] < 0.2 * jitter[0]


def test_long_takes_are_fitted_in_windows_without_seams(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    truth = moving_limbs(body, times(120))
    noise = Rotation.from_rotvec(random.normal(0, 0.05, (120 * body.joint_count, 3))).as_matrix()
    measured = take_of(body, truth @ noise.reshape(truth.shape))
    whole = refine_take(measured, body)
    monkeypatch.setattr("pymaf_live.motion.refinement.refine._WINDOW", 70)
    monkeypatch.setattr("pymaf_live.motion.refinement.refine._OVERLAP", 30)
    parts = refine_take(measured, body)
    np.testing.assert_allclose(parts.joints, whole.joints, atol=0.01)
    steps = [np.abs(np.diff(take.joints, 2, axis=0)).max() for take in (parts, whole)]
    assert steps[0] < 1.2 * steps[1]


def test_gaps_are_filled_and_broken_rows_dropped(body: Body) -> None:
    turns = moving_limbs(body, times(60), 0.3)
    kept = np.r_[0:20, 24:60]
    moments = times(60)
    take = make_take(
        body, moments, {1: turns[kept]}, {1: walking_past(moments)[kept]}, frames={1: kept}
    )
    pose = np.array(take.pose)
    pose[40] = np.nan
    refined = refine_take(replace(take, pose=pose), body)
    assert refined.frame.tolist() == list(range(60))
    assert np.flatnonzero(refined.predicted).tolist() == [20, 21, 22, 23, int(kept[40])]
    assert refined.smoothing == "refine"
    true = take_of(body, turns)
    np.testing.assert_allclose(refined.joints, true.joints, atol=0.02)


def test_short_and_empty_takes(body: Body) -> None:
    empty = make_take(body, times(3), {}, {})
    assert not len(refine_take(empty, body).frame)
    for count in (1, 2, 3, 4):
        take = take_of(body, moving_limbs(body, times(count)))
        refined = refine_take(take, body)
        np.testing.assert_allclose(refined.joints, take.joints, atol=0.02)
    assert refine_take(take, body, 0.0) is take
    with pytest.raises(UsageError):
        refine_take(take, body, 1.5)


def test_strength_smooths_more(body: Body) -> None:
    random = np.random.default_rng(2)
    truth = moving_limbs(body, times(40), 0.2)
    noise = Rotation.from_rotvec(random.normal(0, 0.05, (40 * body.joint_count, 3))).as_matrix()
    measured = take_of(body, truth @ noise.reshape(truth.shape))
    weak, strong = (
        np.abs(np.diff(refine_take(measured, body, strength).joints, 2, axis=0)).mean()
        for strength in (0.1, 0.9)
    )
    assert strong < 0.7 * weak


def test_knees_do_not_bend_backwards(body: Body) -> None:
    turns = standing(body, 40)
    knee = body.joint_names.index("left_knee")
    turns[:, knee] = Rotation.from_euler("x", -40, degrees=True).as_matrix()
    refined = refine_take(take_of(body, turns), body)
    assert np.degrees(refined.pose[:, knee, 0]).min() > -25


def test_banded_solution_equals_the_dense_one() -> None:
    random = np.random.default_rng(0)
    count, width = 7, 5
    blocks = random.normal(size=(count, width, width))
    blocks = blocks @ np.swapaxes(blocks, 1, 2) + 8 * np.eye(width)
    links = random.normal(size=(2, count, width))
    right = random.normal(size=(count, width))
    dense = np.zeros((count * width, count * width))
    for frame in range(count):
        at = slice(frame * width, (frame + 1) * width)
        dense[at, at] = blocks[frame]
        for ahead in (1, 2):
            if frame + ahead < count:
                to = slice((frame + ahead) * width, (frame + ahead + 1) * width)
                dense[at, to] += np.diag(links[ahead - 1, frame])
                dense[to, at] += np.diag(links[ahead - 1, frame])
    expected = np.linalg.solve(dense, right.ravel()).reshape(count, width)
    np.testing.assert_allclose(solve_banded(blocks, links, right, 0.0), expected, atol=1e-6)


def test_the_fit_follows_the_image(body: Body) -> None:
    # rotations are off, the image positions of the joints are right: they draw the limbs along
    truth = moving_limbs(body, times(12), 0.4)
    take = take_of(body, truth)
    off = Rotation.from_rotvec([0, 0, 0.3]).as_matrix()
    shoulder, elbow = (body.joint_names.index(f"left_{p}") for p in ("shoulder", "elbow"))
    wrong = truth.copy()
    wrong[:, shoulder] = wrong[:, shoulder] @ off
    bearing = bearing_from_position(np.asarray(take.joints)[:, 0])
    measured = Measurements(
        times=times(12),
        rotations=wrong,
        rotation_weight=np.full(truth.shape[:2], 1 / 0.5),
        bearing=bearing,
        bearing_weight=np.full((12, 3), 1000.0),
        joints_2d=np.asarray(take.joints_2d),
        joint_2d_weight=np.full(truth.shape[:2], 1 / 2.0),
    )
    shape = np.zeros(body.shape_count)
    limits = (HingeLimit(elbow, 1, -2.7, 0.5),)
    fit = TrajectoryFit(body, shape, take.camera, MotionModel.refined(0.5), limits)
    found = fit.solve(measured, Trajectory(wrong, bearing), 8)
    apart = Rotation.from_matrix(
        np.swapaxes(truth[:, shoulder], -1, -2) @ found.rotations[:, shoulder]
    )
    assert np.degrees(apart.magnitude()).max() < 8


@pytest.mark.integration
def test_a_dancers_arm_does_not_teleport_in_a_real_video(tmp_path: Path) -> None:
    from pymaf_live.cli.app import main
    from pymaf_live.takes import read_take
    from tests.helpers.paths import SHARED

    video = SHARED / "data" / "videos" / "dancer_single.mp4"
    if not video.is_file():
        pytest.skip(f"{video} is not present")
    assert (
        main(["process", str(video), "--out", str(tmp_path), "--no-overlay", "--export", "npz"])
        == 0
    )
    take = read_take(tmp_path / "dancer_single.npz")
    assert take.smoothing == "refine"
    assert "full" in take.model
    assert largest_turn(take) < 40
