"""Verification of a written file by reading it back with an independent reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pymaf_live.errors import OutputError
from pymaf_live.export.scene import Scene
from pymaf_live.types import Array, Ints

MAX_JOINT_ERROR_M = 1e-3
"""Largest accepted distance, in metres, between a joint of the file and of the motion."""
_RATE_TOLERANCE = 2e-6
"""Relative. 29.97 and 30 differ by 1e-3; 32-bit times leave an error of 1e-7."""
_MAX_CHECKED_FRAMES = 48


@dataclass(frozen=True)
class ReadBack:
    """Content of a file according to an independent reader."""

    rate: float
    """Frames per second."""
    frames: int
    """Number of frames in the whole file."""
    checked: Ints
    """(K,) indices of the frames in `positions`."""
    names: tuple[str, ...]
    """Names of the bones, in the file's order."""
    positions: Array
    """(K, B, 3) m, positions of the bones by the file's own kinematics."""


def frames_to_check(frames: int) -> Ints:
    """Return the first, the last and some frames between, for slow readers."""
    return np.unique(np.linspace(0, frames - 1, _MAX_CHECKED_FRAMES).round().astype(int))


def verify_readback(target: Path, found: ReadBack, scene: Scene) -> tuple[float, float]:
    """Compare what was read from a file with the scene that was written.

    Parameters
    ----------
    target : Path
        Final name of the file, for the message.
    found : ReadBack
    scene : Scene

    Returns
    -------
    error : float
        Largest distance of a joint in metres.
    rate : float
        Frames per second as read.

    Raises
    ------
    OutputError
        If joints are more than `MAX_JOINT_ERROR_M` off, or the rate, the number of frames or the
        bones differ.
    """
    if found.frames != scene.frames:
        raise OutputError(
            f"cannot write {target}: the file reads back with {found.frames} frames instead of "
            f"{scene.frames}"
        )
    if not abs(found.rate / float(scene.rate) - 1) < _RATE_TOLERANCE:
        raise OutputError(
            f"cannot write {target}: the file reads back at {found.rate:.6g} frames per second "
            f"instead of {float(scene.rate):.6g}"
        )
    missing = [name for name in scene.bones.names if name not in found.names]
    if missing:
        raise OutputError(f"cannot write {target}: the file reads back without bone {missing[0]}")
    columns = [found.names.index(scene.bones.names[bone]) for bone in scene.joint_bones]
    distance = np.linalg.norm(found.positions[:, columns] - scene.joints[found.checked], axis=-1)
    error = float(distance.max())
    if not error < MAX_JOINT_ERROR_M:  # also fails for NaN
        raise OutputError(
            f"cannot write {target}: the file reads back with joints up to {error * 1000:.2f} mm "
            "off"
        )
    return error, found.rate
