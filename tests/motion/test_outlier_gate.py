"""Tests of the outlier gate: rejection of outliers and acceptance of real jumps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body
from pymaf_live.motion import Smoother, smooth_offline
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, moving_limbs, people_by_frame, standing, walking_past
from tests.motion.network_errors import depth_flipped

TRACE = 0.012
"""Largest accepted trace of an outlier, m; as large as the network's own jitter."""


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def times_of(count: int, rate: float = 30.0) -> np.ndarray:
    return np.arange(count) / rate


def live_joints(body: Body, take: Take, strength: float = 0.5) -> np.ndarray:
    smoother, camera = Smoother(body, strength), take.camera
    return np.array(
        [
            smoother.update(float(time), people, camera)[0].joints
            for time, people in zip(take.frame_time, people_by_frame(take), strict=True)
        ]
    )


def walk(body: Body, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return moving_limbs(body, times, 0.2), walking_past(times)


def furthest(joints: np.ndarray, others: np.ndarray) -> float:
    return float(np.linalg.norm(joints - others, axis=-1).mean(axis=-1).max())


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_left_right_confusion_of_three_frames_is_rejected(
    body: Body, frames: int, strength: float
) -> None:
    times = times_of(60)
    turns, places = walk(body, times)
    take = make_take(body, times, {1: turns}, {1: places})
    wrong = turns.copy()
    wrong[30 : 30 + frames] = depth_flipped(body, turns[30 : 30 + frames])
    spoilt = make_take(body, times, {1: wrong}, {1: places})
    raw = np.linalg.norm(spoilt.joints - take.joints, axis=-1).mean(axis=-1).max()
    assert raw > 0.1
    off = furthest(live_joints(body, spoilt, strength), live_joints(body, take, strength))
    assert off < TRACE
    assert furthest(smooth_offline(spoilt, body).joints, smooth_offline(take, body).joints) < TRACE


def test_single_outlier_frame_is_rejected(body: Body) -> None:
    times = times_of(60)
    turns, places = walk(body, times)
    random = np.random.default_rng(0)
    wrong, elsewhere = turns.copy(), places.copy()
    wrong[30] = Rotation.random(body.joint_count, rng=random).as_matrix()
    elsewhere[30] += [0.5, -0.3, 2.0]
    take = make_take(body, times, {1: turns}, {1: places})
    spoilt = make_take(body, times, {1: wrong}, {1: elsewhere})
    assert furthest(live_joints(body, spoilt), live_joints(body, take)) < TRACE


@pytest.mark.parametrize("shift", [0.06, 0.1, 0.15, 0.3])
def test_position_jump_with_some_joints_is_rejected(body: Body, shift: float) -> None:
    # the jump alone is not large enough to be rejected
    times = times_of(60)
    turns, places = walk(body, times)
    wrong, elsewhere = turns.copy(), places.copy()
    for name in ("left_knee", "right_elbow", "head"):
        joint = body.joint_names.index(name)
        wrong[30, joint] = wrong[30, joint] @ Rotation.from_euler("x", 1.5).as_matrix()
    elsewhere[30] += [shift, 0.0, 0.0]
    take = make_take(body, times, {1: turns}, {1: places})
    spoilt = make_take(body, times, {1: wrong}, {1: elsewhere})
    assert furthest(live_joints(body, spoilt), live_joints(body, take)) < TRACE


def test_filter_is_not_faster_after_a_position_outlier(body: Body) -> None:
    times = times_of(40)
    turns, places = standing(body, 40), np.tile([0.0, 0.1, 4.0], (40, 1))
    places[31:] += [0.03, 0.0, 0.0]
    elsewhere = places.copy()
    elsewhere[30] += [0.5, 0.0, 0.0]
    still, wild = (
        live_joints(body, make_take(body, times, {1: turns}, {1: each}))[:, 0, 0]
        for each in (places, elsewhere)
    )
    assert np.ptp(wild[:31]) < 1e-6
    assert 0.005 < still[31] < 0.03
    np.testing.assert_allclose(wild[31:], still[31:], atol=2e-4)


def test_persistent_flip_is_accepted(body: Body) -> None:
    # the first frames were the flipped ones
    times = times_of(60)
    turns, places = walk(body, times)
    wrong = turns.copy()
    wrong[:20] = depth_flipped(body, turns[:20])
    take = make_take(body, times, {1: wrong}, {1: places})
    off = np.linalg.norm(live_joints(body, take) - take.joints, axis=-1).mean(axis=-1)
    assert off[20] > 0.1  # still follows the earlier frames
    assert off[24:].max() < 0.08
    smooth = smooth_offline(take, body)
    assert np.linalg.norm(smooth.joints - take.joints, axis=-1).mean(axis=-1).max() < 0.08


def test_outlier_joint_does_not_affect_the_others(body: Body) -> None:
    times = times_of(60)
    turns, places = walk(body, times)
    elbow = body.joint_names.index("left_elbow")
    wrong = turns.copy()
    wrong[30:33, elbow] = wrong[30:33, elbow] @ Rotation.from_euler("y", 2.0).as_matrix()
    take = make_take(body, times, {1: turns}, {1: places})
    off = live_joints(body, make_take(body, times, {1: wrong}, {1: places}))
    off = np.linalg.norm(off - live_joints(body, take), axis=-1)
    arm = [body.joint_names.index(f"left_{part}") for part in ("wrist", "hand")]
    others = np.setdiff1d(np.arange(body.joint_count), arm)
    assert off[:, others].max() < 1e-9
    assert off[:, arm].max() < TRACE


@pytest.mark.parametrize("rate", [10.0, 30.0, 60.0])
def test_real_jump_is_accepted_after_a_short_time(body: Body, rate: float) -> None:
    times = times_of(60, rate)
    turns, places = walk(body, times)
    turns[30:, 0] = turns[30:, 0] @ Rotation.from_euler("y", np.pi).as_matrix()
    places = places + np.where(np.arange(60)[:, None] >= 30, [0.8, 0.0, 0.0], 0.0)
    take = make_take(body, times, {1: turns}, {1: places})
    off = np.linalg.norm(live_joints(body, take) - take.joints, axis=-1).mean(axis=-1)
    late = max(3, int(0.11 * rate + 1e-9))
    assert off[30] > 0.3  # rejected at first
    assert off[30 + late] < 0.08  # then accepted at once
    # offline smoothing has no delay
    smooth = smooth_offline(take, body)
    off = np.linalg.norm(smooth.joints - take.joints, axis=-1).mean(axis=-1)
    assert off.max() < 0.08


def test_fast_motion_is_not_rejected(body: Body) -> None:
    # a punch: the shoulder rotates by 120 degrees within a fifth of a second
    times = times_of(60)
    turns, places = walk(body, times)
    angle = np.radians(120) / (1 + np.exp(-(times - 1.0) / 0.035))
    shoulder = body.joint_names.index("right_shoulder")
    turns[:, shoulder] = Rotation.from_rotvec(np.outer(angle, [0, 1, 0])).as_matrix()
    take = make_take(body, times, {1: turns}, {1: places})
    wrist = body.joint_names.index("right_wrist")
    off = np.linalg.norm((live_joints(body, take) - take.joints)[:, wrist], axis=-1)
    speed = np.linalg.norm(np.gradient(take.joints[:, wrist], times, axis=0), axis=-1)
    assert speed.max() > 4.0
    assert off.max() < speed.max() / 30  # less than a frame behind


def test_restarted_people_start_anew(body: Body) -> None:
    times = times_of(20)
    turns, places = walk(body, times)
    turns[10:, 0] = turns[10:, 0] @ Rotation.from_euler("y", np.pi).as_matrix()
    take = make_take(body, times, {1: turns}, {1: places})
    smoother, camera = Smoother(body), take.camera
    for index, people in enumerate(people_by_frame(take)):
        restarted = [1] if index == 10 else []
        (person,) = smoother.update(float(times[index]), people, camera, restarted=restarted)
        if index == 10:
            np.testing.assert_allclose(person.joints, take.joints[10], atol=1e-6)


def test_frames_that_are_not_finite_are_extrapolated(body: Body) -> None:
    times = times_of(30)
    turns, places = walk(body, times)
    take = make_take(body, times, {1: turns}, {1: places})
    pose = take.pose.copy()
    pose[15:18, 4] = np.nan
    broken = replace(take, pose=pose)
    smoother, camera = Smoother(body), take.camera
    for time, people in zip(times, people_by_frame(take), strict=True):
        number = round(time * 30)
        if 15 <= number < 18:
            nothing = np.full_like(people[0].rotations, np.nan)
            people = (replace(people[0], rotations=nothing),)
        (person,) = smoother.update(float(time), people, camera)
        assert person.predicted == (15 <= number < 18)
        assert np.isfinite(person.joints).all()
    smooth = smooth_offline(broken, body)
    assert np.isfinite(smooth.joints).all()
    assert np.flatnonzero(smooth.predicted).tolist() == [15, 16, 17]


def test_two_people_with_one_id_are_both_kept(body: Body) -> None:
    times = times_of(10)
    turns, places = walk(body, times)
    take = make_take(body, times, {1: turns}, {1: places})
    smoother, camera = Smoother(body), take.camera
    for time, (person,) in zip(times, people_by_frame(take), strict=True):
        second = replace(person, translation=person.translation + np.array([1.0, 0, 0]))
        first, other = smoother.update(float(time), (person, second), camera)
        assert other is second
        assert abs(first.translation[0] - person.translation[0]) < 0.05


def test_strength_can_change_during_a_run(body: Body) -> None:
    times = times_of(90)
    turns, places = walk(body, times)
    random = np.random.default_rng(4)
    noise = Rotation.from_rotvec(random.normal(0, 0.03, (90 * body.joint_count, 3))).as_matrix()
    take = make_take(body, times, {1: turns @ noise.reshape(turns.shape)}, {1: places})
    smoother, camera, joints = Smoother(body, 0.0), take.camera, []
    for index, people in enumerate(people_by_frame(take)):
        smoother.strength = (0.0, 0.2, 1.0)[index // 30]
        joints.append(smoother.update(float(times[index]), people, camera)[0].joints)
    rough = np.linalg.norm(np.diff(np.array(joints), 2, axis=0), axis=-1).mean(axis=-1)
    off, snappy, smooth = rough[2:28].mean(), rough[36:58].mean(), rough[66:].mean()
    assert smooth < 0.75 * snappy < 0.75 * 0.75 * off
    np.testing.assert_array_equal(joints[5], people_by_frame(take)[5][0].joints)
