"""Tests of foot locking, contact detection, ground fit and two-bone IK."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, project
from pymaf_live.body.two_bone import Leg, solve_two_bone
from pymaf_live.cli.app import main
from pymaf_live.motion import lock_feet, smooth_offline
from pymaf_live.motion.contacts import contact_probability, find_stances
from pymaf_live.motion.steady_view import steadied, unsteadied
from pymaf_live.takes import read_take, write_take
from pymaf_live.takes.ground import ball_heights, estimate_ground
from pymaf_live.takes.take import Take
from tests.helpers.take import UPRIGHT, make_take, standing
from tests.motion.benchmark import demo_case
from tests.motion.measures import (
    acceleration_error,
    contacts,
    foot_slide,
    joint_error,
    reprojection_error,
)

UP = np.array([0.0, -1.0, 0.0])


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def feet_of(body: Body) -> list[int]:
    return [body.joint_names.index(f"{side}_foot") for side in ("left", "right")]


def swaying(body: Body, count: int = 120) -> Take:
    """Return a standing person with typical errors: swaying hips, depth drifting by 10 cm."""
    times = np.arange(count) / 30
    turns = standing(body, count)
    sway = 0.06 * np.sin(2 * np.pi * 0.7 * times)
    for side in ("left", "right"):
        hip = body.joint_names.index(f"{side}_hip")
        turns[:, hip] = Rotation.from_euler("z", sway[:, None]).as_matrix()
    places = np.tile([0.3, 0.1, 4.0], (count, 1))
    places[:, 2] += 0.1 * np.sin(2 * np.pi * 0.3 * times)
    return make_take(body, times, {1: turns}, {1: places})


def test_standing_person_does_not_drift(body: Body) -> None:
    take = swaying(body)
    feet = feet_of(body)
    assert np.ptp(take.joints[:, feet], axis=0).max() > 0.1
    locked = lock_feet(take, body)
    assert np.ptp(locked.joints[:, feet], axis=0).max() < 5e-3
    assert np.ptp(locked.joints[:, 0, 2]) < 0.03  # nor does the rest of the body
    # in the image the hips move by less than the feet slid
    moved = np.abs(locked.joints_2d - take.joints_2d)[:, 0].max()
    assert moved < 0.6 * np.ptp(take.joints_2d[:, feet], axis=0).max()
    np.testing.assert_array_equal(locked.pose[:, 12:], take.pose[:, 12:])  # above the hips


def test_bones_keep_their_length_and_feet_their_orientation(body: Body) -> None:
    take = swaying(body)
    locked = lock_feet(take, body)
    child = np.flatnonzero(body.parents >= 0)

    def lengths(t: Take) -> np.ndarray:
        return np.linalg.norm(t.joints[:, child] - t.joints[:, body.parents[child]], axis=-1)

    np.testing.assert_allclose(lengths(locked), lengths(take), atol=1e-6)
    ankle, foot = (body.joint_names.index(f"left_{part}") for part in ("ankle", "foot"))
    np.testing.assert_allclose(
        locked.joints[:, foot] - locked.joints[:, ankle],
        take.joints[:, foot] - take.joints[:, ankle],
        atol=1e-6,
    )


def test_never_mode_and_separate_images_leave_the_take_unchanged(body: Body) -> None:
    take = swaying(body, 30)
    assert lock_feet(take, body, "never") is take
    images = replace(take, picture_name=tuple(f"{i}.jpg" for i in range(30)))
    assert lock_feet(images, body, "always") is images
    empty = make_take(body, np.arange(3) / 30, {}, {})
    assert lock_feet(empty, body) is empty


def test_export_locks_feet_only_on_request(body: Body, tmp_path: Path) -> None:
    recorded = tmp_path / "stand.npz"
    write_take(recorded, swaying(body))
    slid = {}
    for name, more in (("as_is", []), ("held", ["--foot-lock", "auto"])):
        target = tmp_path / f"{name}.npz"
        assert main(["export", str(recorded), "--to", str(target), *more]) == 0
        slid[name] = np.ptp(read_take(target).joints[:, feet_of(body)], axis=0).max()
    assert slid["held"] < 5e-3 < 0.1 < slid["as_is"]
    wrong = ["export", str(recorded), "--to", str(tmp_path / "x.npz"), "--foot-lock", "maybe"]
    assert main(wrong) == 2


def panned(body: Body) -> Take:
    """Return the swaying person as seen by a camera that pans, tilts and zooms by hand."""
    world = swaying(body)
    times = world.frame_time
    turns = np.c_[
        0.02 * np.sin(2 * times), 0.15 * np.sin(1.5 * times), 0 * times, 1 + 0.1 * times / times[-1]
    ]
    return unsteadied(world, replace(world, camera_motion=turns))


def test_feet_are_held_in_the_world_where_the_camera_moves(body: Body, tmp_path: Path) -> None:
    take, feet = panned(body), feet_of(body)
    np.testing.assert_allclose(steadied(take).joints, swaying(body).joints, atol=1e-9)
    assert np.ptp(take.joints[:, feet, 0]) > 1.0
    locked = lock_feet(take, body)
    assert np.ptp(steadied(locked).joints[:, feet], axis=0).max() < 5e-3
    # the body stays where the camera sees it
    assert np.abs(locked.joints_2d - take.joints_2d)[:, 0].max() < 15
    # without knowing the motion they would be held in the camera's frame, or not at all
    blind = replace(
        lock_feet(replace(take, camera_motion=None), body), camera_motion=take.camera_motion
    )
    assert np.ptp(steadied(blind).joints[:, feet], axis=0).max() > 0.05
    # so does a take in a file, and a part of it
    write_take(tmp_path / "pan.npz", take)
    arguments = ["--to", str(tmp_path / "held.npz"), "--foot-lock", "auto", "--from", "1"]
    assert main(["export", str(tmp_path / "pan.npz"), *arguments]) == 0
    held = read_take(tmp_path / "held.npz")
    assert 80 < len(held.frame_time) < 100
    assert np.ptp(steadied(held).joints[:, feet], axis=0).max() < 8e-3


def test_moving_person_is_not_locked(body: Body) -> None:
    times = np.arange(60) / 30
    places = np.c_[-2 + 2.0 * times, 0 * times, 4 + 0 * times]
    take = make_take(body, times, {1: standing(body, 60)}, {1: places})
    for mode in ("auto", "always"):
        np.testing.assert_allclose(lock_feet(take, body, mode).joints, take.joints, atol=1e-6)


def test_locking_starts_and_ends_smoothly(body: Body) -> None:
    case = demo_case(body)
    smooth = smooth_offline(case.measured, body)
    locked = lock_feet(smooth, body)
    true, feet = np.asarray(case.truth.joints), feet_of(body)
    before, after = (np.asarray(take.joints) for take in (smooth, locked))
    stood = contacts(true, feet, UP, 30.0)
    assert foot_slide(after, feet, stood) < 0.2 * foot_slide(before, feet, stood)
    assert joint_error(after, true) < 1.01 * joint_error(before, true)
    assert acceleration_error(after, true) < 1.05 * acceleration_error(before, true)
    # the body stays on the person in the image
    seen, camera = np.asarray(case.truth.joints_2d), case.truth.camera
    miss = [reprojection_error(project(joints, camera), seen) for joints in (before, after)]
    assert miss[1] < 1.1 * miss[0]
    # no step of a joint between frames grows by more than a few centimetres
    step = [np.linalg.norm(np.diff(joints, axis=0), axis=-1) for joints in (before, after)]
    assert (step[1] - step[0]).max() < 0.06


def test_contacts_of_the_demo_are_detected(body: Body) -> None:
    case = demo_case(body)
    smooth = smooth_offline(case.measured, body)
    feet = feet_of(body)
    ground = estimate_ground(smooth, body)
    balls = ground.raised(float(ball_heights(smooth.shape[:1], body).mean()))
    probability = contact_probability(smooth.joints[:, feet], smooth.frame_time, balls)
    found = np.zeros(probability.shape, dtype=bool)
    for stance in find_stances(probability, smooth.frame_time):
        found[stance.frames, stance.foot] = True
    true = contacts(np.asarray(case.truth.joints), feet, UP, 30.0)
    assert (found & true).sum() > 0.9 * true.sum()
    assert (found & true).sum() > 0.9 * found.sum()
    # the demo's camera is level
    assert np.degrees(np.arccos(ground.up @ UP)) < 3.0


def test_leg_reaches_targets_in_reach_and_stretches_to_others() -> None:
    random = np.random.default_rng(3)
    count, thigh, shank = 200, 0.42, 0.4
    hip_turn = Rotation.random(count, rng=random).as_matrix() @ UPRIGHT
    bend = random.uniform(0, 2.2, count)
    knee_turn = hip_turn @ Rotation.from_rotvec(np.outer(bend, [1, 0, 0])).as_matrix()
    hip = random.normal(size=(count, 3))
    knee = hip + hip_turn @ [0, -thigh, 0]
    ankle = knee + knee_turn @ [0, -shank, 0]
    leg = Leg(hip, knee, ankle, hip_turn, knee_turn)
    target = ankle + random.normal(0, 0.1, (count, 3))
    new_hip, new_knee = solve_two_bone(leg, target)
    reached = hip + new_hip @ [0, -thigh, 0] + new_knee @ [0, -shank, 0]
    far = np.linalg.norm(target - hip, axis=1) > 0.998 * (thigh + shank)
    np.testing.assert_allclose(reached[~far], target[~far], atol=1e-6)
    direction = (target - hip) / np.linalg.norm(target - hip, axis=1, keepdims=True)
    np.testing.assert_allclose(
        reached[far], (hip + 0.999 * (thigh + shank) * direction)[far], atol=1e-6
    )
    # an ankle already at its target does not move, and a knee bends forward only
    same_hip, _ = solve_two_bone(leg, ankle)
    kept = bend > 0.1
    np.testing.assert_allclose(same_hip[kept], hip_turn[kept], atol=1e-6)
    bent = Rotation.from_matrix(np.swapaxes(new_hip, 1, 2) @ new_knee).as_rotvec()
    assert (bent[:, 0] > -1e-6).all()


def test_nearly_straight_knee_does_not_snap() -> None:
    bends, thigh, shank = np.radians([6.0, 60.0]), 0.42, 0.4
    upright = np.broadcast_to(np.eye(3), (2, 3, 3))
    knee_turn = Rotation.from_rotvec(np.outer(bends, [1, 0, 0])).as_matrix()
    hip = np.zeros((2, 3))
    knee = hip + upright @ [0, -thigh, 0]
    ankle = knee + knee_turn @ [0, -shank, 0]
    leg = Leg(hip, knee, ankle, upright, knee_turn)
    target = ankle * (1 - 0.006 / np.linalg.norm(ankle, axis=1, keepdims=True))

    def turned(stiffness: float) -> np.ndarray:
        new_hip, new_knee = solve_two_bone(leg, target, stiffness)
        bent = Rotation.from_matrix(np.swapaxes(new_hip, 1, 2) @ new_knee).magnitude()
        return np.degrees(np.abs(bent - bends))

    assert turned(0.0)[0] > 8.0
    assert turned(0.05)[0] < 4.0
    # a jump of the target reaches a bent knee over several frames
    still = Leg(
        *(np.repeat(part[1:], 20, axis=0) for part in (hip, knee, ankle, upright, knee_turn))
    )
    jump = still.ankle.copy()
    jump[10:] *= 0.98
    steps = []
    for easing in (0.0, 1.5):
        new_hip, new_knee = solve_two_bone(still, jump, easing=easing)
        bent = Rotation.from_matrix(np.swapaxes(new_hip, 1, 2) @ new_knee).magnitude()
        steps.append(np.abs(np.diff(bent)).max())
    assert steps[1] < 0.35 * steps[0]
    # a bent knee still does its part
    np.testing.assert_allclose(turned(0.05)[1], turned(0.0)[1], rtol=0.2)
