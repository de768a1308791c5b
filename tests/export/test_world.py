"""Tests of the up direction, the ground and the rigs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, pose_joints, rest_joints
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS
from pymaf_live.export.person_motion import person_motion
from pymaf_live.export.rig_presets import PRESETS
from pymaf_live.export.rigs import rig_skeleton, unique_names
from pymaf_live.export.world import world_transform
from pymaf_live.takes.ground import estimate_ground
from pymaf_live.takes.take import Take
from tests.helpers.take import UPRIGHT, make_take, standing


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def tilted(take: Take, body: Body, pitch: float, roll: float) -> tuple[Take, np.ndarray]:
    """Return the take as seen by a camera tilted by degrees, and up in that camera's frame."""
    turn = Rotation.from_euler("zx", [roll, pitch], degrees=True).as_matrix()
    pose = take.pose.copy()
    pose[:, 0] = (Rotation.from_matrix(turn) * Rotation.from_rotvec(take.pose[:, 0])).as_rotvec()
    joints = take.joints @ turn.T
    rest = rest_joints(body, take.shape)[:, 0]
    seen = replace(take, pose=pose, joints=joints, translation=joints[:, 0] - rest)
    return seen, turn @ [0.0, -1.0, 0.0]


def walking_about(body: Body, count: int = 240, lean: float = 0.0) -> Take:
    """Return a person who walks a circle of 1.5 m with one foot always on the ground."""
    times = np.arange(count) / 30
    heading = 2 * np.pi * times / 8
    turns = standing(body, count)
    turns[:, 0] = (
        UPRIGHT
        @ Rotation.from_euler("y", -heading[:, None]).as_matrix()
        @ Rotation.from_euler("x", lean, degrees=True).as_matrix()
    )
    places = np.column_stack([1.5 * np.sin(heading), 0 * times, 5 + 1.5 * np.cos(heading)])
    # in steps: the feet rest for half a second each
    steps = np.floor(times * 2).astype(int) * 15
    turns, places = turns[steps], places[steps]
    swing = np.zeros((count, 3))
    swing[:, 0] = -0.4 * np.abs(np.sin(2 * np.pi * times))
    knee = body.joint_names.index("right_knee")
    turns[:, knee] = Rotation.from_rotvec(-swing).as_matrix()
    return make_take(body, times, {1: turns}, {1: places})


def degrees_between(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (-25, 0), (15, 10), (0, -20), (40, 5)])
def test_up_is_estimated_from_people_who_walk(body: Body, pitch: float, roll: float) -> None:
    take, up = tilted(walking_about(body), body, pitch, roll)
    found = estimate_ground(take, body)
    assert found.upright > 0
    assert found.resting > 3
    assert degrees_between(found.up, up) < 1.5


def test_ground_corrects_the_lean_of_all_people(body: Body) -> None:
    # a camera pitched down and people who all seem to lean, a common monocular error
    take, up = tilted(walking_about(body), body, -20, 0)
    straight = degrees_between(estimate_ground(take, body).up, up)
    lean = Rotation.from_euler("x", 6, degrees=True).as_matrix()
    ankle = (take.joints[:, [7]] + take.joints[:, [8]]) / 2
    tipped = ankle + (take.joints - ankle) @ lean.T
    tipped[:, [7, 8, 10, 11]] = take.joints[:, [7, 8, 10, 11]]
    leaning = replace(take, joints=tipped)
    by_posture = 6.0
    assert straight < 1.5
    assert degrees_between(estimate_ground(leaning, body).up, up) < by_posture - 2


@pytest.mark.parametrize(("lean", "roll"), [(3, 1.5), (-4, 2.0), (15, 1.0)])
def test_small_roll_is_ignored_and_large_roll_is_corrected(
    body: Body, lean: float, roll: float
) -> None:
    # one person who stands in one place does not define the ground
    turns = standing(body, 30)
    side = Rotation.from_euler("z", lean, degrees=True)
    turns[:, 0] = side.as_matrix() @ turns[:, 0]
    take = make_take(body, np.arange(30) / 30, {1: turns}, {1: np.tile([0, 0.2, 4.0], (30, 1))})
    camera = np.array([0, -1.0, 0]) if abs(lean) < 10 else side.apply([0, -1.0, 0])
    found = estimate_ground(take, body).up
    assert degrees_between(found * [1, 1, 0], camera * [1, 1, 0]) < roll


def test_lying_person_does_not_tilt_the_world(body: Body) -> None:
    turns = standing(body, 20)
    turns[:, 0] = Rotation.from_euler("z", 90, degrees=True).as_matrix() @ turns[:, 0]
    take = make_take(body, np.arange(20) / 30, {1: turns}, {1: np.tile([0, 0.5, 4.0], (20, 1))})
    found = estimate_ground(take, body)
    assert found.upright == 0
    np.testing.assert_allclose(found.up, [0, -1, 0])
    assert "no one stands upright" in world_transform(take, body, "ground", 1).note


def test_export_from_a_tilted_camera_is_upright_at_the_origin(
    body: Body,
) -> None:
    take, _ = tilted(walking_about(body), body, -25, 8)
    transform = world_transform(take, body, "ground", 1)
    assert "pitch of -25" in transform.note or "pitch of -24" in transform.note
    motion = person_motion(take, body, 1, transform)
    shape = np.zeros((len(motion.root), body.shape_count))
    joints = pose_joints(body, motion.rotations, shape)
    joints += (motion.root - joints[:, 0])[:, None]
    at = {name: joints[:, index] for index, name in enumerate(body.joint_names)}
    np.testing.assert_allclose(motion.root[0, [0, 2]], 0, atol=1e-9)
    assert np.ptp(at["left_ankle"][:, 1]) < 0.06  # 3 m of ground, level
    assert 0.0 < at["left_ankle"][:, 1].mean() < 0.15
    leaning = (at["neck"] - at["pelvis"])[:, [0, 2]]
    assert np.abs(leaning).max() < 0.06


def test_camera_world_keeps_camera_coordinates(body: Body) -> None:
    take, _ = tilted(walking_about(body, 40), body, -25, 8)
    transform = world_transform(take, body, "camera", 1)
    motion = person_motion(take, body, 1, transform)
    np.testing.assert_allclose(motion.root, take.joints[:, 0] * [1, -1, -1], atol=1e-9)


@pytest.mark.parametrize("rig", RIGS)
def test_rig_axes_are_right_handed_and_match_the_body(body: Body, rig: str) -> None:
    rest = rest_joints(body, np.zeros(body.shape_count))
    lowest = float(body.template[:, 1].min())
    bones = rig_skeleton(body, rest, lowest, rig)  # type: ignore[arg-type]
    gram = np.swapaxes(bones.axes, 1, 2) @ bones.axes
    np.testing.assert_allclose(gram, np.tile(np.eye(3), (len(gram), 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(bones.axes), 1, atol=1e-9)
    # bone lengths are the body's in any pose and rig
    places = bones.rest_position[bones.joint >= 0]
    for joint, parent in enumerate(body.parents):
        if parent >= 0:
            wanted = np.linalg.norm(rest[joint] - rest[parent])
            assert np.linalg.norm(places[joint] - places[parent]) == pytest.approx(wanted)
    # offsets and local rotations reproduce the positions
    world = [np.eye(3)] * len(bones.names)
    place_of = np.zeros((len(bones.names), 3))
    for bone, parent in enumerate(bones.parents):
        above = np.eye(3) if parent < 0 else world[parent]
        start = np.zeros(3) if parent < 0 else place_of[parent]
        place_of[bone] = start + above @ bones.offsets[bone]
        world[bone] = above @ bones.rest_local_rotation[bone]
    np.testing.assert_allclose(place_of, bones.rest_position, atol=1e-9)


def test_bone_axes_follow_each_program(body: Body) -> None:
    rest = rest_joints(body, np.zeros(body.shape_count))
    mixamo = rig_skeleton(body, rest, 0.0, "mixamo")
    for name in ("mixamorig:LeftUpLeg", "mixamorig:RightForeArm", "mixamorig:Spine"):
        bone = mixamo.names.index(name)
        child = int(np.flatnonzero(mixamo.parents == bone)[0])
        offset = mixamo.offsets[child]
        assert offset[1] == pytest.approx(np.linalg.norm(offset), rel=1e-6)  # y along the bone
    unreal = rig_skeleton(body, rest, 0.0, "unreal")
    for name, sign in (("calf_l", -1), ("calf_r", 1), ("lowerarm_l", 1), ("lowerarm_r", -1)):
        offset = unreal.offsets[unreal.names.index(name)]
        assert offset[0] == pytest.approx(sign * np.linalg.norm(offset), rel=1e-6)
    assert unreal.names[:2] == ("root", "pelvis")
    shoulder, elbow = (unreal.names.index(f"{part}_l") for part in ("upperarm", "lowerarm"))
    arm = unreal.rest_position[elbow] - unreal.rest_position[shoulder]
    assert 40 < np.degrees(np.arctan2(-arm[1], arm[0])) < 50  # an A-pose


@pytest.mark.parametrize("rig", [rig for rig in RIGS if rig != "smpl"])
def test_rigs_have_the_required_humanoid_bones_once(rig: str) -> None:
    names = PRESETS[rig].names  # type: ignore[index]
    parts = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    needed = {f"{side}_{part}" for side in ("left", "right") for part in parts}
    assert {"pelvis", "spine1", "head"} | needed <= set(names)
    assert len(set(names.values())) == len(names)


def test_unique_names_have_no_spaces_and_no_duplicates() -> None:
    assert unique_names(("a b", "a_b", "", "  ", "ü", "ü")) == (
        "a_b",
        "a_b_2",
        "joint2",
        "joint3",
        "ü",
        "ü_2",
    )


def test_joints_with_equal_names_stay_separate_bones(body: Body, tmp_path: Path) -> None:
    clashing = replace(body, joint_names=("pelvis", *("limb é" for _ in body.joint_names[1:])))
    take = replace(make_take(clashing, np.arange(3) / 30, {1: standing(body, 3)},
                             {1: np.tile([0, 0, 4.0], (3, 1))}))  # fmt: skip
    for name in ("bvh", "fbx", "glb", "csv"):
        (done,) = FORMATS[name].write(take, clashing, tmp_path / f"a.{name}")
        assert done.joint_error is not None
        assert done.joint_error < 1e-5
