"""Skeletons as other programs name, pose and orient them.

A rig is a table of bone names by the body's joint names, a rest pose (T, or A with the arms down)
and a rule for the bones' own axes at rest. The bones' places are always the body's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from pymaf_live.body import Body, joint_transforms
from pymaf_live.body.rotations import about_z
from pymaf_live.export.options import Rig
from pymaf_live.types import Array, Ints

Axes = Literal["world", "mixamo", "unreal"]

_ARMS_DOWN = np.radians(45.0)
"""In an A-pose, below the T-pose."""
_FORWARD: Array = np.array([0.0, 0.0, 1.0])
_UP: Array = np.array([0.0, 1.0, 0.0])
_GROUND_AXES: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""z up, as the mannequin's root. With y up it would point at the hips, and Blender's FBX importer
ties a bone to a parent that ends where it begins: the hips could not move."""
_MOSTLY_FORWARD = np.cos(np.radians(45.0))


@dataclass(frozen=True)
class Preset:
    """A rig by its table."""

    title: str
    names: Mapping[str, str]
    """Bone by the body's joint name; a joint that is not in it keeps its own."""
    rest: Literal["T", "A"]
    axes: Axes
    """'world': along the world's at rest. 'mixamo': y along the bone, z forward (feet: z up).
    'unreal': x along the bone (against it on right arms and left legs, which mirrors the sides)."""
    ground_bone: str = ""
    """A bone on the ground below the hips that carries the way over the ground."""


def _sides(table: Mapping[str, str], left: str, right: str, pattern: str) -> dict[str, str]:
    return {
        f"{side}_{joint}": pattern.format(side=word, bone=bone)
        for side, word in (("left", left), ("right", right))
        for joint, bone in table.items()
    }


_MIXAMO = {
    "pelvis": "mixamorig:Hips",
    "spine1": "mixamorig:Spine",
    "spine2": "mixamorig:Spine1",
    "spine3": "mixamorig:Spine2",
    "neck": "mixamorig:Neck",
    "head": "mixamorig:Head",
    **_sides(
        {
            "collar": "Shoulder",
            "shoulder": "Arm",
            "elbow": "ForeArm",
            "wrist": "Hand",
            "hand": "HandMiddle1",
            "hip": "UpLeg",
            "knee": "Leg",
            "ankle": "Foot",
            "foot": "ToeBase",
        },
        "Left",
        "Right",
        "mixamorig:{side}{bone}",
    ),
}
_UNREAL = {
    "pelvis": "pelvis",
    "spine1": "spine_01",
    "spine2": "spine_02",
    "spine3": "spine_03",
    "neck": "neck_01",
    "head": "head",
    **_sides(
        {
            "collar": "clavicle",
            "shoulder": "upperarm",
            "elbow": "lowerarm",
            "wrist": "hand",
            "hand": "middle_01",
            "hip": "thigh",
            "knee": "calf",
            "ankle": "foot",
            "foot": "ball",
        },
        "l",
        "r",
        "{bone}_{side}",
    ),
}
_HUMANOID = {
    "collar": "Shoulder",
    "shoulder": "UpperArm",
    "elbow": "LowerArm",
    "wrist": "Hand",
    "hand": "MiddleProximal",
    "hip": "UpperLeg",
    "knee": "LowerLeg",
    "ankle": "Foot",
    "foot": "Toes",
}
_UNITY = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Chest",
    "spine3": "UpperChest",
    "neck": "Neck",
    "head": "Head",
    **_sides(_HUMANOID, "Left", "Right", "{side}{bone}"),
}
_VRM = {joint: bone[0].lower() + bone[1:] for joint, bone in _UNITY.items()}

PRESETS: Mapping[Rig, Preset] = MappingProxyType(
    {
        "smpl": Preset("SMPL", {}, "T", "world"),
        "mixamo": Preset("Mixamo", _MIXAMO, "T", "mixamo"),
        "unreal": Preset("Unreal mannequin", _UNREAL, "A", "unreal", ground_bone="root"),
        "unity": Preset("Unity humanoid", _UNITY, "T", "world"),
        "vrm": Preset("VRM", _VRM, "T", "world"),
    }
)


@dataclass(frozen=True)
class Skeleton:
    """Bones at rest, parents before children; B bones."""

    names: tuple[str, ...]
    """One word each, no two alike."""
    parents: Ints
    """(B,) -1 at the first."""
    joint: Ints
    """(B,) the body's joint that a bone follows; -1 for the bone on the ground."""
    axes: Array
    """(B, 3, 3) the bone's own axes, as columns, when the body stands in its T-pose, body frame."""
    rest_rotation: Array
    """(B, 3, 3) the same in the rig's rest pose."""
    rest_position: Array
    """(B, 3) m, in the rest pose; the body stands on y = 0 with its hips over the origin."""
    body_rotations: Array
    """(J, 3, 3) local rotations of the body's joints that pose it in the rig's rest pose."""

    @property
    def hips(self) -> int:
        """The bone of the body's root joint."""
        return int(np.flatnonzero(self.joint == 0)[0])

    @property
    def offsets(self) -> Array:
        """(B, 3) m, from the parent at rest, in the parent's axes; the first bone's its place."""
        places = self.rest_position.copy()
        inner = self.parents >= 0
        above = self.parents[inner]
        step = self.rest_position[inner] - self.rest_position[above]
        places[inner] = np.einsum("bji,bj->bi", self.rest_rotation[above], step)
        return places

    @property
    def rest_local_rotation(self) -> Array:
        """(B, 3, 3) rotations at rest relative to the parent."""
        turns = self.rest_rotation.copy()
        inner = self.parents >= 0
        turns[inner] = np.swapaxes(self.rest_rotation[self.parents[inner]], 1, 2) @ turns[inner]
        return turns


def one_word_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names as every format can hold them: one word each, no two alike."""
    taken: set[str] = set()
    result = []
    for index, name in enumerate(names):
        word = "_".join(name.split()) or f"joint{index}"
        choice, number = word, 1
        while choice in taken:
            number += 1
            choice = f"{word}_{number}"
        taken.add(choice)
        result.append(choice)
    return tuple(result)


def rig_skeleton(
    body: Body, rest: Array, lowest: float, rig: Rig, *, plain_axes: bool = False
) -> Skeleton:
    """The skeleton of a shaped body in a rig.

    Parameters
    ----------
    body : Body
    rest : (J, 3) array
        Joints of the shaped body at rest, metres.
    lowest : float
        Height of the shaped body's lowest point at rest, where `rest` has its heights.
    rig : str
    plain_axes : bool
        Let every bone's axes be the world's in the rig's rest pose, for formats that know no other
        (BVH).
    """
    preset = PRESETS[rig]
    turns = _rest_pose(body, preset)
    world, places = joint_transforms(body, turns, rest)
    places = places - [rest[0, 0], lowest, rest[0, 2]]
    if plain_axes:
        axes = np.swapaxes(world, 1, 2)
    elif preset.axes == "world":
        axes = np.tile(np.eye(3), (body.joint_count, 1, 1))
    else:
        axes = np.stack(_bone_axes(body, rest, preset.axes))
    names = one_word_names(tuple(preset.names.get(name, name) for name in body.joint_names))
    joint = np.arange(body.joint_count)
    parents = np.asarray(body.parents).copy()
    rest_rotation = world @ axes
    if preset.ground_bone:
        names = one_word_names((preset.ground_bone, *names))
        joint = np.r_[-1, joint]
        parents = np.r_[-1, parents + 1]
        own = np.eye(3) if plain_axes else _GROUND_AXES
        axes = np.concatenate([own[None], axes])
        rest_rotation = np.concatenate([own[None], rest_rotation])
        places = np.concatenate([np.zeros((1, 3)), places])
    return Skeleton(names, parents, joint, axes, rest_rotation, places, turns)


def _rest_pose(body: Body, preset: Preset) -> Array:
    turns = np.tile(np.eye(3), (body.joint_count, 1, 1))
    if preset.rest == "A":
        for name, angle in (("left_shoulder", -_ARMS_DOWN), ("right_shoulder", _ARMS_DOWN)):
            if name in body.joint_names:
                turns[body.joint_names.index(name)] = about_z(angle)
    return turns


def _bone_axes(body: Body, rest: Array, rule: Axes) -> list[Array]:
    """(3, 3) axes as columns of every joint's bone in the T-pose."""
    directions = _directions(body, rest)
    found: list[Array] = []
    for joint, direction in enumerate(directions):
        parent = int(body.parents[joint])
        if abs(direction @ _FORWARD) < _MOSTLY_FORWARD:
            third = _across(_FORWARD, direction)
            # right-handed with y along the bone and z as near to forward as can be
            frame = np.stack([np.cross(direction, third), direction, third], axis=1)
        else:  # a foot: the sideways axis is its shank's
            side = found[parent][:, 0] if parent >= 0 else np.array([1.0, 0.0, 0.0])
            first = _across(side, direction)
            frame = np.stack([first, direction, np.cross(first, direction)], axis=1)
        found.append(frame)
    if rule == "mixamo":
        return found
    return [_unreal_axes(body, joint, frame) for joint, frame in enumerate(found)]


def _unreal_axes(body: Body, joint: int, frame: Array) -> Array:
    """From y along the bone and z forward to the mannequin's axes.

    The mannequin's trunk has x along the bone and y backward (in a right-handed file); its left arm
    likewise; its left leg has x against the bone and y forward; the right side is the left
    mirrored with all axes reversed, which a mirror image needs to be right-handed again.
    """
    name = body.joint_names[joint]
    leg = any(part in name for part in ("hip", "knee", "ankle", "foot"))
    along, forward = frame[:, 1], frame[:, 2]
    sign = -1.0 if leg else 1.0
    if name.startswith("right_"):
        sign = -sign
    x, y = sign * along, -sign * forward
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _directions(body: Body, rest: Array) -> Array:
    """(J, 3) unit vectors along the bones: to the one child, or on from the parent."""
    directions = np.tile(_UP, (body.joint_count, 1))
    for joint in range(body.joint_count):
        children = np.flatnonzero(body.parents == joint)
        parent = int(body.parents[joint])
        if len(children) == 1:
            way = rest[children[0]] - rest[joint]
        elif len(children) > 1:  # hips and chest: along the trunk
            middle = min(children, key=lambda child: abs(float(rest[child, 0] - rest[joint, 0])))
            way = rest[middle] - rest[joint]
        else:
            way = rest[joint] - rest[parent] if parent >= 0 else _UP
        length = float(np.linalg.norm(way))
        if length > 1e-9:
            directions[joint] = way / length
        elif parent >= 0:
            directions[joint] = directions[parent]
    return directions


def _across(vector: Array, direction: Array) -> Array:
    """The part of `vector` at right angles to `direction`, of length 1."""
    rest = vector - (vector @ direction) * direction
    return np.asarray(rest / np.linalg.norm(rest))
