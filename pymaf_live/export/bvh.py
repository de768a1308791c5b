"""BVH export, one file per person (docs/exports.md describes the content)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import OutputError
from pymaf_live.export.euler import continuous_angles
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter, one_person
from pymaf_live.export.readback_check import ReadBack, frames_to_check
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array

_DIGITS = 6
_MIN_TIP_LENGTH = 0.01
"""Shortest end site, metres."""
_DEFAULT_TIP_PART = 0.3
"""Length of an end site relative to its bone, for bones without skin."""
_CHUNK_ROWS = 1000
_POSITION_CHANNELS = "Xposition Yposition Zposition "


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene; implements `per_person.WriteScene`."""
    angles = np.degrees(continuous_angles(scene.rotations, "zxy"))
    report_progress(reporter, 0.3)
    columns = [_root_positions(scene) * scale]
    columns += [angles[:, bone] for bone in bone_order(scene)]
    numbers = np.concatenate(columns, axis=1)
    numbers = np.round(numbers, _DIGITS) + 0.0  # no '-0.000000'
    line = " ".join([f"%.{_DIGITS}f"] * numbers.shape[1]) + "\n"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("HIERARCHY\n")
        file.writelines(text + "\n" for text in _hierarchy(scene, scale))
        # rational rates such as 30000/1001 keep nine digits and more
        file.write(f"MOTION\nFrames: {len(numbers)}\nFrame Time: {float(1 / scene.rate):.12f}\n")
        for start in range(0, len(numbers), _CHUNK_ROWS):
            rows = numbers[start : start + _CHUNK_ROWS].tolist()
            file.writelines(line % tuple(row) for row in rows)
            report_progress(reporter, 0.3 + 0.7 * (start + len(rows)) / len(numbers))


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read a file back with bvhio; implements `per_person.ReadScene`.

    All numbers of the file are checked for being finite. Joint positions are computed for the
    first, the last and some frames between, because bvhio takes milliseconds per frame.
    """
    header, lines = _split(path)
    checked = frames_to_check(len(lines))
    try:
        for start in range(0, len(lines), _CHUNK_ROWS):
            if not np.isfinite(np.loadtxt(lines[start : start + _CHUNK_ROWS], ndmin=2)).all():
                raise OutputError(f"{path} contains numbers that are not finite")
        positions, names, frame_time = _read_with_bvhio(header, [lines[f] for f in checked])
    except (ValueError, SyntaxError, IndexError, KeyError, UnicodeError) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error
    return ReadBack(1 / frame_time, len(lines), checked, tuple(names), positions / scale)


def _root_positions(scene: Scene) -> Array:
    """Return the positions (N, 3) of the first bone, which carries all translation.

    Many programs ignore positions of other bones.
    """
    if scene.hips is None:
        return scene.root
    # the first bone has the world's axes and does not rotate
    return np.asarray(scene.root + scene.hips - scene.bones.offsets[scene.bones.hips])


def bone_order(scene: Scene) -> list[int]:
    """Return the bones in depth-first order, which is the order of BVH's channels."""
    parents = scene.bones.parents
    children: list[list[int]] = [[] for _ in parents]
    for bone, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(bone)
    order, stack = [], [0]
    while stack:
        bone = stack.pop()
        order.append(bone)
        stack.extend(reversed(children[bone]))
    return order


def _hierarchy(scene: Scene, scale: float) -> list[str]:
    names, parents = scene.bones.names, scene.bones.parents
    offsets = scene.bones.offsets

    def lines(bone: int, depth: int) -> list[str]:
        tab, inner = "\t" * depth, "\t" * (depth + 1)
        positions = "" if bone else _POSITION_CHANNELS
        # some readers add the root's offset to its position channels and some do not; with an
        # offset of zero they agree
        offset = offsets[bone] if bone else np.zeros(3)
        block = [
            f"{tab}{'ROOT' if parents[bone] < 0 else 'JOINT'} {names[bone]}",
            f"{tab}{{",
            f"{inner}OFFSET {_numbers(offset * scale)}",
            f"{inner}CHANNELS {6 if positions else 3} {positions}Zrotation Xrotation Yrotation",
        ]
        children = np.flatnonzero(parents == bone)
        for child in children:
            block += lines(int(child), depth + 1)
        if not len(children):
            tip = _numbers(_end_site(scene, bone) * scale)
            block += [f"{inner}End Site", f"{inner}{{", f"{inner}\tOFFSET {tip}", f"{inner}}}"]
        return [*block, f"{tab}}}"]

    return lines(0, 0)


def _end_site(scene: Scene, bone: int) -> Array:
    """Return the offset (3,) of a leaf bone's tip: as far along it as its own skin reaches."""
    bones = scene.bones
    position, parent = bones.rest_position[bone], int(bones.parents[bone])
    vector = position - bones.rest_position[parent] if parent >= 0 else np.array([0.0, 1.0, 0.0])
    length = float(np.linalg.norm(vector))
    direction = vector / length if length > 0 else np.array([0.0, 1.0, 0.0])
    skin = np.flatnonzero(scene.body.skin_weights.argmax(axis=1) == bones.joint[bone])
    reach = _DEFAULT_TIP_PART * length
    if len(skin):
        reach = float(((scene.vertices[skin] - position) @ direction).max())
    return np.asarray(direction * max(reach, _MIN_TIP_LENGTH))


def _numbers(values: Array) -> str:
    return " ".join(f"{value:.{_DIGITS}f}" for value in np.round(values, _DIGITS) + 0.0)


def _split(path: Path) -> tuple[list[str], list[str]]:
    """Return the lines of a file up to 'Frame Time:', and one line per frame."""
    with path.open(encoding="utf-8") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("Frame Time:"):
            frames = [frame for frame in lines[number + 1 :] if frame.strip()]
            return lines[: number + 1], frames
    raise OutputError(f"{path} contains no motion")


def _read_with_bvhio(header: list[str], frames: list[str]) -> tuple[Array, list[str], float]:
    import bvhio

    header = [f"Frames: {len(frames)}" if line.startswith("Frames:") else line for line in header]
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.bvh"
        sample.write_text("\n".join([*header, *frames]) + "\n", encoding="utf-8")
        content: Any = bvhio.readAsBvh(str(sample))
    hierarchy = bvhio.convertBvhToHierarchy(content.Root).loadRestPose(recursive=True)
    joints = [entry[0] for entry in hierarchy.layout()]
    positions = np.empty((len(frames), len(joints), 3))
    for frame in range(len(frames)):
        hierarchy.loadPose(frame)
        positions[frame] = [tuple(joint.PositionWorld) for joint in joints]
    return positions, [str(joint.Name) for joint in joints], float(content.FrameTime)


export_bvh = PerPersonWriter(
    suffix=".bvh",
    unit="cm",
    write=one_person(write_scene),
    read=read_back,
    plain_axes=True,  # BVH has no rest rotations
)
