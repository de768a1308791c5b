"""Reading exported files again with somebody else's reader."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body import Body, joint_transforms
from pymaf_live.errors import OutputError
from pymaf_live.export.world import SCALE, bone_names, person_motion, world_shift
from pymaf_live.types import Array, Take

_MOST_CHECKED = 48
"""Frames whose joints are compared; bvhio takes some milliseconds for each."""
_TIME_TOLERANCE = 1e-9


def check_bvh(path: Path, take: Take, person: int, body: Body, unit: str) -> float:
    """Read a BVH again with bvhio and compare its joints with the take's.

    All frames' numbers are checked for count and finiteness; joints are compared in the first, the
    last and some frames between (48 in all), which bvhio reads from the file's own lines.

    Parameters
    ----------
    path : Path
        The file.
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
        If the file has another number of frames, another frame time or is no BVH.
    """
    motion = person_motion(take, body, person, world_shift(take, body))
    header, lines = _parts(path)
    count = len(lines)
    if count != len(motion.root):
        raise OutputError(f"{path} holds {count} frames instead of {len(motion.root)}")
    checked = np.unique(np.linspace(0, count - 1, _MOST_CHECKED).round().astype(int))
    try:
        numbers = np.loadtxt(lines, ndmin=2)
        places, names, frame_time = _read_by_bvhio(header, [lines[frame] for frame in checked])
    except (ValueError, SyntaxError, IndexError, KeyError) as error:
        raise OutputError(f"{path} cannot be read again: {error}") from error
    if not np.isfinite(numbers).all():
        raise OutputError(f"{path} has numbers that are not finite")
    if abs(frame_time - float(1 / take.frame_rate)) > _TIME_TOLERANCE:
        raise OutputError(f"{path} has the frame time {frame_time}")
    _, wanted = joint_transforms(body, motion.rotations[checked], motion.rest)
    wanted = wanted + (motion.root[checked] - wanted[:, 0])[:, None]
    if sorted(names) != sorted(bone_names(body)):
        raise OutputError(f"{path} has other joints than the body")
    order = [names.index(name) for name in bone_names(body)]
    return float(np.linalg.norm(places[:, order] / SCALE[unit] - wanted, axis=-1).max())


def _parts(path: Path) -> tuple[list[str], list[str]]:
    """A BVH's lines up to 'Frame Time:', and its frames' lines."""
    with path.open(encoding="ascii") as file:
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
        sample.write_text("\n".join([*header, *frames]) + "\n", encoding="ascii")
        content: Any = bvhio.readAsBvh(str(sample))
    hierarchy = bvhio.convertBvhToHierarchy(content.Root).loadRestPose(recursive=True)
    joints = [entry[0] for entry in hierarchy.layout()]
    places = np.empty((len(frames), len(joints), 3))
    for frame in range(len(frames)):
        hierarchy.loadPose(frame)
        places[frame] = [tuple(joint.PositionWorld) for joint in joints]
    return places, [str(joint.Name) for joint in joints], float(content.FrameTime)
