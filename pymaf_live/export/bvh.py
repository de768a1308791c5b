"""BVH: one file a person; docs/exports.md says what is in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import OutputError
from pymaf_live.export.euler import continuous_angles
from pymaf_live.export.options import ExportOptions, Unit, Watch, unwatched
from pymaf_live.export.per_person import FileAPerson
from pymaf_live.export.person_motion import finite_rows, people_of, person_motion
from pymaf_live.export.readback_check import ReadAgain, frames_to_check, judged
from pymaf_live.export.scene import Scene, scene_of
from pymaf_live.export.world import SCALE, place
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

_DIGITS = 6
_LEAST_TIP = 0.01
_TIP_PART = 0.3
_ROWS_AT_ONCE = 1000
_PLACES = "Xposition Yposition Zposition "


def write_bvh(
    take: Take, body: Body, path: Path, *, unit: Unit = "cm", force: bool = False
) -> list[Path]:
    """Write a BVH file for every person of a take; as `one_a_person.FileAPerson`."""
    options = ExportOptions(unit=unit)
    done = export_bvh(take, body, path, options, force=force, watch=unwatched)
    return [each.path for each in done]


def check_bvh(path: Path, take: Take, person: int, body: Body, unit: Unit) -> float:
    """Read a BVH that was written with the default options again, with bvhio.

    Parameters
    ----------
    path : Path
    take : Take
        What was written into it.
    person : int
    body : Body
    unit : {'cm', 'm'}
        Of the file.

    Returns
    -------
    float
        Greatest distance in metres between a joint of the file and of the person's mean-shaped
        body in the exports' world.

    Raises
    ------
    OutputError
        If the file has another number of frames, another rate or is no BVH, or if joints lie off.
    """
    take, options = finite_rows(take), ExportOptions(unit=unit)
    motion = person_motion(take, body, person, place(take, body, "ground", people_of(take)[0]))
    scene = scene_of(body, motion, options, plain_axes=True)
    return judged(path, read_again(path, scene, SCALE[unit]), scene)[0]


def write_scene(
    path: Path, scene: Scene, scale: float, watch: Watch, options: ExportOptions
) -> None:
    """As `one_a_person.WriteScene`."""
    moving = dict(scene.moving())
    # some readers add a bone's offset to its channels and some do not: at zero they agree
    columns: list[Array] = []
    angles = np.degrees(continuous_angles(scene.turns, "zxy"))
    watch(0.3)
    for bone in bone_order(scene):
        columns += [moving[bone] * scale] if bone in moving else []
        columns.append(angles[:, bone])
    numbers = np.concatenate(columns, axis=1)
    numbers = np.round(numbers, _DIGITS) + 0.0  # no '-0.000000'
    line = " ".join([f"%.{_DIGITS}f"] * numbers.shape[1]) + "\n"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("HIERARCHY\n")
        file.writelines(text + "\n" for text in _hierarchy(scene, scale))
        # a rational rate such as 30000/1001 keeps nine digits and more
        file.write(f"MOTION\nFrames: {len(numbers)}\nFrame Time: {float(1 / scene.rate):.12f}\n")
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            rows = numbers[start : start + _ROWS_AT_ONCE].tolist()
            file.writelines(line % tuple(row) for row in rows)
            watch(0.3 + 0.7 * (start + len(rows)) / len(numbers))


def read_again(path: Path, scene: Scene, scale: float) -> ReadAgain:
    """As `one_a_person.ReadScene`, with bvhio.

    Every number of the file is checked; joints are placed in the first, the last and some frames
    between, which bvhio, at milliseconds a frame, reads from the file's own lines.
    """
    header, lines = _parts(path)
    checked = frames_to_check(len(lines))
    try:
        for start in range(0, len(lines), _ROWS_AT_ONCE):
            if not np.isfinite(np.loadtxt(lines[start : start + _ROWS_AT_ONCE], ndmin=2)).all():
                raise OutputError(f"{path} has numbers that are not finite")
        places, names, frame_time = _read_by_bvhio(header, [lines[frame] for frame in checked])
    except (ValueError, SyntaxError, IndexError, KeyError, UnicodeError) as error:
        raise OutputError(f"{path} cannot be read again: {error}") from error
    return ReadAgain(1 / frame_time, len(lines), checked, tuple(names), places / scale)


def bone_order(scene: Scene) -> list[int]:
    """Bones depth first, as BVH's channels come."""
    parents = scene.bones.parents
    children: list[list[int]] = [[] for _ in parents]
    for bone, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(bone)
    order, waiting = [], [0]
    while waiting:
        bone = waiting.pop()
        order.append(bone)
        waiting.extend(reversed(children[bone]))
    return order


def _hierarchy(scene: Scene, scale: float) -> list[str]:
    names, parents = scene.bones.names, scene.bones.parents
    moving = dict(scene.moving())
    offsets = scene.bones.offsets

    def lines(bone: int, depth: int) -> list[str]:
        tab, inner = "\t" * depth, "\t" * (depth + 1)
        places = _PLACES if bone in moving else ""
        offset = np.zeros(3) if bone in moving else offsets[bone]
        block = [
            f"{tab}{'ROOT' if parents[bone] < 0 else 'JOINT'} {names[bone]}",
            f"{tab}{{",
            f"{inner}OFFSET {_numbers(offset * scale)}",
            f"{inner}CHANNELS {6 if places else 3} {places}Zrotation Xrotation Yrotation",
        ]
        children = np.flatnonzero(parents == bone)
        for child in children:
            block += lines(int(child), depth + 1)
        if not len(children):
            tip = _numbers(_tip(scene, bone) * scale)
            block += [f"{inner}End Site", f"{inner}{{", f"{inner}\tOFFSET {tip}", f"{inner}}}"]
        return [*block, f"{tab}}}"]

    return lines(0, 0)


def _tip(scene: Scene, bone: int) -> Array:
    """Where a last bone ends: as far along it as the skin that hangs on it reaches."""
    bones = scene.bones
    place, parent = bones.rest_place[bone], int(bones.parents[bone])
    way = place - bones.rest_place[parent] if parent >= 0 else np.array([0.0, 1.0, 0.0])
    length = float(np.linalg.norm(way))
    along = way / length if length > 0 else np.array([0.0, 1.0, 0.0])
    skin = np.flatnonzero(scene.body.skin_weights.argmax(axis=1) == bones.joint[bone])
    reach = _TIP_PART * length
    if len(skin):
        reach = float(((scene.vertices[skin] - place) @ along).max())
    return np.asarray(along * max(reach, _LEAST_TIP))


def _numbers(values: Array) -> str:
    return " ".join(f"{value:.{_DIGITS}f}" for value in np.round(values, _DIGITS) + 0.0)


def _parts(path: Path) -> tuple[list[str], list[str]]:
    """A BVH's lines up to 'Frame Time:', and its frames' lines."""
    with path.open(encoding="utf-8") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("Frame Time:"):
            frames = [frame for frame in lines[number + 1 :] if frame.strip()]
            return lines[: number + 1], frames
    raise OutputError(f"{path} has no motion")


def _read_by_bvhio(header: list[str], frames: list[str]) -> tuple[Array, list[str], float]:
    import bvhio

    header = [f"Frames: {len(frames)}" if line.startswith("Frames:") else line for line in header]
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.bvh"
        sample.write_text("\n".join([*header, *frames]) + "\n", encoding="utf-8")
        content: Any = bvhio.readAsBvh(str(sample))
    hierarchy = bvhio.convertBvhToHierarchy(content.Root).loadRestPose(recursive=True)
    joints = [entry[0] for entry in hierarchy.layout()]
    places = np.empty((len(frames), len(joints), 3))
    for frame in range(len(frames)):
        hierarchy.loadPose(frame)
        places[frame] = [tuple(joint.PositionWorld) for joint in joints]
    return places, [str(joint.Name) for joint in joints], float(content.FrameTime)


export_bvh = FileAPerson(
    ending=".bvh",
    unit="cm",
    write=write_scene,
    read=read_again,
    plain_axes=True,  # BVH knows no rotation at rest
)
