"""BVH: one file a person; docs/bvh.md says what is in it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from pymaf_live.atomic import make_folder, written_whole
from pymaf_live.body import Body
from pymaf_live.errors import OutputError
from pymaf_live.export.euler import continuous_zxy
from pymaf_live.export.options import Exported, ExportOptions, Unit, Watch
from pymaf_live.export.verify import check_bvh
from pymaf_live.export.world import (
    SCALE,
    WorldMotion,
    bone_names,
    people_of,
    person_motion,
    world_shift,
)
from pymaf_live.take_file import require_body
from pymaf_live.types import Array, Take

GREATEST_ERROR = 1e-3
"""Metres; a file whose joints lie farther off when read again is not kept."""

_DIGITS = 6
_LEAST_TIP = 0.01
_TIP_PART = 0.3
_log = logging.getLogger(__name__)


def write_bvh(
    take: Take, body: Body, path: Path, *, unit: Unit = "cm", force: bool = False
) -> list[Path]:
    """Write a BVH file for every person of a take.

    The person with the most frames gets `path`; another with id 3 gets ``name_person3.bvh``. Every
    file is read again by an independent reader (`verify.check_bvh`) before it gets its name.

    Parameters
    ----------
    take : Take
    body : Body
        The one the take was made with.
    path : Path
        Name of the first file; its folder is made.
    unit : {'cm', 'm'}
        Of offsets and places.
    force : bool
        Whether existing files may be replaced.

    Returns
    -------
    list of Path
        The files written; empty, with a line in the log, where the take has nobody in it.

    Raises
    ------
    InputError
        If the take was made with another body.
    OutputError
        If a file cannot be written, exists without `force`, or does not pass its check.
    """
    require_body(take, body)
    people = people_of(take)
    if not people:
        _log.warning("nobody was seen in %s: no BVH written", take.source)
        return []
    paths = [path] + [
        path.with_name(f"{path.stem}_person{person}{path.suffix}") for person in people[1:]
    ]
    for target in paths:  # before the work, and so that it is all of them or none
        if target.exists() and not force:
            raise OutputError(f"{target} exists already; add --force to replace it")
    make_folder(path.parent)
    shift = world_shift(take, body)
    for person, target in zip(people, paths, strict=True):
        motion = person_motion(take, body, person, shift)
        with written_whole(target, force=force) as temporary:
            _write(temporary, motion, body, SCALE[unit])
            error = check_bvh(temporary, take, person, body, unit)
            if not error < GREATEST_ERROR:
                raise OutputError(
                    f"cannot write {target}: read again, its joints lie up to "
                    f"{error * 1000:.2f} mm off"
                )
    return paths


def export_bvh(
    take: Take, body: Body, path: Path, options: ExportOptions, *, force: bool, watch: Watch
) -> list[Exported]:
    """As `formats.Writer`."""
    files = write_bvh(take, body, path, unit=options.unit or "cm", force=force)
    watch(1.0)
    return [Exported(file) for file in files]


def joint_order(body: Body) -> list[int]:
    """Joints depth first, as BVH's channels come."""
    children: list[list[int]] = [[] for _ in body.parents]
    for joint, parent in enumerate(body.parents):
        if parent >= 0:
            children[parent].append(joint)
    order, waiting = [], [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(children[joint]))
    return order


def _write(path: Path, motion: WorldMotion, body: Body, scale: float) -> None:
    order = joint_order(body)
    angles = np.degrees(continuous_zxy(motion.rotations))[:, order]
    numbers = np.concatenate([motion.root * scale, angles.reshape(len(angles), -1)], axis=1)
    numbers = np.round(numbers, _DIGITS) + 0.0  # no '-0.000000'
    with path.open("w", encoding="ascii", errors="replace", newline="\n") as file:
        file.write("HIERARCHY\n")
        file.writelines(line + "\n" for line in _hierarchy(motion, body, scale))
        # a rational rate such as 30000/1001 keeps nine digits and more
        file.write(f"MOTION\nFrames: {len(numbers)}\nFrame Time: {float(1 / motion.rate):.12f}\n")
        np.savetxt(file, numbers, fmt=f"%.{_DIGITS}f")


def _hierarchy(motion: WorldMotion, body: Body, scale: float) -> list[str]:
    names, parents = bone_names(body), body.parents

    def lines(joint: int, depth: int) -> list[str]:
        tab, inner = "\t" * depth, "\t" * (depth + 1)
        parent = int(parents[joint])
        # some readers add the root's offset to its channels and some do not: at zero they agree
        offset = np.zeros(3) if parent < 0 else motion.rest[joint] - motion.rest[parent]
        places = "Xposition Yposition Zposition " if parent < 0 else ""
        block = [
            f"{tab}{'ROOT' if parent < 0 else 'JOINT'} {names[joint]}",
            f"{tab}{{",
            f"{inner}OFFSET {_numbers(offset * scale)}",
            f"{inner}CHANNELS {6 if parent < 0 else 3} {places}Zrotation Xrotation Yrotation",
        ]
        children = np.flatnonzero(parents == joint)
        for child in children:
            block += lines(int(child), depth + 1)
        if not len(children):
            tip = _numbers(_tip(motion, body, joint) * scale)
            block += [f"{inner}End Site", f"{inner}{{", f"{inner}\tOFFSET {tip}", f"{inner}}}"]
        return [*block, f"{tab}}}"]

    return lines(0, 0)


def _tip(motion: WorldMotion, body: Body, joint: int) -> Array:
    """Where a last bone ends: as far along it as the skin that hangs on it reaches."""
    parent = int(body.parents[joint])
    bone = motion.rest[joint] - motion.rest[parent] if parent >= 0 else np.array([0.0, 1.0, 0.0])
    length = float(np.linalg.norm(bone))
    along = bone / length if length > 0 else np.array([0.0, 1.0, 0.0])
    skin = np.flatnonzero(body.skin_weights.argmax(axis=1) == joint)
    reach = _TIP_PART * length
    if len(skin):
        points = body.template[skin] + body.shape_directions[skin] @ motion.shape
        reach = float(((points - motion.rest[joint]) @ along).max())
    return np.asarray(along * max(reach, _LEAST_TIP))


def _numbers(values: Array) -> str:
    return " ".join(f"{value:.{_DIGITS}f}" for value in np.round(values, _DIGITS) + 0.0)
