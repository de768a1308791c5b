"""Motion capture on our body: reading CMU's ASF/AMC files and retargeting them.

An ASF file is a skeleton: bones with a rest direction, a length and the axes that a bone's angles
turn about; an AMC file gives those angles a frame. Places are y up. Acclaim's conventions (Jeff
Lander, 'Working with motion capture file formats', Game Developer 1998): a bone's rotation acts at
the bone's start; with C the bone's axis rotation and M the frame's angles, both x first, then y,
then z, the bone's world rotation is parent * C M C^-1.

CMU asks for this acknowledgement: The data used in this project was obtained from
mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation, Slerp

from pymaf_live.body import Body, rest_joints
from pymaf_live.errors import InputError
from pymaf_live.types import Array

_INCH = 0.0254
_MOST_BONES = 256
_MOST_FRAMES = 200_000
_ROOT = "root"

# the source bone that moves each joint of SMPL's tree, by CMU's names
CMU_BONE_OF_JOINT = {
    "pelvis": _ROOT,
    "left_hip": "lfemur",
    "right_hip": "rfemur",
    "spine1": "lowerback",
    "left_knee": "ltibia",
    "right_knee": "rtibia",
    "spine2": "upperback",
    "left_ankle": "lfoot",
    "right_ankle": "rfoot",
    "spine3": "thorax",
    "left_foot": "ltoes",
    "right_foot": "rtoes",
    "neck": "lowerneck",
    "left_collar": "lclavicle",
    "right_collar": "rclavicle",
    "head": "head",
    "left_shoulder": "lhumerus",
    "right_shoulder": "rhumerus",
    "left_elbow": "lradius",
    "right_elbow": "rradius",
    "left_wrist": "lwrist",
    "right_wrist": "rwrist",
    "left_hand": "lhand",
    "right_hand": "rhand",
}

# Limbs whose rest directions differ between the two skeletons (CMU's legs stand 20 degrees apart):
# joint -> the joint its bone leads to. The others rest upright in both and need no turning.
_LIMB_END = {
    "left_hip": "left_knee",
    "right_hip": "right_knee",
    "left_knee": "left_ankle",
    "right_knee": "right_ankle",
    "left_shoulder": "left_elbow",
    "right_shoulder": "right_elbow",
    "left_elbow": "left_wrist",
    "right_elbow": "right_wrist",
    "left_wrist": "left_hand",
    "right_wrist": "right_hand",
}
# Feet and hands go on in the frame of the limb before them. Turning our ankle-to-ball line onto
# CMU's would lift the toes by 14 degrees: theirs starts lower in the ankle, the soles are level.
_FOLLOWS = {
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
    "left_hand": "left_wrist",
    "right_hand": "right_wrist",
    "left_foot": "left_knee",
    "right_foot": "right_knee",
}


@dataclass(frozen=True)
class Skeleton:
    """An ASF skeleton; B bones, the root first, parents before their children."""

    names: tuple[str, ...]
    parents: npt.NDArray[np.int64]
    """(B,) -1 at the root."""
    offsets: Array
    """(B, 3) metres, rest pose: from a bone's start to its end; zero for the root."""
    axes: Array
    """(B, 3, 3) rotation C of the axes that the bone's angles turn about."""
    freedoms: tuple[tuple[str, ...], ...]
    """Per bone the channels of an AMC row in order: 'rx', 'ty' and so on."""
    metres: float
    """Metres per unit of length in the files."""


@dataclass(frozen=True)
class Motion:
    """A clip on its own skeleton; F frames, B bones; metres, y up."""

    skeleton: Skeleton
    world: Array
    """(F, B, 3, 3) world rotation of each bone, relative to its rest direction."""
    starts: Array
    """(F, B, 3) m, where each bone starts (the joint that its rotation turns)."""
    ends: Array
    """(F, B, 3) m"""
    frame_rate: float


def parse_asf(text: str, name: str = "the skeleton") -> Skeleton:
    """Read an ASF skeleton.

    Parameters
    ----------
    text : str
    name : str
        What to call the file in a complaint.

    Raises
    ------
    InputError
        If it is no sound ASF file.
    """
    try:
        return _parse_asf(text)
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise InputError(f"{name} is no sound ASF skeleton: {error}") from error


def _parse_asf(text: str) -> Skeleton:
    sections: dict[str, list[list[str]]] = {}
    section = ""
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            section = words[0][1:].lower()
            sections[section] = []
            words = words[1:]
        if words:
            sections.setdefault(section, []).append(words)
    units = {words[0]: words[1] for words in sections["units"]}
    if units.get("angle", "deg") != "deg":
        raise ValueError("angles are not in degrees")
    metres = _INCH / float(units["length"])

    root = {words[0].lower(): words[1:] for words in sections["root"]}
    found: dict[str, tuple[Array, Array, tuple[str, ...]]] = {
        _ROOT: (
            np.zeros(3),
            _axes(root["orientation"], root["axis"][0]),
            tuple(channel.lower() for channel in root["order"]),
        )
    }
    bone: dict[str, list[str]] = {}
    for words in sections["bonedata"]:
        if words[0] == "begin":
            bone = {}
        elif words[0] == "end":
            direction = np.array([float(word) for word in bone["direction"]])
            length = float(bone["length"][0])
            if not (np.isfinite(direction).all() and np.isfinite(length)):
                raise ValueError(f"the bone {bone['name'][0]} has an offset that is not finite")
            offset = direction * length * metres
            axes = _axes(bone["axis"][:3], bone["axis"][3])
            found[bone["name"][0]] = (offset, axes, tuple(bone.get("dof", [])))
        else:
            bone[words[0]] = words[1:]
    if len(found) > _MOST_BONES:
        raise ValueError(f"more than {_MOST_BONES} bones")

    names, parents = [_ROOT], [-1]
    for words in sections["hierarchy"]:
        if words[0] in ("begin", "end"):
            continue
        parent = names.index(words[0])
        for child in words[1:]:
            if child in names:
                raise ValueError(f"the bone {child} has two parents")
            names.append(child)
            parents.append(parent)
    offsets = np.array([found[name][0] for name in names])
    return Skeleton(
        names=tuple(names),
        parents=np.array(parents, dtype=np.int64),
        offsets=offsets,
        axes=np.array([found[name][1] for name in names]),
        freedoms=tuple(found[name][2] for name in names),
        metres=metres,
    )


def _axes(angles: list[str], order: str) -> Array:
    by_name = dict(zip("xyz", (float(angle) for angle in angles), strict=True))
    sequence = order.lower()
    turned = Rotation.from_euler(sequence, [by_name[axis] for axis in sequence], degrees=True)
    return np.asarray(turned.as_matrix())


def parse_amc(
    text: str, skeleton: Skeleton, frame_rate: float = 120.0, name: str = "the clip"
) -> Motion:
    """Read an AMC clip and work out its forward kinematics.

    Parameters
    ----------
    text : str
    skeleton : Skeleton
    frame_rate : float
        Frames a second; the file does not say it, CMU's are 120.
    name : str
        What to call the file in a complaint.

    Raises
    ------
    InputError
        If it is no sound AMC file or does not fit the skeleton.
    """
    frames: list[dict[str, list[float]]] = []
    try:
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if not words or words[0].startswith(":"):
                continue
            if len(words) == 1 and words[0].isdigit():
                frames.append({})
                if len(frames) > _MOST_FRAMES:
                    raise ValueError(f"more than {_MOST_FRAMES} frames")
            else:
                frames[-1][words[0]] = [float(word) for word in words[1:]]
        if not frames:
            raise ValueError("it has no frames")
        local, places = _local_motion(frames, skeleton)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"{name} is no sound AMC clip for this skeleton: {error}") from error
    world = np.empty_like(local)
    starts = np.empty((*local.shape[:2], 3))
    ends = np.empty_like(starts)
    for bone, parent in enumerate(skeleton.parents):
        world[:, bone] = local[:, bone] if parent < 0 else world[:, parent] @ local[:, bone]
        starts[:, bone] = places if parent < 0 else ends[:, parent]
        ends[:, bone] = starts[:, bone] + world[:, bone] @ skeleton.offsets[bone]
    return Motion(skeleton, world, starts, ends, frame_rate)


def _local_motion(frames: list[dict[str, list[float]]], skeleton: Skeleton) -> tuple[Array, Array]:
    local = np.empty((len(frames), len(skeleton.names), 3, 3))
    places = np.zeros((len(frames), 3))
    for bone, name in enumerate(skeleton.names):
        channels = skeleton.freedoms[bone]
        values = np.zeros((len(frames), 0))
        if channels:
            values = np.array([frame[name] for frame in frames], dtype=np.float64)
        if values.shape != (len(frames), len(channels)):
            raise ValueError(f"the bone {name} has other channels than the skeleton gives it")
        if not np.isfinite(values).all():
            raise ValueError(f"the bone {name} has values that are not finite")
        turn = Rotation.identity(len(frames))
        for channel, column in zip(channels, values.T, strict=True):
            kind, axis = channel[0], "xyz".index(channel[1])
            if kind == "r":
                vector = np.zeros((len(frames), 3))
                vector[:, axis] = np.radians(column)
                turn = Rotation.from_rotvec(vector) * turn
            elif kind == "t" and bone == 0:
                places[:, axis] = column * skeleton.metres
            else:
                raise ValueError(f"unknown channel {channel} of {name}")
        axes = skeleton.axes[bone]
        local[:, bone] = axes @ turn.as_matrix() @ axes.T
    return local, places


def read_clip(source: Path, clip: str, skeleton: str, frame_rate: float = 120.0) -> Motion:
    """Read a clip and its skeleton from a folder, or from the ``clips.zip`` in it.

    Parameters
    ----------
    source : Path
        A folder with the files, a folder with ``clips.zip``, or a zip file.
    clip, skeleton : str
        Paths of the AMC and the ASF file inside it.
    frame_rate : float

    Raises
    ------
    InputError
        If a file is missing or unsound.
    """
    texts = []
    archive = source / "clips.zip" if source.is_dir() else source
    for name in (skeleton, clip):
        try:
            if (source / name).is_file():
                texts.append((source / name).read_text("latin1"))
            else:
                with zipfile.ZipFile(archive) as opened:
                    texts.append(opened.read(name).decode("latin1"))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"there is no mocap file {name} in {source}") from error
    return parse_amc(texts[1], parse_asf(texts[0], skeleton), frame_rate, clip)


def retarget(
    motion: Motion, body: Body, shape: Array, upright: Mapping[str, float] | None = None
) -> tuple[Array, Array]:
    """Move our body as the source moved.

    Every joint takes the world rotation of the source's bone, after a fixed turn from our rest
    direction to the source's where the two rest poses differ. The root's way is scaled by the ratio
    of the leg lengths, so that steps fit the ground.

    Parameters
    ----------
    motion : Motion
        CMU's bone names.
    body : Body
        SMPL's joint names.
    shape : (S,) array
    upright : mapping of str to float, optional
        Joint name -> degrees that its bone is pitched forward while the actor holds it upright.
        It differs from actor to actor (where the markers sat) and is taken out.

    Returns
    -------
    rotations : (F, J, 3, 3) array
        Relative to the parent; the root's in the clip's y-up world.
    translation : (F, 3) array
        Metres, y up; added to the posed body as SMPL does.

    Raises
    ------
    InputError
        If the clip lacks a bone or the body a joint.
    """
    names, bones = body.joint_names, motion.skeleton.names
    missing = [bone for bone in CMU_BONE_OF_JOINT.values() if bone not in bones]
    unknown = [name for name in names if name not in CMU_BONE_OF_JOINT]
    if missing or unknown:
        raise InputError(f"the clip and the body do not fit: {', '.join(missing + unknown)}")
    rest = rest_joints(body, shape)
    place = {name: rest[index] for index, name in enumerate(names)}
    turns: dict[str, Array] = {}
    for joint, end in _LIMB_END.items():
        bone = bones.index(CMU_BONE_OF_JOINT[joint])
        turns[joint] = _turn(place[end] - place[joint], motion.skeleton.offsets[bone])
    for joint, leader in _FOLLOWS.items():
        turns[joint] = turns[leader]
    for joint, degrees in (upright or {}).items():
        turns[joint] = np.asarray(Rotation.from_euler("x", -degrees, degrees=True).as_matrix())

    world = np.empty((len(motion.world), len(names), 3, 3))
    for index, name in enumerate(names):
        source = motion.world[:, bones.index(CMU_BONE_OF_JOINT[name])]
        world[:, index] = source @ turns.get(name, np.eye(3))
    rotations = world.copy()
    for index, parent in enumerate(body.parents):
        if parent >= 0:
            rotations[:, index] = world[:, parent].transpose(0, 2, 1) @ world[:, index]

    legs = sum(
        float(np.linalg.norm(motion.skeleton.offsets[bones.index(bone)]))
        for bone in ("lfemur", "ltibia", "rfemur", "rtibia")
    )
    ours = sum(
        float(np.linalg.norm(place[end] - place[start]))
        for start, end in list(_LIMB_END.items())[:4]
    )
    # SMPL's root joint and CMU's root are both the pelvis, but lie differently against the hips:
    # the middle of the hips is what carries the legs, so that is made to meet
    hips = (motion.starts[:, bones.index("lfemur")] + motion.starts[:, bones.index("rfemur")]) / 2
    middle = (place["left_hip"] + place["right_hip"]) / 2
    pelvis = rest[0]
    turned = np.einsum("fab,b->fa", rotations[:, 0], middle - pelvis)
    return rotations, hips * (ours / legs) - turned - pelvis


def _turn(start: Array, end: Array) -> Array:
    """Smallest rotation (3, 3) that takes the direction `start` to `end`."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(a, b)
    length = float(np.linalg.norm(axis))
    if length < 1e-12:
        return np.eye(3)
    angle = float(np.arctan2(length, a @ b))
    return np.asarray(Rotation.from_rotvec(axis / length * angle).as_matrix())


def resample(
    rotations: Array, translation: Array, rate: float, times: Array
) -> tuple[Array, Array]:
    """Pose at given times: rotations along the shortest arc, places along straight lines.

    Parameters
    ----------
    rotations : (F, J, 3, 3) array
    translation : (F, 3) array
    rate : float
        Frames a second of the input, its first frame at time 0.
    times : (T,) array
        Seconds, inside the clip.
    """
    stamps = np.arange(len(rotations)) / rate
    times = np.clip(times, 0.0, stamps[-1])
    turned = np.stack(
        [
            Slerp(stamps, Rotation.from_matrix(rotations[:, joint]))(times).as_matrix()
            for joint in range(rotations.shape[1])
        ],
        axis=1,
    )
    moved = np.stack([np.interp(times, stamps, column) for column in translation.T], axis=1)
    return turned, moved
