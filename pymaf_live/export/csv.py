"""CSV: a row for each frame of a person, joints' places and rotations, units in the header."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from pymaf_live.body.rotations import matrix_from_quaternion, quaternion_from_matrix
from pymaf_live.errors import OutputError
from pymaf_live.export.options import ExportOptions, Unit
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array

_HEAD = ("frame", "time_s", "seen")
_ROWS_AT_ONCE = 1000
_OFF = 1e-3
"""Metres between a joint's place and where the rotations put it."""


def header(scene: Scene, unit: Unit) -> list[str]:
    """The names of the columns: x, y, z with their unit, then the quaternion, a joint."""
    columns = list(_HEAD)
    for bone in scene.joint_bones:
        name = scene.bones.names[bone]
        columns += [f"{name}_{axis}_{unit}" for axis in "xyz"]
        columns += [f"{name}_q{part}" for part in "wxyz"]
    return columns


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """As `per_person.WriteScene`."""
    line = "%d,%.9f,%d" + ",%.6f,%.6f,%.6f,%.7f,%.7f,%.7f,%.7f" * len(scene.joint_bones) + "\r\n"
    step = 1 / scene.rate
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(header(scene, options.unit or "m"))
        for start in range(0, scene.frames, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, scene.frames)
            turns = quaternion_from_matrix(scene.rotations[start:stop, scene.joint_bones])
            values = np.concatenate([scene.joints[start:stop] * scale, turns], axis=2)
            values = (np.round(values, 7) + 0.0).reshape(stop - start, -1)  # no '-0'
            for offset, row in enumerate(values.tolist()):
                frame = start + offset
                seen = scene.seen[frame]
                file.write(line % (frame, float(frame * step), seen, *row))
            report_progress(reporter, stop / scene.frames)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """As `per_person.ReadScene`, with Python's csv module; every frame is placed."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            columns = next(rows)
            numbers = np.array([np.array(row, dtype=np.float64) for row in rows])
        times = numbers[:, columns.index("time_s")]
        values = numbers[:, len(_HEAD) :].reshape(len(numbers), -1, 7)
    except (ValueError, IndexError, StopIteration, csv.Error) as error:
        raise OutputError(f"{path} cannot be read again: {error}") from error
    names = tuple(column[: -len("_qw")] for column in columns if column.endswith("_qw"))
    places = values[..., :3] / scale
    off = np.abs(places - _placed(places, values[..., 3:], scene)).max()
    if not off < _OFF:
        raise OutputError(f"{path}: read again, its rotations put joints {off * 1e3:.2f} mm off")
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else float(scene.rate)
    return ReadBack(float(rate), len(times), np.arange(len(times)), names, places)


def _placed(places: Array, quaternions: Array, scene: Scene) -> Array:
    """Joints by the rotations and the bones' lengths alone, from the file's first joint on."""
    bones = scene.joint_bones
    column = {int(bone): index for index, bone in enumerate(bones)}
    turns = matrix_from_quaternion(quaternions)
    found = places.copy()
    for index, bone in enumerate(bones):
        parent = column.get(int(scene.bones.parents[bone]))
        if parent is not None:
            found[:, index] = found[:, parent] + turns[:, parent] @ scene.bones.offsets[bone]
            turns[:, index] = turns[:, parent] @ turns[:, index]
    return found


export_csv = PerPersonWriter(
    suffix=".csv",
    unit="m",
    write=write_scene,
    read=read_back,
    plain_axes=True,  # as the body has them
)
