"""CMU's ASF/AMC files.

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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.performance import MOST_BONES, MOST_FRAMES, Performance, perform

_INCH = 0.0254
_ROOT = "root"


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
    if len(found) > MOST_BONES:
        raise ValueError(f"more than {MOST_BONES} bones")

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
) -> Performance:
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
                if len(frames) > MOST_FRAMES:
                    raise ValueError(f"more than {MOST_FRAMES} frames")
            else:
                frames[-1][words[0]] = [float(word) for word in words[1:]]
        if not frames:
            raise ValueError("it has no frames")
        local, places = _local_motion(frames, skeleton)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"{name} is no sound AMC clip for this skeleton: {error}") from error
    # a bone starts where its parent ends
    at = skeleton.offsets[np.maximum(skeleton.parents, 0)]
    parents = skeleton.parents.tolist()
    return perform(skeleton.names, parents, at, skeleton.offsets, local, places, frame_rate)


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


def read_clip(source: Path, clip: str, skeleton: str, frame_rate: float = 120.0) -> Performance:
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
