"""Tests of live and offline smoothing."""

from __future__ import annotations

import time as clock
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, pose_joints, project
from pymaf_live.errors import InputError, UsageError
from pymaf_live.motion import Smoother, smooth_offline
from pymaf_live.motion.motion_model import FAST_TURN, MotionModel
from pymaf_live.motion.take_segments import measured_segments
from pymaf_live.takes.take import Take
from pymaf_live.types import Person
from tests.helpers.take import make_take, moving_limbs, people_by_frame, standing, walking_past
from tests.motion.benchmark import demo_case
from tests.motion.measures import acceleration_error, fast_wrist_error

RATE = 30.0
LAG = MotionModel.live(0.5).output_delay
"""Deliberate delay of live motion, s."""


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def seconds(count: int) -> np.ndarray:
    return np.arange(count) / RATE


def noisy(body: Body, take: Take, seed: int = 0) -> Take:
    """Add a network's jitter: 0.02 rad per joint and axis, 8 mm laterally, 60 mm in depth."""
    random = np.random.default_rng(seed)
    count = len(take.frame)
    turns = Rotation.from_rotvec(take.pose.reshape(-1, 3))
    turns *= Rotation.from_rotvec(random.normal(0, 0.02, (count * body.joint_count, 3)))
    matrices = turns.as_matrix().reshape(count, body.joint_count, 3, 3)
    ray = take.joints[:, 0] / np.linalg.norm(take.joints[:, :1], axis=-1)
    places = take.translation + random.normal(0, 0.008, (count, 3))
    places = places + random.normal(0, 0.06, (count, 1)) * ray
    of = {int(person): take.person == person for person in np.unique(take.person)}
    return make_take(
        body,
        take.frame_time,
        {person: matrices[rows] for person, rows in of.items()},
        {person: places[rows] for person, rows in of.items()},
        frames={person: take.frame[rows] for person, rows in of.items()},
    )


def walker(body: Body, times: np.ndarray) -> Take:
    return make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})


def live(body: Body, take: Take, strength: float = 0.5) -> list[tuple[Person, ...]]:
    # walkers leave the image, where legs would come to rest
    smoother, camera = Smoother(body, strength, "measured"), take.camera
    return [
        smoother.update(float(time), people, camera)
        for time, people in zip(take.frame_time, people_by_frame(take), strict=True)
    ]


def joints_of(results: list[tuple[Person, ...]]) -> np.ndarray:
    return np.array([people[0].joints for people in results])


def pose_error(joints: np.ndarray, truth: np.ndarray) -> float:
    own, true = joints - joints[:, :1], truth - truth[:, :1]
    return float(np.linalg.norm(own - true, axis=-1).mean())


def jitter(joints: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean acceleration error per frame^2, as in the literature."""
    return float(np.linalg.norm(np.diff(joints - truth, 2, axis=0), axis=-1).mean())


def test_live_smoothing_reduces_error_and_jitter(body: Body) -> None:
    truth = walker(body, seconds(240))
    rough = noisy(body, truth)
    smooth = joints_of(live(body, rough))
    own = slice(20, None)
    root = (slice(20, None), slice(0, 1))
    rough_error = pose_error(rough.joints, truth.joints)
    shown = walker(body, seconds(240) - LAG)
    assert pose_error(smooth[own], shown.joints[own]) < 0.92 * rough_error
    assert jitter(smooth[own], truth.joints[own]) < jitter(rough.joints, truth.joints) / 3
    assert (
        jitter(smooth[root], truth.joints[root])
        < jitter(rough.joints[root], truth.joints[root]) / 5
    )
    place = np.linalg.norm(smooth[root] - truth.joints[root], axis=-1).mean()
    assert place < 0.6 * np.linalg.norm(rough.joints[root] - truth.joints[root], axis=-1).mean()


def test_offline_smoothing_halves_the_error_and_reduces_jitter_tenfold(body: Body) -> None:
    truth = walker(body, seconds(240))
    rough = noisy(body, truth)
    smooth = smooth_offline(rough, body)
    assert smooth.smoothing == "offline"
    assert pose_error(smooth.joints, truth.joints) < 0.55 * pose_error(rough.joints, truth.joints)
    assert jitter(smooth.joints, truth.joints) < jitter(rough.joints, truth.joints) / 10
    place = np.linalg.norm(smooth.joints[:, 0] - truth.joints[:, 0], axis=-1).mean()
    assert place < 0.35 * np.linalg.norm(rough.joints[:, 0] - truth.joints[:, 0], axis=-1).mean()


def swinging_arm(body: Body, times: np.ndarray, hertz: float) -> Take:
    turns = standing(body, len(times))
    angles = 0.8 * np.sin(2 * np.pi * hertz * times)
    shoulder = body.joint_names.index("left_shoulder")
    turns[:, shoulder] = Rotation.from_rotvec(np.outer(angles, [0, 0, 1])).as_matrix()
    return make_take(body, times, {1: turns}, {1: walking_past(times)})


def lag(angles: np.ndarray, times: np.ndarray, hertz: float) -> float:
    """Return the delay in seconds of a swing of sin(2 pi hertz t)."""
    turning = np.exp(-2j * np.pi * hertz * times)
    wanted = np.sin(2 * np.pi * hertz * times)
    late = np.angle((angles * turning).sum() / (wanted * turning).sum())
    return float(-late / (2 * np.pi * hertz))


def test_offline_has_no_lag_and_live_less_than_half_a_frame(body: Body) -> None:
    times, hertz = seconds(300), 1.5
    take = swinging_arm(body, times, hertz)
    shoulder = body.joint_names.index("left_shoulder")
    middle = slice(60, 240)  # nine whole swings
    offline = smooth_offline(take, body).pose[middle, shoulder, 2]
    assert abs(lag(offline, times[middle], hertz)) < 5e-4
    turns = np.array([people[0].rotations[shoulder] for people in live(body, take)])
    angles = Rotation.from_matrix(turns).as_rotvec()[middle, 2]
    assert abs(lag(angles, times[middle], hertz)) < 0.5 / RATE


@pytest.mark.parametrize("rate", [24.0, 60.0, 120.0])
def test_live_delay_in_seconds_does_not_depend_on_the_rate(body: Body, rate: float) -> None:
    times, hertz = np.arange(int(8 * rate)) / rate, 1.5
    take = swinging_arm(body, times, hertz)
    shoulder = body.joint_names.index("left_shoulder")
    turns = np.array([people[0].rotations[shoulder] for people in live(body, take)])
    angles = Rotation.from_matrix(turns).as_rotvec()[:, 2]
    middle = slice(int(2 * rate), int(6 * rate))  # six whole swings
    assert 0.35 * min(LAG, 1 / rate) < lag(angles[middle], times[middle], hertz) < 0.02


def test_fast_wrists_are_hardly_late_and_slow_motion_stays_smooth(body: Body) -> None:
    case = demo_case(body)
    true, raw = np.asarray(case.truth.joints), np.asarray(case.measured.joints)
    shown = joints_of(live(body, case.measured))
    assert fast_wrist_error(shown, case.truth) < 1.1 * fast_wrist_error(raw, case.truth)
    assert acceleration_error(shown, true) < 0.25 * acceleration_error(raw, true)


def test_extrapolation_continues_from_the_shown_position(body: Body) -> None:
    # with the same delay as before, or the motion would jump ahead
    times = seconds(60)
    turns = moving_limbs(body, times, 0.2)
    places = np.c_[-1 + 2.0 * times, 0 * times, 4 + 0 * times]
    there = np.r_[0:50]
    take = make_take(body, times, {1: turns[there]}, {1: places[there]}, frames={1: there})
    shown = joints_of(live(body, take)[:54])[:, 0, 0]
    speed = RATE * np.diff(shown)[30:]
    assert (speed > 1.45).all()  # slowing down
    assert (speed < 2.05).all()
    assert np.abs(np.diff(speed)).max() < 0.2  # a jump by the delay would be 0.6


@pytest.mark.parametrize("offline", [False, True])
def test_rotation_through_180_degrees_has_no_glitch(body: Body, offline: bool) -> None:
    times = seconds(150)
    turns = standing(body, 150)
    # the root passes 180 degrees every second, where noise flips the sign of the axis
    turns[:, 0] = turns[:, 0] @ Rotation.from_euler("y", 2 * np.pi * times[:, None]).as_matrix()
    truth = make_take(body, times, {1: turns}, {1: np.tile([0, 0, 4.0], (150, 1))})
    rough = noisy(body, truth)
    if offline:
        smooth = Rotation.from_rotvec(smooth_offline(rough, body).pose[:, 0])
    else:
        smooth = Rotation.from_matrix([p[0].rotations[0] for p in live(body, rough)])
    # a fast turn is shown with a fraction of the delay
    late = 0.0 if offline else 2 * np.pi * LAG / (1 + (2 * np.pi / FAST_TURN) ** 2)
    true = Rotation.from_matrix(turns[:, 0]) * Rotation.from_euler("y", -late)
    assert (smooth.inv() * true).magnitude()[20:].max() < 0.08


def test_uneven_frame_times_are_smoothed_as_well_as_even_ones(body: Body) -> None:
    random = np.random.default_rng(1)
    times = np.cumsum(random.uniform(0.005, 0.062, 240))
    truth = walker(body, times)
    rough = noisy(body, truth)
    smooth = smooth_offline(rough, body)
    assert pose_error(smooth.joints, truth.joints) < 0.6 * pose_error(rough.joints, truth.joints)
    now = joints_of(live(body, rough))
    shown = walker(body, times - LAG)
    assert pose_error(now[20:], shown.joints[20:]) < 0.9 * pose_error(rough.joints, truth.joints)


def test_joints_projection_and_box_follow_from_the_smoothed_parameters(body: Body) -> None:
    rough = noisy(body, walker(body, seconds(30)))
    camera = rough.camera
    for (person,) in live(body, rough):
        joints = pose_joints(body, person.rotations, person.shape, person.translation)
        np.testing.assert_allclose(person.joints, joints, atol=1e-9)
        np.testing.assert_allclose(person.joints_2d, project(joints, camera), atol=1e-6)
        np.testing.assert_allclose(person.box[:2], person.joints_2d.min(axis=0))
        turned = person.rotations @ np.swapaxes(person.rotations, -1, -2)
        np.testing.assert_allclose(turned, np.broadcast_to(np.eye(3), turned.shape), atol=1e-9)
    smooth = smooth_offline(rough, body)
    turns = Rotation.from_rotvec(smooth.pose.reshape(-1, 3)).as_matrix()
    joints = pose_joints(
        body, turns.reshape(*smooth.pose.shape, 3), smooth.shape, smooth.translation
    )
    np.testing.assert_allclose(smooth.joints, joints, atol=1e-6)
    assert np.ptp(smooth.shape, axis=0).max() == 0  # one shape a person


def with_gap(body: Body, first: int, after: int, count: int = 90) -> Take:
    times = seconds(count)
    there = np.r_[0:first, after:count]
    return make_take(
        body,
        times,
        {1: moving_limbs(body, times)[there]},
        {1: walking_past(times)[there]},
        frames={1: there},
    )


def test_unseen_person_is_extrapolated_for_a_quarter_second(body: Body) -> None:
    take = with_gap(body, 40, 90)
    results = live(body, take)
    predicted = [index for index, people in enumerate(results) if people and people[0].predicted]
    assert predicted == [40, 41, 42, 43, 44, 45, 46]  # up to 7/30 s after frame 39
    truth = walker(body, seconds(90))
    # the person keeps walking: closer to the truth than the last measured frame
    error = np.linalg.norm(results[43][0].joints[0] - truth.joints[43, 0])
    assert error < 0.5 * np.linalg.norm(truth.joints[39, 0] - truth.joints[43, 0])
    assert results[46][0].score < results[40][0].score < results[39][0].score
    assert not any(results[47:])


def test_offline_fills_short_gaps_only(body: Body) -> None:
    truth = walker(body, seconds(90))
    short = smooth_offline(with_gap(body, 40, 46), body)
    assert short.frame.tolist() == list(range(90))
    assert np.flatnonzero(short.predicted).tolist() == list(range(40, 46))
    error = np.linalg.norm(short.joints[40:46] - truth.joints[40:46], axis=-1)
    assert error.max() < 0.06
    for after in (52, 75):
        long = smooth_offline(with_gap(body, 40, after), body)
        assert long.frame.tolist() == [*range(40), *range(after, 90)]
        assert not long.predicted.any()


def test_no_one_is_dragged_over_a_cut(body: Body) -> None:
    """In another shot the same person stands elsewhere from one frame to the next."""
    times = np.arange(40) / 30
    turns = moving_limbs(body, times)
    places = np.tile([-2.5, 0.0, 6.0], (40, 1))
    places[20:] = [1.5, 0.0, 3.0]
    turns[20:] = turns[20:] @ turns[0].swapaxes(-1, -2)
    take = make_take(body, times, {1: turns}, {1: places})
    assert len(measured_segments(take, body)) == 2
    smoothed = smooth_offline(take, body, 1.0)
    off = np.linalg.norm(smoothed.translation - take.translation, axis=1)
    assert off.max() < 0.05
    # a single outlier is not a cut
    places[:] = [0.0, 0.0, 5.0]
    places[20] = [2.5, 0.0, 5.0]
    outlier = make_take(body, times, {1: moving_limbs(body, times)}, {1: places})
    assert len(measured_segments(outlier, body)) == 1


def test_person_who_returns_after_a_long_gap_starts_anew(body: Body) -> None:
    times = seconds(90)
    there = np.r_[0:30, 60:90]
    places = walking_past(times)
    places[60:] += [0.0, 0.0, 3.0]
    take = make_take(body, times, {1: standing(body, 60)}, {1: places[there]}, frames={1: there})
    results = live(body, take)
    np.testing.assert_allclose(results[60][0].translation, places[60], atol=1e-9)
    smooth = smooth_offline(take, body)
    np.testing.assert_allclose(smooth.translation, places[there], atol=0.02)  # no drag over the gap


def test_reset_and_decreasing_time_start_anew(body: Body) -> None:
    times = seconds(30)
    take = make_take(body, times, {1: standing(body, 30)}, {1: walking_past(times)})
    people, camera = people_by_frame(take), take.camera
    for again in ("reset", "loop"):
        smoother = Smoother(body)
        for time, seen in zip(times, people, strict=True):
            smoother.update(float(time), seen, camera)
        if again == "reset":
            smoother.reset()
        at = 1.1 if again == "reset" else 0.0
        (person,) = smoother.update(at, people[0], camera)
        np.testing.assert_allclose(person.translation, people[0][0].translation, atol=1e-9)
        assert smoother.update(at + 1 / RATE, (), camera)[0].predicted


def test_two_people_are_independent(body: Body) -> None:
    times = seconds(60)
    both = make_take(
        body,
        times,
        {1: moving_limbs(body, times), 2: standing(body, 60)},
        {1: walking_past(times), 2: walking_past(times, 1.5)},
    )
    alone = replace(both, **{
        name: getattr(both, name)[both.person == 2]
        for name in ("frame", "person", "pose", "shape", "translation", "joints", "joints_2d",
                     "box", "score", "joint_score", "predicted")
    })  # fmt: skip
    together = live(body, noisy(body, both))
    assert all([person.id for person in people] == [1, 2] for people in together)
    second = [people[1].joints for people in live(body, both)]
    np.testing.assert_array_equal(second, joints_of(live(body, alone)))
    rows = smooth_offline(both, body)
    np.testing.assert_array_equal(rows.joints[rows.person == 2], smooth_offline(alone, body).joints)


def test_single_bad_frame_is_hardly_visible(body: Body) -> None:
    times = seconds(60)
    turns = standing(body, 60)
    elbow = body.joint_names.index("left_elbow")
    turns[30, elbow] = Rotation.from_euler("y", 2.5).as_matrix()
    take = make_take(body, times, {1: turns}, {1: walking_past(times)})
    pose = np.linalg.norm(smooth_offline(take, body).pose[:, elbow], axis=-1)
    assert pose.max() < 0.6


def test_changing_shape_does_not_change_the_size_in_the_image(body: Body) -> None:
    # the network sometimes confuses a tall distant person with a small near one
    times = seconds(60)
    shapes = np.zeros((60, body.shape_count))
    shapes[::2, 0] = 2.0
    size = np.linalg.norm(
        pose_joints(body, standing(body, 60), shapes)[:, 0]
        - pose_joints(body, standing(body, 60), shapes)[:, body.joint_names.index("left_ankle")],
        axis=-1,
    )
    places = np.tile([0.0, 0.3, 4.0], (60, 1)) * (size / size[1])[:, None]
    take = make_take(body, times, {1: standing(body, 60)}, {1: places}, shapes={1: shapes})
    smooth = smooth_offline(take, body)
    height = lambda t: np.ptp(t.joints_2d[..., 1], axis=1)  # noqa: E731
    assert np.ptp(height(smooth)) < 0.01 * height(smooth).mean()
    assert abs(height(smooth).mean() / height(take).mean() - 1) < 0.02


def test_strength_zero_is_off_and_invalid_strengths_are_refused(body: Body) -> None:
    take = noisy(body, walker(body, seconds(5)))
    people = people_by_frame(take)
    smoother = Smoother(body, 0.0)
    assert smoother.update(0.0, people[0], take.camera) == people[0]
    assert smooth_offline(take, body, 0.0) is take
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(UsageError):
            Smoother(body, wrong)
        with pytest.raises(UsageError):
            smooth_offline(take, body, wrong)


def test_empty_take_stays_empty_and_another_body_is_refused(body: Body) -> None:
    empty = make_take(body, seconds(3), {}, {})
    assert len(smooth_offline(empty, body).frame) == 0
    with pytest.raises(InputError):
        smooth_offline(replace(empty, body_sha256="0" * 64), body)


def test_frame_is_smoothed_in_less_than_ten_milliseconds(body: Body) -> None:
    take = noisy(body, walker(body, seconds(60)))
    smoother, camera = Smoother(body, legs="measured"), take.camera
    people = people_by_frame(take)
    taken = []
    for time, seen in zip(take.frame_time, people, strict=True):
        start = clock.perf_counter()
        smoother.update(float(time), seen, camera)
        taken.append(clock.perf_counter() - start)
    assert np.median(taken) < 0.01
