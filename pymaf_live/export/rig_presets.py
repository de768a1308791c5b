"""Bone names, rest poses and axes rules of the rigs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pymaf_live.export.options import Rig

AxesRule = Literal["world", "mixamo", "unreal"]
"""Axes of the bones at rest. 'world': the world's. 'mixamo': y along the bone, z forward (feet:
z up). 'unreal': x along the bone (against it on right arms and left legs, which mirrors the
sides)."""


@dataclass(frozen=True)
class RigPreset:
    """Definition of a rig."""

    title: str
    names: Mapping[str, str]
    """Bone names by the body's joint names; a joint that is not in it keeps its own."""
    rest: Literal["T", "A"]
    axes: AxesRule
    ground_bone: str = ""
    """Bone on the ground below the hips that carries the horizontal movement; '' for none."""


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
# as three.js and others call these bones, whose syntax reserves the colon
_MIXAMO_PLAIN = {joint: bone.replace(":", "") for joint, bone in _MIXAMO.items()}
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

PRESETS: Mapping[Rig, RigPreset] = MappingProxyType(
    {
        "smpl": RigPreset("SMPL", {}, "T", "world"),
        "mixamo": RigPreset("Mixamo", _MIXAMO, "T", "mixamo"),
        "mixamo-plain": RigPreset("Mixamo without colons", _MIXAMO_PLAIN, "T", "mixamo"),
        "unreal": RigPreset("Unreal mannequin", _UNREAL, "A", "unreal", ground_bone="root"),
        "unity": RigPreset("Unity humanoid", _UNITY, "T", "world"),
        "vrm": RigPreset("VRM", _VRM, "T", "world"),
    }
)
"""Rigs by name."""
