"""Skeletons with the names and hierarchies of other programs, on the body's proportions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pymaf_live.body import default_body, rest_joints
from pymaf_live.characters.body_motion import JOINTS
from pymaf_live.characters.model import Character
from tools.make_alex import alex

Rig = Sequence[tuple[str, str, str]]
"""Name, parent's name ('' for none), and the bone whose joint the node is at, or the place
'BONE>BONE' half-way between two."""


def _arms(names: Mapping[str, Sequence[str]], chest: str) -> list[tuple[str, str, str]]:
    rows = []
    for side in ("left", "right"):
        parent = chest
        for bone, pattern in zip(
            ("Shoulder", "UpperArm", "LowerArm", "Hand"), names[side], strict=True
        ):
            rows.append((pattern, parent, f"{side}{bone}"))
            parent = pattern
    return rows


def _legs(names: Mapping[str, Sequence[str]], hips: str) -> list[tuple[str, str, str]]:
    rows = []
    for side in ("left", "right"):
        parent = hips
        for bone, pattern in zip(
            ("UpperLeg", "LowerLeg", "Foot", "Toes"), names[side], strict=True
        ):
            rows.append((pattern, parent, f"{side}{bone}"))
            parent = pattern
    return rows


def _sided(patterns: Sequence[str], left: str, right: str) -> dict[str, list[str]]:
    return {
        "left": [pattern.replace("#", left) for pattern in patterns],
        "right": [pattern.replace("#", right) for pattern in patterns],
    }


RIGS: dict[str, Rig] = {
    "rigify": [
        ("DEF-spine", "", "hips"),
        ("DEF-spine.001", "DEF-spine", "hips>neck"),
        ("DEF-spine.003", "DEF-spine.001", "hips>neck"),
        ("DEF-neck", "DEF-spine.003", "neck"),
        ("DEF-head", "DEF-neck", "head"),
        *_arms(
            _sided(["DEF-shoulder.#", "DEF-upper_arm.#", "DEF-forearm.#", "DEF-hand.#"], "L", "R"),
            "DEF-spine.003",
        ),
        *_legs(
            _sided(["DEF-thigh.#", "DEF-shin.#", "DEF-foot.#", "DEF-toe.#"], "L", "R"), "DEF-spine"
        ),
    ],
    "makehuman": [
        ("root", "", "hips"),
        ("spine05", "root", "hips"),
        ("spine02", "spine05", "hips>neck"),
        ("spine01", "spine02", "hips>neck"),
        ("neck01", "spine01", "neck"),
        ("head", "neck01", "head"),
        *_arms(
            _sided(["clavicle.#", "upperarm01.#", "lowerarm01.#", "wrist.#"], "L", "R"), "spine01"
        ),
        ("pelvis.L", "root", "hips>leftUpperLeg"),
        ("pelvis.R", "root", "hips>rightUpperLeg"),
        *[
            (
                name,
                {"upperleg01.L": "pelvis.L", "upperleg01.R": "pelvis.R"}.get(name, parent),
                place,
            )
            for name, parent, place in _legs(
                _sided(["upperleg01.#", "lowerleg01.#", "foot.#", "toe1-1.#"], "L", "R"), "root"
            )
        ],
    ],
    "character creator": [
        ("CC_Base_BoneRoot", "", "hips"),
        ("CC_Base_Hip", "CC_Base_BoneRoot", "hips"),
        ("CC_Base_Pelvis", "CC_Base_Hip", "hips"),
        ("CC_Base_Waist", "CC_Base_Hip", "hips>neck"),
        ("CC_Base_Spine02", "CC_Base_Waist", "hips>neck"),
        ("CC_Base_NeckTwist01", "CC_Base_Spine02", "neck"),
        ("CC_Base_Head", "CC_Base_NeckTwist01", "head"),
        *_arms(
            _sided(
                [f"CC_Base_#_{b}" for b in ("Clavicle", "Upperarm", "Forearm", "Hand")], "L", "R"
            ),
            "CC_Base_Spine02",
        ),
        *_legs(
            _sided([f"CC_Base_#_{b}" for b in ("Thigh", "Calf", "Foot", "ToeBase")], "L", "R"),
            "CC_Base_Pelvis",
        ),
    ],
    "mmd": [
        ("全ての親", "", "hips"),
        ("センター", "全ての親", "hips"),
        ("上半身", "センター", "hips"),
        ("下半身", "センター", "hips"),
        ("上半身2", "上半身", "hips>neck"),
        ("首", "上半身2", "neck"),
        ("頭", "首", "head"),
        *_arms(_sided(["#肩", "#腕", "#ひじ", "#手首"], "左", "右"), "上半身2"),
        *_legs(_sided(["#足", "#ひざ", "#足首", "#つま先"], "左", "右"), "下半身"),
    ],
    "vrchat": [
        ("Hips", "", "hips"),
        ("Spine", "Hips", "hips>neck"),
        ("Chest", "Spine", "hips>neck"),
        ("Neck", "Chest", "neck"),
        ("Head", "Neck", "head"),
        *_arms(_sided(["# shoulder", "# arm", "# elbow", "# wrist"], "Left", "Right"), "Chest"),
        *_legs(_sided(["# leg", "# knee", "# ankle", "# toe"], "Left", "Right"), "Hips"),
    ],
    "biped": [
        ("Bip001 Pelvis", "", "hips"),
        ("Bip001 Spine", "Bip001 Pelvis", "hips>neck"),
        ("Bip001 Neck", "Bip001 Spine", "neck"),
        ("Bip001 Head", "Bip001 Neck", "head"),
        *_arms(
            _sided(
                [f"Bip001 # {b}" for b in ("Clavicle", "UpperArm", "Forearm", "Hand")], "L", "R"
            ),
            "Bip001 Spine",
        ),
        *_legs(
            _sided([f"Bip001 # {b}" for b in ("Thigh", "Calf", "Foot", "Toe0")], "L", "R"),
            "Bip001 Pelvis",
        ),
    ],
}
"""Rigs by program."""


def character_of(rig: Rig) -> Character:
    """Return a character with a rig; its mesh is bound to some of the bones only by name."""
    body = default_body()
    rest = rest_joints(body, np.zeros(body.shape_count))
    places = {bone: rest[body.joint_names.index(joint)] for bone, joint in JOINTS.items()}
    names = tuple(name for name, _, _ in rig)
    parents = np.array([names.index(parent) if parent else -1 for _, parent, _ in rig])
    world = np.tile(np.eye(4), (len(rig), 1, 1))
    for node, (_, _, place) in enumerate(rig):
        world[node, :3, 3] = np.mean([places[each] for each in place.split(">")], axis=0)
    local = world.copy()
    for node, parent in enumerate(parents):
        if parent >= 0:
            local[node] = np.linalg.inv(world[parent]) @ world[node]
    source = alex("smpl")
    mesh = source.meshes[0]
    from dataclasses import replace

    nodes = np.arange(len(rig))
    joints = np.arange(mesh.joints.size).reshape(mesh.joints.shape) % len(rig)
    return replace(
        source,
        names=names,
        parents=parents,
        local=local,
        source_nodes=nodes,
        meshes=(replace(mesh, nodes=nodes, inverse_bind=np.linalg.inv(world), joints=joints),),
    )
