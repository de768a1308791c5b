"""FBX export (binary 7.4): skeletons, skinned meshes with normals, animation.

A person's name is that of a Null above the bones, which Blender turns into the armature. It has no
attribute of its own, so that importers that climb from bones to parents with one stop at the bones.

The files are read by Blender's importers and ufbx; Unity, Unreal and Autodesk's programs read the
same version. y up, x to the person's left, z forward. Angles are about x, then y, then z (FBX's
default order), in degrees, continuous, relative to the parent bone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import OutputError
from pymaf_live.export.fbx_document import (
    definitions_node,
    documents_node,
    header_nodes,
    settings_node,
    takes_node,
)
from pymaf_live.export.fbx_nodes import Node, write_file
from pymaf_live.export.fbx_objects import SceneObjects
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.readback_check import ReadBack, frames_to_check
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter, StepReporter

_READ_TIMEOUT = 120
"""Seconds."""
_LAST_BLENDER_FRAME = 1_048_574
_STATED_RATE_TOLERANCE = 1e-5
"""Relative: FBX states 23.976 and the like, which are rounded."""


def write_scenes(
    path: Path, scenes: Sequence[Scene], scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write people into one file; implements `per_person.WriteScenes`.

    Parameters
    ----------
    path : Path
    scenes : sequence of Scene
    scale : float
        File units per metre: 1 or 100.
    reporter : Reporter
    options : ExportOptions
        Uses `mesh` and `camera`.

    Raises
    ------
    OutputError
        If the motion is longer than the format supports.
    Interrupted
        If the reporter is cancelled.
    """
    content = SceneObjects(scenes, scale)
    content.add_bones()
    if options.mesh:
        content.add_mesh()
    if options.camera:
        content.add_camera()
    content.add_bind_pose()
    content.add_animation(StepReporter(reporter, 0.0, 0.8))
    top = [
        *header_nodes(),
        settings_node(scenes[0].rate, content.ticks, scale),
        documents_node(),
        Node("References"),
        definitions_node(content.objects),
        content.objects,
        content.connections,
        takes_node(content.ticks),
    ]
    try:
        with path.open("wb") as file:
            write_file(file, top, StepReporter(reporter, 0.8, 1.0))
    except OverflowError as error:
        raise OutputError(f"cannot write {path}: the motion is too long for FBX") from error


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read a file back with ufbx in a separate process; implements `per_person.ReadScene`.

    ufbx's Python module can crash its process on wrong use or a damaged file.
    """
    checked = frames_to_check(scene.frames)
    seconds = [float(frame / scene.rate) for frame in checked]
    try:
        arrays = _read(path, seconds)
        names = tuple(str(name) for name in arrays["names"])
        frames = int(arrays["frames"])
        return ReadBack(_rate(arrays), frames, checked, names, arrays["positions"])
    except (OSError, ValueError, KeyError, EOFError, subprocess.TimeoutExpired) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error


def read_nodes(path: Path, seconds: list[float]) -> dict[str, Any]:
    """Read the nodes of any file at K times, in its units and axes, with ufbx.

    Returns
    -------
    dict
        `names` (B,), `parents` (B,) with -1 at the root, and `positions` (K, B, 3) under the file's
        last animation stack.

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    try:
        return _read(path, seconds, "nodes")
    except (OSError, EOFError, subprocess.TimeoutExpired) as error:
        raise ValueError(str(error)) from error


def _read(path: Path, seconds: list[float], *options: str) -> dict[str, Any]:
    """Return what the reader writes for a file at some times."""
    command = [sys.executable, "-m", "pymaf_live.export.fbx_reader", str(path), *options]
    text = "\n".join(repr(second) for second in seconds)
    process = subprocess.run(
        command, input=text.encode(), capture_output=True, timeout=_READ_TIMEOUT, check=False
    )
    if process.returncode:
        raise ValueError(process.stderr.decode(errors="replace").strip().splitlines()[-1:])
    with np.load(BytesIO(process.stdout), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _rate(arrays: dict[str, Any]) -> float:
    stated, seconds, frames = (float(arrays[name]) for name in ("rate", "seconds", "frames"))
    if frames == 1:
        return stated
    # players use the times of the keys, some importers the stated rate: both must agree
    from_keys = (frames - 1) / seconds
    return from_keys if abs(from_keys / stated - 1) < _STATED_RATE_TOLERANCE else float("nan")


def _rate_note(scene: Scene) -> str:
    """Return a remark on fractional rates; '' for whole ones.

    Blender's importer converts times to frames with the whole rate and plays them at the true one.
    """
    if scene.rate.denominator == 1:
        return ""
    whole = max(round(scene.rate), 1)
    if (scene.frames - 1) / scene.rate * whole >= _LAST_BLENDER_FRAME:
        return f"too long for Blender, whose scenes end at frame {_LAST_BLENDER_FRAME}"
    speed = 100 * float(scene.rate) / whole
    return (
        f"Blender plays this FBX at {speed:.4g} % of its speed: set its scene to {whole} frames "
        f"per second after importing, or export at {whole} frames per second"
    )


export_fbx = PerPersonWriter(
    suffix=".fbx", unit="cm", write=write_scenes, read=read_back, note=_rate_note
)
