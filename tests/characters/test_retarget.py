"""Motion on characters: own proportions, contacts, reach, twist, odd axes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import default_body, rest_joints
from pymaf_live.body.rotations import about_x, about_y, about_z
from pymaf_live.characters.body_motion import JOINTS, BodyMotion, body_motion
from pymaf_live.characters.load import load_character
from pymaf_live.characters.mapping import find_mapping
from pymaf_live.characters.model import Character, compose
from pymaf_live.characters.retarget import CharacterMotion, Retargeter
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from tests.helpers.take import moving_limbs
from tools.make_alex import alex

BODY = default_body()
REST = rest_joints(BODY, np.zeros(BODY.shape_count))
LOWEST = float(BODY.template[:, 1].min())
STANDING = REST[0, 1] - LOWEST


def motion(rotations: Array, root: Array | None = None) -> BodyMotion:
    if root is None:
        root = np.tile([0.0, STANDING, 0.0], (len(rotations), 1))
    return body_motion(BODY, rotations, REST, LOWEST, root)


def still(count: int = 1) -> Array:
    return np.tile(np.eye(3), (count, BODY.joint_count, 1, 1))


def turn(rotations: Array, joint: str, matrix: Array) -> None:
    rotations[:, BODY.joint_names.index(joint)] = matrix


def placed(character: Character, moved: CharacterMotion) -> Array:
    """Return the world transforms (N, B, 4, 4) of the nodes in the body's world."""
    return moved.world @ compose(moved.local(character, slice(None)), character.parents)


def retarget(character: Character, source: BodyMotion) -> tuple[Array, dict[str, int]]:
    mapping = find_mapping(character)
    moved = Retargeter(character, mapping).retarget(source)
    return placed(character, moved), dict(mapping.bones)


def stretched(character: Character, **factors: float) -> Character:
    """Return a character whose bones are longer or shorter, by parts of their names."""
    local = character.local.copy()
    for part, factor in factors.items():
        for node, name in enumerate(character.names):
            if part in name and character.parents[node] >= 0:
                local[node, :3, 3] *= factor
    changed = replace(character, local=local)
    mesh = changed.meshes[0]
    bind = np.linalg.inv(changed.rest[mesh.nodes])
    return replace(changed, meshes=(replace(mesh, inverse_bind=bind),))


@pytest.mark.parametrize("rig", ["vrm", "mixamo", "unreal", "wild"])
def test_our_body_on_every_rig_moves_as_it_does(rig: str, alex_files: dict[str, Path]) -> None:
    source = motion(moving_limbs(BODY, np.arange(12) / 30, 0.8))
    nodes, bones = retarget(load_character(alex_files[rig]), source)
    for bone, node in bones.items():
        distance = np.linalg.norm(nodes[:, node, :3, 3] - source.at(JOINTS[bone]), axis=-1)
        assert distance.max() < 0.002, bone


@pytest.mark.parametrize("rig", ["vrm", "mixamo", "unreal", "wild"])
def test_rest_pose_and_axes_are_measured(rig: str, alex_files: dict[str, Path]) -> None:
    character = load_character(alex_files[rig])
    measures = Retargeter(character, find_mapping(character)).measures
    assert measures.rest_pose == ("A" if rig == "unreal" else "T")
    up = {"unreal": 2, "wild": 0}.get(rig, 1)
    assert measures.axes[1, up] == 1.0  # exactly: snapped to the file's axis
    unit = 0.01 if rig in ("mixamo", "unreal") else 1.0
    legs = measures.leg * unit
    assert legs == pytest.approx(motion(still()).leg, abs=0.01)


def steps(turns: int = 40) -> BodyMotion:
    """Return a body that stands with bent knees, sways, and lifts its left heel."""
    phase = np.linspace(0, 2 * np.pi, turns)
    bend = 0.5 + 0.2 * np.sin(phase)
    rotations = still(turns)
    for side, out in (("left", 0.1), ("right", -0.1)):
        turn(rotations, f"{side}_hip", np.stack([about_z(out) @ about_x(-b) for b in bend]))
        turn(rotations, f"{side}_knee", np.stack([about_x(2 * b) for b in bend]))
        turn(rotations, f"{side}_ankle", np.stack([about_x(-b) @ about_z(-out) for b in bend]))
    source = motion(rotations)
    # the root follows, so that the right ball of the foot stands
    foot = source.at("right_foot")
    root = np.tile([0.0, STANDING, 0.0], (turns, 1)) + foot[0] - foot
    root[:, 1] += REST[BODY.joint_names.index("right_foot"), 1] - LOWEST - foot[0, 1]
    return motion(rotations, root)


@pytest.mark.parametrize(
    "factors",
    [{"LowerLeg": 1.3}, {"LowerLeg": 0.7, "Toes": 1.5}, {"UpperLeg": 1.6}, {"Foot": 0.8}],
    ids=str,
)
def test_feet_that_stand_keep_their_place(factors: dict[str, float]) -> None:
    character = stretched(alex("vrm"), **factors)
    source = steps()
    nodes, bones = retarget(character, source)
    toes = nodes[:, bones["rightToes"], :3, 3]
    # within 1 cm of the source's ball of the foot, which stands still, and at its height
    assert np.ptp(source.at("right_foot"), axis=0).max() < 0.001
    assert np.ptp(toes, axis=0).max() < 0.01
    assert abs(toes[:, [0, 2]] - source.at("right_foot")[:, [0, 2]]).max() < 0.01


@pytest.mark.parametrize("elbow", [1.2, 1.65], ids=["to each other", "to the head"])
@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_hands_keep_their_distances_in_proportion_to_the_arms(factor: float, elbow: float) -> None:
    character = stretched(alex("vrm"), LowerArm=factor, Hand=factor)
    rotations = still(30)
    bend = np.linspace(0.2, 1.35, 30)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turn(rotations, f"{side}_shoulder", np.stack([about_y(-sign * b) for b in bend]))
        turn(rotations, f"{side}_elbow", np.stack([about_y(-sign * b * elbow) for b in bend]))
    source = motion(rotations)
    mapping = find_mapping(character)
    retargeter = Retargeter(character, mapping)
    moved = retargeter.retarget(source)
    nodes = placed(character, moved)
    ratio = retargeter.measures.arm * moved.size / source.arm
    assert ratio == pytest.approx(factor, abs=0.03)
    checked = 0
    for bone, other, near in (("leftHand", "rightHand", 0.4), ("leftHand", "head", 0.5)):
        own = nodes[:, mapping.bones[bone], :3, 3] - nodes[:, mapping.bones[other], :3, 3]
        bodys = source.at(JOINTS[bone]) - source.at(JOINTS[other])
        close = np.linalg.norm(bodys, axis=-1) < near * source.arm
        error = np.linalg.norm(own, axis=-1) - ratio * np.linalg.norm(bodys, axis=-1)
        assert abs(error[close]).max(initial=0.0) < 0.01
        checked += int(close.sum())
    assert checked >= 5


def test_twist_bones_take_half_of_the_twist(alex_files: dict[str, Path]) -> None:
    character = load_character(alex_files["unreal"])
    rotations = still()
    turn(rotations, "left_wrist", about_x(0.8))  # about the arm
    source, straight = motion(rotations), motion(still())
    mapping = find_mapping(character)
    retargeter = Retargeter(character, mapping)
    twist = character.names.index("lowerarm_twist_01_l")
    both = [
        _rotations(placed(character, retargeter.retarget(each)))[0, twist]
        for each in (source, straight)
    ]
    turned = Rotation.from_matrix(both[0] @ both[1].T).as_rotvec()
    assert np.linalg.norm(turned) == pytest.approx(0.4, abs=0.02)
    assert turned[0] == pytest.approx(0.4, abs=0.02)


def test_one_spine_bone_takes_the_whole_bend() -> None:
    character = alex("vrm")
    names = character.names
    removed = {names.index("chest"), names.index("upperChest")}
    keep = [node for node in range(len(names)) if node not in removed]
    place = {node: index for index, node in enumerate(keep)}

    def above(node: int) -> int:
        parent = int(character.parents[node])
        while parent in removed:
            parent = int(character.parents[parent])
        return place.get(parent, -1)

    parents = np.array([above(node) for node in keep])
    rest = character.rest[keep]
    local = rest.copy()
    for node, parent in enumerate(parents):
        if parent >= 0:
            local[node] = np.linalg.inv(rest[parent]) @ rest[node]
    mesh = character.meshes[0]
    joints = np.array([place.get(int(n), place[names.index("spine")]) for n in mesh.nodes])
    short = replace(
        character,
        names=tuple(names[node] for node in keep),
        parents=parents,
        local=local,
        humanoid={},
        meshes=(replace(mesh, nodes=joints, inverse_bind=np.linalg.inv(rest[joints])),),
    )
    rotations = still()
    for joint in ("spine1", "spine2", "spine3"):
        turn(rotations, joint, about_x(0.2))
    nodes, bones = retarget(short, motion(rotations))
    spine = Rotation.from_matrix(_rotations(nodes)[0, short.names.index("spine")]).as_rotvec()
    assert spine == pytest.approx([0.6, 0, 0], abs=1e-6)
    assert bones["head"] == short.names.index("head")


@pytest.mark.parametrize("fault", ["scale", "mirror", "length"])
def test_skeletons_that_cannot_be_used_are_refused(fault: str) -> None:
    character = alex("vrm")
    local = character.local.copy()
    node = character.names.index("leftLowerLeg")
    if fault == "scale":
        local[node, :3, :3] *= [1.0, 2.0, 1.0]
        message = "leftLowerLeg is scaled differently along its axes"
    elif fault == "mirror":
        local[node, :3, :3] *= -1.0
        message = "leftLowerLeg is mirrored"
    else:
        local[node, :3, 3] = 0.0
        message = "a bone of its left limbs has no length"
    broken = replace(character, local=local)
    with pytest.raises(InputError, match=message):
        Retargeter(broken, find_mapping(broken))


def _rotations(transforms: Array) -> Array:
    linear = transforms[..., :3, :3]
    return linear / np.cbrt(np.linalg.det(linear))[..., None, None]
