"""C3D export (c3d.org), one file per person: markers for programs of biomechanics.

Requires the extra `c3d`: ezc3d writes the file, the independent reader `c3d` verifies it. z is up,
as is usual in motion-capture laboratories (POINT:X_SCREEN and Y_SCREEN say so); millimetres unless
another unit is chosen. Markers are marked as missing in frames in which the person was not
measured.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from pymaf_live.body.rotations import about_x
from pymaf_live.errors import OutputError
from pymaf_live.export.markers import marker_names, marker_positions, marker_writer
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.export.world import UNITS_PER_METRE
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array

MAX_FRAMES = 65535
"""Largest number of frames that every reader accepts: the header's field has 16 bits."""
_BLOCK = 512
"""Bytes of the header."""
_POINT_BYTES = 16
"""x, y, z and residual as 32-bit numbers."""
_Z_UP_FROM_Y_UP: Array = about_x(np.pi / 2)


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene; implements `per_person.WriteScene`.

    Raises
    ------
    OutputError
        If ezc3d is not installed, or the motion is longer than the format supports.
    """
    if scene.frames > MAX_FRAMES:
        raise OutputError(f"cannot write {path}: the motion is longer than {MAX_FRAMES} frames")
    try:
        import ezc3d
    except ImportError as error:
        raise OutputError("C3D requires the extra 'c3d': pip install 'pymaf-live[c3d]'") from error
    names = marker_names(scene)
    points = marker_positions(scene) @ _Z_UP_FROM_Y_UP.T * scale
    report_progress(reporter, 0.5)
    content = ezc3d.c3d()
    parameters = content["parameters"]
    parameters["POINT"]["RATE"]["value"] = [float(scene.rate)]
    parameters["POINT"]["UNITS"]["value"] = [options.unit or "mm"]
    parameters["POINT"]["LABELS"]["value"] = list(names)
    parameters["POINT"]["DESCRIPTIONS"]["value"] = [""] * len(names)
    content.add_parameter("POINT", "X_SCREEN", ["+X"])
    content.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    if scene.name:
        content.add_parameter("SUBJECTS", "NAMES", [scene.name])
    homogeneous = np.ones((4, len(names), scene.frames))
    homogeneous[:3] = points.transpose(2, 1, 0)
    content["data"]["points"] = homogeneous
    # ezc3d prints to the terminal where a value is NaN, and marks the point as missing
    content.write(str(path))
    _require_complete(path, len(names) * scene.frames)
    report_progress(reporter, 1.0)


def _require_complete(path: Path, points: int) -> None:
    """Raise the system's error if a file was cut short, which ezc3d does not report."""
    missing = _BLOCK + points * _POINT_BYTES - path.stat().st_size
    if missing > 0:
        with path.open("ab") as file:
            file.write(bytes(missing))
        raise OutputError(f"cannot write {path}: it was cut short")


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read all frames of a file back with the package c3d; implements `per_person.ReadScene`."""
    import c3d

    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = c3d.Reader(file)
            names = tuple(label.strip() for label in reader.point_labels)
            frames = [points for _, points, _ in reader.read_frames()]
            unit = UNITS_PER_METRE[reader.get("POINT:UNITS").string_value.strip()]
            rate = float(reader.point_rate)
    except (OSError, ValueError, KeyError, IndexError, AttributeError, AssertionError) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error
    points = np.asarray(frames, dtype=np.float64)
    # a negative residual marks a missing point
    positions = np.where(points[..., 3:4] < 0, np.nan, points[..., :3]) / unit
    positions = positions @ _Z_UP_FROM_Y_UP
    return ReadBack(rate, len(positions), np.arange(len(positions)), names, positions)


export_c3d = marker_writer(".c3d", write_scene, read_back)
