"""Bone names of other programs: which humanoid bone a name stands for.

Known: Mixamo, Unreal 4 and 5, Unity, VRoid, Rigify, MakeHuman, Character Creator, 3ds Max Biped,
Daz, SMPL, MMD (Japanese and English). A name is split into words at punctuation, capitals and
digits; prefixes and sides are taken off; the rest must be one of a bone's known names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Side = Literal["left", "right", ""]

CENTRE_BONES = ("hips", "neck", "head")
SIDED_BONES = (
    "Shoulder",
    "UpperArm",
    "LowerArm",
    "Hand",
    "UpperLeg",
    "LowerLeg",
    "Foot",
    "Toes",
)
BONES: tuple[str, ...] = (
    *CENTRE_BONES,
    *(f"{side}{bone}" for side in ("left", "right") for bone in SIDED_BONES),
)
"""Bones of a mapping, by VRM 1.0's names; spine bones lie between hips and neck."""
OPTIONAL_BONES = frozenset(
    {"neck", *(f"{side}{bone}" for side in ("left", "right") for bone in ("Shoulder", "Toes"))}
)
"""Bones that a character may lack."""

CENTRE_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "hips": ("hips", "hip", "pelvis", "center", "centre"),
        "neck": ("neck", "necktwist", "necklower"),
        "head": ("head",),
    }
)
"""Names of the bones without a side, most specific first."""
SIDED_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Shoulder": ("clavicle", "collar", "collarbone", "shoulder"),
        "UpperArm": ("upperarm", "uparm", "shldr", "arm", "shoulder"),
        "LowerArm": ("lowerarm", "lowarm", "forearm", "elbow"),
        "Hand": ("wrist", "hand"),
        "UpperLeg": ("upperleg", "upleg", "thigh", "hip", "leg"),
        "LowerLeg": ("lowerleg", "lowleg", "calf", "shin", "shank", "knee", "leg"),
        "Foot": ("ankle", "foot"),
        "Toes": ("toes", "toe", "toebase", "ball", "foot"),
    }
)
"""Names of the bones with a side, most specific first. A name of two bones belongs to the one that
has no other: a `leg` is a thigh beside a `knee` and a shank beside an `upleg`."""

_PREFIXES = frozenset(
    {
        *("mixamorig", "cc", "base", "bip", "valvebiped", "j", "c", "def", "org", "armature"),
        *("rig", "bone", "bones", "jnt", "joint", "sk", "skel", "b", "bend", "genesis"),
    }
)
_SIDES: Mapping[str, Side] = MappingProxyType(
    {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rgt": "right"}
)
_EXCLUDED = frozenset(
    {
        *("ik", "fk", "pole", "target", "ctrl", "control", "mch", "twist", "roll", "end", "nub"),
        *("tip", "helper", "socket", "weapon", "attach", "dummy", "tweak", "parent", "adj"),
        *("share", "sleeve", "skirt", "hair", "corrective"),
    }
)
"""Words of bones that are not the humanoid's own."""
_JAPANESE: Mapping[str, str] = MappingProxyType(
    {
        "センター": "center",
        "首": "neck",
        "頭": "head",
        "肩": "shoulder",
        "腕": "arm",
        "ひじ": "elbow",
        "肘": "elbow",
        "手首": "wrist",
        "足": "leg",
        "ひざ": "knee",
        "膝": "knee",
        "足首": "ankle",
        "つま先": "toe",
        "足先EX": "toe",
    }
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def split_name(name: str) -> tuple[Side, str]:
    """Return the side and the core of a bone's name; ('', '') for a bone that is no one's own.

    Examples
    --------
    >>> split_name("mixamorig:LeftForeArm")
    ('left', 'forearm')
    >>> split_name("thigh_r")
    ('right', 'thigh')
    >>> split_name("ik_hand_l")
    ('', '')
    """
    name = re.split(r"[:|]", name)[-1]
    for character, side in (("左", "left"), ("右", "right")):
        if name.startswith(character):
            return side, _JAPANESE.get(name[1:], "")  # type: ignore[return-value]
    if name in _JAPANESE:
        return "", _JAPANESE[name]
    words = [word.lower() for word in _WORDS.findall(name)]
    if _EXCLUDED.intersection(words) and not {"neck", "twist"} <= set(words):
        return "", ""
    words = [word for word in words if word not in _PREFIXES and not word.isdigit()]
    found = [_SIDES[word] for word in words if word in _SIDES]
    core = "".join(word for word in words if word not in _SIDES)
    if not found:
        for word, side in (("left", "left"), ("right", "right")):
            if core.startswith(word):
                return side, core.removeprefix(word)  # type: ignore[return-value]
            if core.endswith(word):
                return side, core.removesuffix(word)  # type: ignore[return-value]
    return (found[0] if found else ""), core


def is_twist(name: str) -> bool:
    """Return True for a bone that takes part of the twist of a limb."""
    words = {word.lower() for word in _WORDS.findall(name)}
    return bool(words & {"twist", "roll"}) or "捩" in name
