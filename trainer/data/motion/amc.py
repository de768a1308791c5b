"""CMU's ASF/AMC files.

An ASF file describes a skeleton: bones with a rest direction, a length and the axes of their
angles; an AMC file lists those angles per frame. Positions are y up. Acclaim's conventions (Jeff
Lander, 'Working with motion capture file formats', Game Developer 1998): a bone's rotation acts at
the bone's start; with C the bone's axis rotation and M the frame's angles, both x first, then y,
then z, the bone's world rotation is parent * C M C^-1.

CMU asks for this acknowledgement: The data used in this project was obtained from
mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.skeleton_clip import (
    MAX_BONES,
    MAX_FRAMES,
    SkeletonClip,
    forward_kinematics,
)

_INCH = 0.0254
_ROOT = "root"


@dataclass(frozen=True)
class Skeleton:
    """An ASF skeleton; B bones, the root first, parents before their children."""

    names: tuple[str, ...]
    parents: npt.NDArray[np.int64]
    """(B,) -1 at the root."""
    offsets: Array
    """(B, 3) metres, rest pose, from a bone's start to its end; zero for the root."""
    axes: Array
    """(B, 3, 3) rotation C of the axes that the bone's angles refer to."""
    freedoms: tuple[tuple[str, ...], ...]
    """Channels of an AMC row in order for each bone: 'rx', 'ty' and so on."""
    metres: float
    """Metres per unit of length in the files."""


@dataclass(frozen=True)
class _Bone:
    offset: Array
    """(3,) metres, rest pose."""
    axes: Array
    """(3, 3) rotation C of the axes that the angles refer to."""
    freedoms: tuple[str, ...]
    """Channels of an AMC row in order."""


def parse_asf(text: str, name: str = "the skeleton") -> Skeleton:
    """Parse an ASF skeleton.

    Parameters
    ----------
    text : str
    name : str
        Name of the file in error messages.

    Raises
    ------
    InputError
        If the text is not a valid ASF file.
    """
    try:
        return _parse_asf(text)
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise InputError(f"{name} is not a valid ASF skeleton: {error}") from error


def _parse_asf(text: str) -> Skeleton:
    sections = _sections(text)
    units = {words[0]: words[1] for words in sections["units"]}
    if units.get("angle", "deg") != "deg":
        raise ValueError("angles are not in degrees")
    metres = _INCH / float(units["length"])
    bones = {_ROOT: _root_bone(sections["root"]), **_bones(sections["bonedata"], metres)}
    if len(bones) > MAX_BONES:
        raise ValueError(f"more than {MAX_BONES} bones")
    names, parents = _hierarchy(sections["hierarchy"])
    return Skeleton(
        names=tuple(names),
        parents=np.array(parents, dtype=np.int64),
        offsets=np.array([bones[name].offset for name in names]),
        axes=np.array([bones[name].axes for name in names]),
        freedoms=tuple(bones[name].freedoms for name in names),
        metres=metres,
    )


def _sections(text: str) -> dict[str, list[list[str]]]:
    """Return the words of each line by section, without comments and empty lines."""
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
    return sections


def _root_bone(lines: list[list[str]]) -> _Bone:
    root = {words[0].lower(): words[1:] for words in lines}
    axes = _axes(root["orientation"], root["axis"][0])
    return _Bone(np.zeros(3), axes, tuple(channel.lower() for channel in root["order"]))


def _bones(lines: list[list[str]], metres: float) -> dict[str, _Bone]:
    """Return the bones of the section ``bonedata`` by name; `metres` is the unit of length."""
    bones: dict[str, _Bone] = {}
    entry: dict[str, list[str]] = {}
    for words in lines:
        if words[0] == "begin":
            entry = {}
        elif words[0] == "end":
            direction = np.array([float(word) for word in entry["direction"]])
            length = float(entry["length"][0])
            if not (np.isfinite(direction).all() and np.isfinite(length)):
                raise ValueError(f"the offset of the bone {entry['name'][0]} is not finite")
            offset = direction * length * metres
            axes = _axes(entry["axis"][:3], entry["axis"][3])
            bones[entry["name"][0]] = _Bone(offset, axes, tuple(entry.get("dof", [])))
        else:
            entry[words[0]] = words[1:]
    return bones


def _hierarchy(lines: list[list[str]]) -> tuple[list[str], list[int]]:
    """Return the bone names, parents before their children, and the row of each bone's parent."""
    names, parents = [_ROOT], [-1]
    for words in lines:
        if words[0] in ("begin", "end"):
            continue
        parent = names.index(words[0])
        for child in words[1:]:
            if child in names:
                raise ValueError(f"the bone {child} has two parents")
            names.append(child)
            parents.append(parent)
    return names, parents


def _axes(angles: list[str], order: str) -> Array:
    """Return the rotation (3, 3) of Euler angles x, y, z in degrees, applied in `order`."""
    by_name = dict(zip("xyz", (float(angle) for angle in angles), strict=True))
    sequence = order.lower()
    rotation = Rotation.from_euler(sequence, [by_name[axis] for axis in sequence], degrees=True)
    return np.asarray(rotation.as_matrix())


def parse_amc(
    text: str, skeleton: Skeleton, frame_rate: float = 120.0, name: str = "the clip"
) -> SkeletonClip:
    """Parse an AMC clip and compute its forward kinematics.

    Parameters
    ----------
    text : str
    skeleton : Skeleton
    frame_rate : float
        Frames per second; the file does not state it. CMU's clips have 120.
    name : str
        Name of the file in error messages.

    Raises
    ------
    InputError
        If the text is not a valid AMC file or does not fit the skeleton.
    """
    frames: list[dict[str, list[float]]] = []
    try:
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if not words or words[0].startswith(":"):
                continue
            if len(words) == 1 and words[0].isdigit():
                frames.append({})
                if len(frames) > MAX_FRAMES:
                    raise ValueError(f"more than {MAX_FRAMES} frames")
            else:
                frames[-1][words[0]] = [float(word) for word in words[1:]]
        if not frames:
            raise ValueError("it has no frames")
        local, root = _local_motion(frames, skeleton)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"{name} is not a valid AMC clip for this skeleton: {error}") from error
    # a bone starts where its parent ends
    starts = skeleton.offsets[np.maximum(skeleton.parents, 0)]
    parents = skeleton.parents.tolist()
    return forward_kinematics(
        skeleton.names, parents, starts, skeleton.offsets, local, root, frame_rate
    )


def _local_motion(frames: list[dict[str, list[float]]], skeleton: Skeleton) -> tuple[Array, Array]:
    """Return the local rotations (F, B, 3, 3) and the root positions (F, 3) in metres."""
    local = np.empty((len(frames), len(skeleton.names), 3, 3))
    root = np.zeros((len(frames), 3))
    for bone, name in enumerate(skeleton.names):
        channels = skeleton.freedoms[bone]
        values = np.zeros((len(frames), 0))
        if channels:
            values = np.array([frame[name] for frame in frames], dtype=np.float64)
        if values.shape != (len(frames), len(channels)):
            raise ValueError(f"the bone {name} has other channels than in the skeleton")
        if not np.isfinite(values).all():
            raise ValueError(f"the bone {name} has values that are not finite")
        rotation = Rotation.identity(len(frames))
        for channel, column in zip(channels, values.T, strict=True):
            kind, axis = channel[0], "xyz".index(channel[1])
            if kind == "r":
                vector = np.zeros((len(frames), 3))
                vector[:, axis] = np.radians(column)
                rotation = Rotation.from_rotvec(vector) * rotation
            elif kind == "t" and bone == 0:
                root[:, axis] = column * skeleton.metres
            else:
                raise ValueError(f"unknown channel {channel} of {name}")
        axes = skeleton.axes[bone]
        local[:, bone] = axes @ rotation.as_matrix() @ axes.T
    return local, root


def read_clip(source: Path, clip: str, skeleton: str, frame_rate: float = 120.0) -> SkeletonClip:
    """Read a clip and its skeleton from a folder, or from its ``clips.zip``.

    Parameters
    ----------
    source : Path
        Folder with the files, folder with ``clips.zip``, or zip file.
    clip, skeleton : str
        Paths of the AMC and ASF files inside it.
    frame_rate : float

    Raises
    ------
    InputError
        If a file is missing or invalid.
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
