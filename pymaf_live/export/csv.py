"""CSV export: one row per frame, joint positions and rotations, units in the header."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from pymaf_live.body.rotations import matrix_from_quaternion, quaternion_from_matrix
from pymaf_live.errors import OutputError
from pymaf_live.export.options import ExportOptions, Unit
from pymaf_live.export.per_person import PerPersonWriter, one_person
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array

_FIRST_COLUMNS = ("frame", "time_s", "seen")
_CHUNK_ROWS = 1000
_MAX_ERROR = 1e-3
"""Largest distance in metres between a joint's position and where the rotations put it."""


def header(scene: Scene, unit: Unit) -> list[str]:
    """Return the column names: for each joint x, y, z with their unit, then the quaternion."""
    columns = list(_FIRST_COLUMNS)
    for bone in scene.joint_bones:
        name = scene.bones.names[bone]
        columns += [f"{name}_{axis}_{unit}" for axis in "xyz"]
        columns += [f"{name}_q{part}" for part in "wxyz"]
    return columns


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene; implements `per_person.WriteScene`."""
    line = "%d,%.9f,%d" + ",%.6f,%.6f,%.6f,%.7f,%.7f,%.7f,%.7f" * len(scene.joint_bones) + "\r\n"
    step = 1 / scene.rate
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(header(scene, options.unit or "m"))
        for start in range(0, scene.frames, _CHUNK_ROWS):
            stop = min(start + _CHUNK_ROWS, scene.frames)
            rotations = quaternion_from_matrix(scene.rotations[start:stop, scene.joint_bones])
            values = np.concatenate([scene.joints[start:stop] * scale, rotations], axis=2)
            values = (np.round(values, 7) + 0.0).reshape(stop - start, -1)  # no '-0'
            for offset, row in enumerate(values.tolist()):
                frame = start + offset
                seen = scene.seen[frame]
                file.write(line % (frame, float(frame * step), seen, *row))
            report_progress(reporter, stop / scene.frames)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read all frames of a file back with the csv module; implements `per_person.ReadScene`.

    Raises
    ------
    OutputError
        If the file cannot be read, or its rotations contradict its positions.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            columns = next(rows)
            numbers = np.array([np.array(row, dtype=np.float64) for row in rows])
        times = numbers[:, columns.index("time_s")]
        values = numbers[:, len(_FIRST_COLUMNS) :].reshape(len(numbers), -1, 7)
    except (ValueError, IndexError, StopIteration, csv.Error) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error
    names = tuple(column[: -len("_qw")] for column in columns if column.endswith("_qw"))
    positions = values[..., :3] / scale
    deviation = np.abs(positions - _forward_kinematics(positions, values[..., 3:], scene)).max()
    if not deviation < _MAX_ERROR:
        raise OutputError(
            f"cannot write {path}: the rotations put joints {deviation * 1e3:.2f} mm off their "
            "positions"
        )
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else float(scene.rate)
    return ReadBack(float(rate), len(times), np.arange(len(times)), names, positions)


def _forward_kinematics(positions: Array, quaternions: Array, scene: Scene) -> Array:
    """Return joint positions from the rotations and bone lengths, starting at the root's."""
    bones = scene.joint_bones
    column = {int(bone): index for index, bone in enumerate(bones)}
    rotations = matrix_from_quaternion(quaternions)
    result = positions.copy()
    for index, bone in enumerate(bones):
        parent = column.get(int(scene.bones.parents[bone]))
        if parent is not None:
            offset = rotations[:, parent] @ scene.bones.offsets[bone]
            result[:, index] = result[:, parent] + offset
            rotations[:, index] = rotations[:, parent] @ rotations[:, index]
    return result


export_csv = PerPersonWriter(
    suffix=".csv",
    unit="m",
    write=one_person(write_scene),
    read=read_back,
    plain_axes=True,  # the axes of the body itself
)
