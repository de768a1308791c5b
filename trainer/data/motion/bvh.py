"""BVH files: CMU's (two sets of names) and Bandai Namco Research's motion data set.

A BVH joint has an offset from its parent, and channels that are applied in the order in which they
are written, each about the axes that the ones before it have turned. Position channels stand in
place of the offset. The bones of CMU's skeleton lie along their rest directions; those of Bandai's
lie along their own x axes, so that its rest pose as written is no pose of a body: there the frames
of a person standing in T-pose are taken out (measured on the set's standing clips: soles level).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.performance import (
    MOST_BONES,
    MOST_FRAMES,
    Performance,
    between,
    perform,
)

CMU_UNIT = 0.0254 / 0.45
"""Metres per unit of length in CMU's own files."""

BANDAI_UNIT = 0.01

_JUMP = 0.5
"""Radians within one frame; an arm in motion turns a tenth of it."""

_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}

# the joints of CMU's BVH files by CMU's bone names: the MotionBuilder-friendly conversion's names,
# then those of the 3ds-Max-friendly one
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


def _frame(x: tuple[float, ...], y: tuple[float, ...]) -> Array:
    """Axes in T-pose as columns, from the first two."""
    first = np.array(x) / np.linalg.norm(x)
    return np.column_stack([first, y, np.cross(first, y)])


_TRUNK = _frame((0, 1, 0), (0, 0, 1))
_LEFT_ARM, _RIGHT_ARM = np.eye(3), np.diag([1.0, -1.0, -1.0])
_LEFT_LEG, _RIGHT_LEG = _frame((0, -1, 0), (1, 0, 0)), _frame((0, 1, 0), (1, 0, 0))
_LEFT_FOOT, _RIGHT_FOOT = (
    _frame((0, -0.637, 0.771), (1, 0, 0)),
    _frame((0, 0.637, -0.771), (1, 0, 0)),
)
_LEFT_TOES, _RIGHT_TOES = _frame((0, -0.39, 0.92), (1, 0, 0)), _frame((0, 0.39, -0.92), (1, 0, 0))

# Bandai's joints: CMU's bone, the joint, its axes while the person stands in T-pose facing +z
_BANDAI_BONES = (
    ("root", "Hips", _frame((0, 1, 0), (-1, 0, 0))),
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
class _Tree:
    """The joints as they are read; end sites are tips of their joints."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)
    tips: dict[int, list[float]] = field(default_factory=dict)


def parse_bvh(text: str, unit: float, name: str = "the clip") -> Performance:
    """Read a BVH clip and work out its forward kinematics, on the skeleton's own names and axes.

    Parameters
    ----------
    text : str
    unit : float
        Metres per unit of length; the file does not say it.
    name : str
        What to call the file in a complaint.

    Raises
    ------
    InputError
        If it is no sound BVH file.
    """
    try:
        return _parse(text, unit)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"{name} is no sound BVH clip: {error}") from error


def read_cmu_bvh(text: str, unit: float = CMU_UNIT, name: str = "the clip") -> Performance:
    """Read a BVH clip of CMU's motion, bones by CMU's names.

    Raises
    ------
    InputError
        If it is no sound BVH file or another skeleton.
    """
    clip = parse_bvh(text, unit, name)
    # the two sets of names overlap (`Neck` is another bone in each), so one is chosen as a whole
    column = 0 if "LeftUpLeg" in clip.names else 1
    rows = []
    for bone, names in _CMU_BONES.items():
        joint = names[min(column, len(names) - 1)]
        if joint not in clip.names:
            raise InputError(f"{name} is not of CMU's skeleton: it has no {joint} for {bone}")
        rows.append(clip.bone(joint))
    # one of the conversions puts a T-pose before the motion: an arm jumps within one frame
    arm = clip.world[:2, rows[list(_CMU_BONES).index("lhumerus")]]
    first = 1 if len(arm) > 1 and _angle(arm[0].T @ arm[1]) > _JUMP else 0
    return Performance(
        tuple(_CMU_BONES),
        clip.offsets[rows],
        clip.world[first:, rows],
        clip.starts[first:, rows],
        clip.ends[first:, rows],
        clip.frame_rate,
    )


def read_bandai_bvh(text: str, name: str = "the clip") -> Performance:
    """Read a clip of Bandai Namco Research's data set (centimetres, 6 channels a joint).

    Raises
    ------
    InputError
        If it is no sound BVH file or another skeleton.
    """
    clip = parse_bvh(text, BANDAI_UNIT, name)
    missing = [joint for _, joint, _ in _BANDAI_BONES if joint not in clip.names]
    if missing:
        raise InputError(f"{name} is not of Bandai's skeleton: it has no {', '.join(missing)}")
    names = [bone for bone, _, _ in _BANDAI_BONES]
    rows = [clip.bone(joint) for _, joint, _ in _BANDAI_BONES]
    axes = np.array([axes for _, _, axes in _BANDAI_BONES])
    offsets = np.einsum("bij,bj->bi", axes, clip.offsets[rows])
    # the hands' tips lie in the wrists in half of the files; a hand goes on as the forearm does
    for hand in ("wrist", "hand"):
        for side in "lr":
            offsets[names.index(side + hand)] = offsets[names.index(f"{side}radius")] * 0.25
    world = clip.world[:, rows] @ axes.transpose(0, 2, 1)
    starts, ends = clip.starts[:, rows], clip.ends[:, rows]
    # two joints in the back where CMU has three
    low, high = names.index("lowerback"), names.index("thorax")
    middle = between(world[:, low], world[:, high], 0.5)[:, None]
    return Performance(
        (*names, "upperback"),
        np.concatenate([offsets, np.zeros((1, 3))]),
        np.concatenate([world, middle], axis=1),
        np.concatenate([starts, starts[:, high : high + 1]], axis=1),
        np.concatenate([ends, starts[:, high : high + 1]], axis=1),
        clip.frame_rate,
    )


def _angle(rotation: Array) -> float:
    return float(Rotation.from_matrix(rotation).magnitude())


def _parse(text: str, unit: float) -> Performance:
    head, mark, tail = text.partition("MOTION")
    if not mark:
        raise ValueError("it has no MOTION")
    tree = _tree(head)
    lines = tail.split("\n")
    rows = [line for line in lines if line.strip()]
    count, step = _after(rows[0], "Frames:"), _after(rows[1], "Frame Time:")
    if not (0 < count <= MOST_FRAMES and 1e-4 < step < 10):
        raise ValueError(f"{count:g} frames of {step:g} seconds")
    width = sum(map(len, tree.channels))
    values = np.array([[float(word) for word in row.split()] for row in rows[2:]])
    if values.shape != (int(count), width):
        raise ValueError(
            f"it has {values.shape} numbers where {int(count)} x {width} are announced"
        )
    if not np.isfinite(values).all():
        raise ValueError("it has numbers that are not finite")

    at = np.tile(np.array(tree.offsets), (len(values), 1, 1))
    local = np.empty((len(values), len(tree.names), 3, 3))
    column = 0
    for joint, channels in enumerate(tree.channels):
        turn = Rotation.identity(len(values))
        for channel in channels:
            axis, numbers = "XYZ".index(channel[0]), values[:, column]
            column += 1
            if channel.endswith("position"):
                at[:, joint, axis] = numbers
            else:
                vector = np.zeros((len(values), 3))
                vector[:, axis] = np.radians(numbers)
                turn = turn * Rotation.from_rotvec(vector)
        local[:, joint] = turn.as_matrix()
    at *= unit
    along = np.array([_along(tree, joint) for joint in range(len(tree.names))]) * unit
    return perform(tree.names, tree.parents, at, along, local, at[:, 0], 1 / step)


def _tree(head: str) -> _Tree:
    words = head.replace("{", " { ").replace("}", " } ").split()
    tree, path = _Tree(), list[int]()
    opened = -1
    place = 0
    while place < len(words):
        word = words[place]
        if word in ("ROOT", "JOINT"):
            if (word == "ROOT") == bool(tree.names):
                raise ValueError("it has not one root")
            opened = len(tree.names)
            tree.names.append(words[place + 1])
            tree.parents.append(path[-1] if path else -1)
            tree.offsets.append([0.0] * 3)
            tree.channels.append([])
            if opened >= MOST_BONES:
                raise ValueError(f"more than {MOST_BONES} joints")
            place += 1
        elif word == "End":
            opened = -1
            place += 1
        elif word == "{":
            path.append(opened if opened >= 0 else -1 - path[-1])
        elif word == "}":
            path.pop()
        elif word == "OFFSET":
            offset = [float(number) for number in words[place + 1 : place + 4]]
            if len(offset) != 3 or not np.isfinite(offset).all():
                raise ValueError("an offset is not three finite numbers")
            if path[-1] < 0:
                tree.tips[-1 - path[-1]] = offset
            else:
                tree.offsets[path[-1]] = offset
            place += 3
        elif word == "CHANNELS":
            count = int(words[place + 1])
            names = words[place + 2 : place + 2 + count]
            if not 0 <= count <= 6 or len(set(names) & _CHANNELS) != count:
                raise ValueError(f"unknown channels {' '.join(names[:6])}")
            tree.channels[path[-1]] = names
            place += 1 + count
        elif word != "HIERARCHY":
            raise ValueError(f"unknown word {word[:40]}")
        place += 1
    if not tree.names or path:
        raise ValueError("its hierarchy is not closed")
    return tree


def _along(tree: _Tree, joint: int) -> list[float]:
    """Offset of the first joint or tip below a joint that is not in the same place."""
    below = [child for child, parent in enumerate(tree.parents) if parent == joint]
    for child in below:
        offset = tree.offsets[child]
        found = offset if any(offset) else _along(tree, child)
        if any(found):
            return found
    return tree.tips.get(joint, [0.0] * 3)


def _after(line: str, mark: str) -> float:
    before, found, number = line.partition(mark)
    if not found or before.strip():
        raise ValueError(f"there is no '{mark}' where it belongs")
    return float(number)
