"""BVH files: CMU's (two sets of names) and Bandai Namco Research's motion data set.

A BVH joint has an offset from its parent and channels that are applied in file order, each about
the axes that the previous channels have rotated. Position channels replace the offset. The bones of
CMU's skeleton lie along their rest directions. Bandai's bones lie along their own x axes, so its
rest pose is not a body pose: the joint axes of a person standing in T-pose are removed from the
rotations (measured on the set's standing clips: soles level).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.skeleton_clip import (
    MAX_BONES,
    MAX_FRAMES,
    SkeletonClip,
    forward_kinematics,
    interpolate_rotations,
)

CMU_UNIT = 0.0254 / 0.45
"""Metres per unit of length in CMU's own files."""

BANDAI_UNIT = 0.01

_JUMP = 0.5
"""Radians within one frame; a moving arm rotates by a tenth of that."""

_MAX_CHANNELS = 6
_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}

# CMU bone -> joint names in BVH: of the MotionBuilder-friendly conversion, then of the
# 3ds-Max-friendly one
_CMU_BONES = {
    "root": ("Hips",),
    "lfemur": ("LeftUpLeg", "LeftHip"),
    "ltibia": ("LeftLeg", "LeftKnee"),
    "lfoot": ("LeftFoot", "LeftAnkle"),
    "ltoes": ("LeftToeBase", "LeftToe"),
    "rfemur": ("RightUpLeg", "RightHip"),
    "rtibia": ("RightLeg", "RightKnee"),
    "rfoot": ("RightFoot", "RightAnkle"),
    "rtoes": ("RightToeBase", "RightToe"),
    "lowerback": ("LowerBack", "lowerback"),
    "upperback": ("Spine", "Chest"),
    "thorax": ("Spine1", "Chest2"),
    "lowerneck": ("Neck", "lowerneck"),
    "upperneck": ("Neck1", "Neck"),
    "head": ("Head",),
    "lclavicle": ("LeftShoulder", "LeftCollar"),
    "lhumerus": ("LeftArm", "LeftShoulder"),
    "lradius": ("LeftForeArm", "LeftElbow"),
    "lwrist": ("LeftHand", "LeftWrist"),
    "lhand": ("LeftFingerBase", "lhand"),
    "rclavicle": ("RightShoulder", "RightCollar"),
    "rhumerus": ("RightArm", "RightShoulder"),
    "rradius": ("RightForeArm", "RightElbow"),
    "rwrist": ("RightHand", "RightWrist"),
    "rhand": ("RightFingerBase", "rhand"),
}


def _rest_axes(x: tuple[float, ...], y: tuple[float, ...]) -> Array:
    """Return the axes in T-pose as columns (3, 3), from the first two."""
    first = np.array(x) / np.linalg.norm(x)
    return np.column_stack([first, y, np.cross(first, y)])


_TRUNK = _rest_axes((0, 1, 0), (0, 0, 1))
_LEFT_ARM, _RIGHT_ARM = np.eye(3), np.diag([1.0, -1.0, -1.0])
_LEFT_LEG, _RIGHT_LEG = _rest_axes((0, -1, 0), (1, 0, 0)), _rest_axes((0, 1, 0), (1, 0, 0))
_LEFT_FOOT, _RIGHT_FOOT = (
    _rest_axes((0, -0.637, 0.771), (1, 0, 0)),
    _rest_axes((0, 0.637, -0.771), (1, 0, 0)),
)
_LEFT_TOES, _RIGHT_TOES = (
    _rest_axes((0, -0.39, 0.92), (1, 0, 0)),
    _rest_axes((0, 0.39, -0.92), (1, 0, 0)),
)

# CMU bone, Bandai joint, axes of the joint for a person in T-pose facing +z
_BANDAI_BONES = (
    ("root", "Hips", _rest_axes((0, 1, 0), (-1, 0, 0))),
    ("lowerback", "Spine", _TRUNK),
    ("thorax", "Chest", _TRUNK),
    ("lowerneck", "Neck", _TRUNK),
    ("head", "Head", _TRUNK),
    ("lclavicle", "Shoulder_L", _LEFT_ARM),
    ("lhumerus", "UpperArm_L", _LEFT_ARM),
    ("lradius", "LowerArm_L", _LEFT_ARM),
    ("lwrist", "Hand_L", _LEFT_ARM),
    ("lhand", "Hand_L", _LEFT_ARM),
    ("rclavicle", "Shoulder_R", _RIGHT_ARM),
    ("rhumerus", "UpperArm_R", _RIGHT_ARM),
    ("rradius", "LowerArm_R", _RIGHT_ARM),
    ("rwrist", "Hand_R", _RIGHT_ARM),
    ("rhand", "Hand_R", _RIGHT_ARM),
    ("lfemur", "UpperLeg_L", _LEFT_LEG),
    ("ltibia", "LowerLeg_L", _LEFT_LEG),
    ("lfoot", "Foot_L", _LEFT_FOOT),
    ("ltoes", "Toes_L", _LEFT_TOES),
    ("rfemur", "UpperLeg_R", _RIGHT_LEG),
    ("rtibia", "LowerLeg_R", _RIGHT_LEG),
    ("rfoot", "Foot_R", _RIGHT_FOOT),
    ("rtoes", "Toes_R", _RIGHT_TOES),
)


@dataclass
class _JointTree:
    """Joints in file order; an end site is stored as the tip of its joint.

    A block of the hierarchy is identified by a joint's row, or by -1 - row for its end site.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)
    tips: dict[int, list[float]] = field(default_factory=dict)

    def add_joint(self, name: str, parent: int, *, is_root: bool) -> int:
        """Add a joint without offset and channels and return its row."""
        if is_root == bool(self.names):
            raise ValueError("it does not have exactly one root")
        row = len(self.names)
        if row >= MAX_BONES:
            raise ValueError(f"more than {MAX_BONES} joints")
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append([0.0] * 3)
        self.channels.append([])
        return row

    def set_offset(self, block: int, words: list[str]) -> None:
        """Set the offset of a joint, or the tip of an end site's joint."""
        offset = [float(word) for word in words]
        if len(offset) != 3 or not np.isfinite(offset).all():
            raise ValueError("an offset is not three finite numbers")
        if block < 0:
            self.tips[-1 - block] = offset
        else:
            self.offsets[block] = offset

    def set_channels(self, block: int, words: list[str]) -> int:
        """Set a joint's channels from their number and names; return their number."""
        count = int(words[0])
        names = words[1 : 1 + count]
        if not 0 <= count <= _MAX_CHANNELS or len(set(names) & _CHANNELS) != count:
            raise ValueError(f"unknown channels {' '.join(names[:6])}")
        self.channels[block] = names
        return count


def parse_bvh(text: str, unit: float, name: str = "the clip") -> SkeletonClip:
    """Parse a BVH clip and compute its forward kinematics, with the file's own names and axes.

    Parameters
    ----------
    text : str
    unit : float
        Metres per unit of length; the file does not state it.
    name : str
        Name of the file in error messages.

    Raises
    ------
    InputError
        If the text is not a valid BVH file.
    """
    try:
        return _parse(text, unit)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"{name} is not a valid BVH clip: {error}") from error


def read_cmu_bvh(text: str, unit: float = CMU_UNIT, name: str = "the clip") -> SkeletonClip:
    """Read a BVH clip of CMU, with CMU's bone names.

    Raises
    ------
    InputError
        If the text is not a valid BVH file or has another skeleton.
    """
    clip = parse_bvh(text, unit, name)
    # the two sets of names overlap (`Neck` is a different bone in each), so choose one set
    column = 0 if "LeftUpLeg" in clip.names else 1
    rows = []
    for bone, names in _CMU_BONES.items():
        joint = names[min(column, len(names) - 1)]
        if joint not in clip.names:
            raise InputError(f"{name} is not of CMU's skeleton: it has no {joint} for {bone}")
        rows.append(clip.bone(joint))
    # one conversion puts a T-pose before the motion: an arm jumps within one frame
    arm = clip.world[:2, rows[list(_CMU_BONES).index("lhumerus")]]
    first = 1 if len(arm) > 1 and _angle(arm[0].T @ arm[1]) > _JUMP else 0
    return SkeletonClip(
        tuple(_CMU_BONES),
        clip.offsets[rows],
        clip.world[first:, rows],
        clip.starts[first:, rows],
        clip.ends[first:, rows],
        clip.frame_rate,
    )


def read_bandai_bvh(text: str, name: str = "the clip") -> SkeletonClip:
    """Read a clip of Bandai Namco Research's data set (centimetres, 6 channels per joint).

    Raises
    ------
    InputError
        If the text is not a valid BVH file or has another skeleton.
    """
    clip = parse_bvh(text, BANDAI_UNIT, name)
    missing = [joint for _, joint, _ in _BANDAI_BONES if joint not in clip.names]
    if missing:
        raise InputError(f"{name} is not of Bandai's skeleton: it has no {', '.join(missing)}")
    names = [bone for bone, _, _ in _BANDAI_BONES]
    rows = [clip.bone(joint) for _, joint, _ in _BANDAI_BONES]
    axes = np.array([axes for _, _, axes in _BANDAI_BONES])
    offsets = np.einsum("bij,bj->bi", axes, clip.offsets[rows])
    # in half of the files the hand tips lie in the wrists: extend the forearm instead
    for hand in ("wrist", "hand"):
        for side in "lr":
            offsets[names.index(side + hand)] = offsets[names.index(f"{side}radius")] * 0.25
    world = clip.world[:, rows] @ axes.transpose(0, 2, 1)
    starts, ends = clip.starts[:, rows], clip.ends[:, rows]
    # the spine has two joints, CMU's has three
    low, high = names.index("lowerback"), names.index("thorax")
    middle = interpolate_rotations(world[:, low], world[:, high], 0.5)[:, None]
    return SkeletonClip(
        (*names, "upperback"),
        np.concatenate([offsets, np.zeros((1, 3))]),
        np.concatenate([world, middle], axis=1),
        np.concatenate([starts, starts[:, high : high + 1]], axis=1),
        np.concatenate([ends, starts[:, high : high + 1]], axis=1),
        clip.frame_rate,
    )


def _angle(rotation: Array) -> float:
    return float(Rotation.from_matrix(rotation).magnitude())


def _parse(text: str, unit: float) -> SkeletonClip:
    hierarchy, keyword, motion = text.partition("MOTION")
    if not keyword:
        raise ValueError("it has no MOTION")
    tree = _parse_hierarchy(hierarchy)
    rows = [line for line in motion.split("\n") if line.strip()]
    count, step = _number_after(rows[0], "Frames:"), _number_after(rows[1], "Frame Time:")
    if not (0 < count <= MAX_FRAMES and 1e-4 < step < 10):
        raise ValueError(f"{count:g} frames of {step:g} seconds")
    width = sum(map(len, tree.channels))
    values = np.array([[float(word) for word in row.split()] for row in rows[2:]])
    if values.shape != (int(count), width):
        raise ValueError(
            f"it has {values.shape} numbers, its header announces {int(count)} x {width}"
        )
    if not np.isfinite(values).all():
        raise ValueError("it contains numbers that are not finite")

    starts = np.tile(np.array(tree.offsets), (len(values), 1, 1))
    local = np.empty((len(values), len(tree.names), 3, 3))
    column = 0
    for joint, channels in enumerate(tree.channels):
        rotation = Rotation.identity(len(values))
        for channel in channels:
            axis, numbers = "XYZ".index(channel[0]), values[:, column]
            column += 1
            if channel.endswith("position"):
                starts[:, joint, axis] = numbers
            else:
                vector = np.zeros((len(values), 3))
                vector[:, axis] = np.radians(numbers)
                rotation = rotation * Rotation.from_rotvec(vector)
        local[:, joint] = rotation.as_matrix()
    starts *= unit
    offsets = np.array([_bone_offset(tree, joint) for joint in range(len(tree.names))]) * unit
    return forward_kinematics(
        tree.names, tree.parents, starts, offsets, local, starts[:, 0], 1 / step
    )


def _parse_hierarchy(text: str) -> _JointTree:
    words = text.replace("{", " { ").replace("}", " } ").split()
    tree, path = _JointTree(), list[int]()
    opened = -1
    position = 0
    while position < len(words):
        word, arguments = words[position], words[position + 1 : position + 2 + _MAX_CHANNELS]
        position += 1
        if word in ("ROOT", "JOINT"):
            parent = path[-1] if path else -1
            opened = tree.add_joint(arguments[0], parent, is_root=word == "ROOT")
            position += 1
        elif word == "End":
            opened = -1
            position += 1
        elif word == "{":
            # a block is a joint's row, or -1 - row for the end site of that joint
            path.append(opened if opened >= 0 else -1 - path[-1])
        elif word == "}":
            path.pop()
        elif word == "OFFSET":
            tree.set_offset(path[-1], arguments[:3])
            position += 3
        elif word == "CHANNELS":
            position += 1 + tree.set_channels(path[-1], arguments)
        elif word != "HIERARCHY":
            raise ValueError(f"unknown word {word[:40]}")
    if not tree.names or path:
        raise ValueError("its hierarchy is not closed")
    return tree


def _bone_offset(tree: _JointTree, joint: int) -> list[float]:
    """Return the first non-zero offset (3,) of a descendant or tip; zeros if there is none."""
    children = [child for child, parent in enumerate(tree.parents) if parent == joint]
    for child in children:
        offset = tree.offsets[child]
        offset_below = offset if any(offset) else _bone_offset(tree, child)
        if any(offset_below):
            return offset_below
    return tree.tips.get(joint, [0.0] * 3)


def _number_after(line: str, keyword: str) -> float:
    before, match, number = line.partition(keyword)
    if not match or before.strip():
        raise ValueError(f"'{keyword}' is missing")
    return float(number)
