"""Legs that are not seen come to rest, live and in takes, and return smoothly."""

from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.body.vectors import angle_between
from pymaf_live.errors import InputError
from pymaf_live.motion import Smoother, lock_feet, rest_legs, smooth_offline
from pymaf_live.motion.smoothing_metrics import jitter
from pymaf_live.takes.ground import ground_of, with_ground
from pymaf_live.takes.legs import UNSEEN_JOINTS, leg_evidence, legs_at_rest, rest_note
from pymaf_live.takes.playback import people_at
from pymaf_live.takes.take import Take
from tests.helpers.take import UPRIGHT, make_take

RATE, COUNT = 30, 120
TIMES = np.arange(COUNT) / RATE


@pytest.fixture(scope="module")
def body():
    return default_body()


def index(body, *parts):
    return [
        list(body.joint_names).index(f"{s}_{part}") for part in parts for s in ("left", "right")
    ]


def dancing_legs(body: Body, *, seen: np.ndarray, lean: float = 0.0) -> Take:
    """A person who waves, half a metre from a wall; legs that are not seen are invented at random.

    `seen` (COUNT,) says in which frames the legs are in the image.
    """
    random = np.random.default_rng(7)
    pose = np.zeros((COUNT, body.joint_count, 3))
    arms = index(body, "shoulder")
    pose[:, arms, 2] = 0.6 * np.sin(2 * np.pi * TIMES)[:, None]
    pose[:, index(body, "hip"), 0] = -0.1
    invented = np.where(seen, 0.0, 1.0)[:, None, None]
    noise = np.cumsum(invented * random.normal(0, 0.06, (COUNT, 6, 3)), axis=0)
    noise += random.normal(0, 0.05, noise.shape)
    pose[:, index(body, "hip", "knee", "ankle")] += invented * noise
    turns = matrix_from_axis_angle(pose)
    turns[:, 0] = UPRIGHT @ matrix_from_axis_angle(np.array([lean, 0.0, 0.0]))
    places = np.tile([0.0, -0.2, 3.0], (COUNT, 1)) + random.normal(0, 0.004, (COUNT, 3))
    take = make_take(body, TIMES, {1: turns}, {1: places})
    score = np.ones((COUNT, body.joint_count))
    score[:, index(body, "knee", "ankle", "foot")] = np.where(seen, 0.9, 0.3)[:, None]
    return replace(take, joint_score=score)


def shown_live(body, take, legs="auto"):
    smoother = Smoother(body, 0.5, legs)
    frames = range(len(take.frame_time))
    return [
        smoother.update(float(take.frame_time[each]), people_at(take, each), take.camera)[0]
        for each in frames
    ]


def leg_jitter_mm(body, joints, frames=slice(None)):
    legs = index(body, "knee", "ankle", "foot")
    return 1000 * jitter(TIMES[frames], np.asarray(joints, float)[frames][:, legs])


NEVER, ALWAYS = np.zeros(COUNT, bool), np.ones(COUNT, bool)


def test_unseen_legs_rest_in_a_take(body):
    measured = dancing_legs(body, seen=NEVER)
    smoothed = smooth_offline(measured, body)
    rested = rest_legs(smoothed, body)
    assert leg_jitter_mm(body, measured.joints) > 10
    assert leg_jitter_mm(body, smoothed.joints) > 3
    assert leg_jitter_mm(body, rested.joints) < 1
    assert legs_at_rest(rested).all()
    assert "throughout" in rest_note(rested)
    assert not rest_note(measured)


def test_unseen_legs_rest_live(body):
    people = shown_live(body, dancing_legs(body, seen=NEVER))
    joints = np.array([person.joints for person in people])
    assert leg_jitter_mm(body, joints) < 2
    unseen = [list(body.joint_names).index(name) for name in UNSEEN_JOINTS]
    assert all((person.joint_score[unseen] == 0).all() for person in people)
    with_choice = shown_live(body, dancing_legs(body, seen=NEVER), "measured")
    assert leg_jitter_mm(body, [person.joints for person in with_choice]) > 5


def test_chest_arms_and_head_stay_where_they_are(body):
    measured = dancing_legs(body, seen=NEVER, lean=0.2)
    rested = rest_legs(measured, body)
    above = [
        number
        for number, name in enumerate(body.joint_names)
        if any(part in name for part in ("spine3", "neck", "head", "collar", "elbow", "wrist"))
    ]
    assert np.abs(rested.joints[:, above] - measured.joints[:, above]).max() < 1e-4


@pytest.mark.parametrize(("legs", "angle"), [("standing", 0), ("seated", 80)])
def test_the_pose_of_rest_is_chosen(body, legs, angle):
    rested = rest_legs(dancing_legs(body, seen=NEVER), body, legs)
    hip, knee = index(body, "hip"), index(body, "knee")
    thighs = (rested.joints[:, knee] - rested.joints[:, hip]).mean(axis=1)
    degrees = np.degrees(angle_between(thighs, np.array([0.0, 1.0, 0.0])))
    assert np.abs(degrees - angle).max() < 8
    shanks = (rested.joints[:, index(body, "ankle")] - rested.joints[:, knee]).mean(axis=1)
    assert np.degrees(angle_between(shanks, np.array([0.0, 1.0, 0.0]))).max() < 12


def test_automatic_sits_where_the_thighs_are_raised(body):
    take = dancing_legs(body, seen=ALWAYS)
    pose = np.array(take.pose)
    pose[:, index(body, "hip"), 0] = -1.4
    pose[:, index(body, "knee"), 0] = 1.4
    score = np.array(take.joint_score)
    score[:, index(body, "knee", "ankle", "foot")] = 0.3
    take = replace(take, pose=pose, joint_score=score)
    for rested in (rest_legs(take, body), shown_live(body, take)[-1]):
        joints = np.asarray(rested.joints).reshape(-1, body.joint_count, 3)[-1]
        thighs = (joints[index(body, "knee")] - joints[index(body, "hip")]).mean(axis=0)
        assert np.degrees(angle_between(thighs, np.array([0.0, 1.0, 0.0]))) > 70


def test_seen_legs_are_left_alone(body):
    take = dancing_legs(body, seen=ALWAYS)
    assert rest_legs(take, body) is take
    assert rest_legs(take, body, "seated") is take
    live = shown_live(body, take)
    plain = shown_live(body, take, "measured")
    assert all(np.array_equal(a.joints, b.joints) for a, b in zip(live, plain, strict=True))


@pytest.mark.parametrize("kind", ["take", "live"])
def test_the_way_to_rest_and_back_is_smooth(body, kind):
    seen = np.ones(COUNT, bool)
    seen[40:80] = False
    take = dancing_legs(body, seen=seen)
    if kind == "take":
        joints = np.asarray(rest_legs(take, body, "seated").joints)
    else:
        joints = np.array([person.joints for person in shown_live(body, take, "seated")])
    legs = index(body, "knee", "ankle", "foot")
    steps = np.linalg.norm(np.diff(joints[:, legs], axis=0), axis=-1).max(axis=1)
    # an ankle travels 0.9 m between standing and sitting: never in less than 0.18 s at 30 frames/s
    assert steps.max() < 0.165
    hip, knee = index(body, "hip"), index(body, "knee")
    raised = (joints[:, knee] - joints[:, hip]).mean(axis=1)[:, 1] < 0.2
    assert raised.any()
    assert not raised[[0, 30, -1]].any()


def test_people_who_lie_keep_their_legs(body):
    take = dancing_legs(body, seen=NEVER, lean=1.5)
    assert rest_legs(take, body) is take


def test_a_knee_outside_the_image_is_not_seen(body):
    names = body.joint_names
    points = np.tile([640.0, 300.0], (len(names), 1))
    for hip, knee in zip(index(body, "hip"), index(body, "knee"), strict=True):
        points[hip], points[knee] = [640, 500], [640, 700]
    score = np.ones(len(names))
    assert leg_evidence(names, score, points, (1280, 720)) == 1
    assert leg_evidence(names, score, points, (1280, 690)) == pytest.approx(0.6, abs=0.1)
    assert leg_evidence(names, score, points, (1280, 640)) == 0
    points[index(body, "knee")[0]] = [640, 600]  # one leg is enough
    assert leg_evidence(names, score, points, (1280, 640)) == 1
    assert leg_evidence(("a", "b"), np.ones(2), np.zeros((2, 2)), (10, 10)) == 1


def test_resting_feet_are_not_locked_and_invented_ones_make_no_ground(body):
    take = dancing_legs(body, seen=NEVER)
    assert with_ground(take, body).ground is None
    rested = rest_legs(take, body, "standing")
    locked = lock_feet(rested, body, "always")
    assert np.abs(locked.joints - rested.joints).max() < 1e-5
    ground = ground_of(rested, body)
    assert np.array_equal(ground.up, [0.0, -1.0, 0.0])
    feet = -np.asarray(rested.joints)[:, index(body, "foot"), 1]
    assert abs(ground.height - feet.min()) < 0.12


def test_another_body_is_refused(body):
    take = replace(dancing_legs(body, seen=NEVER), body_sha256="0" * 64)
    with pytest.raises(InputError):
        rest_legs(take, body)
