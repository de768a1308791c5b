"""Verification of a written file by reading it back with an independent reader."""

from __future__ import annotations

from collections.abc import Sequence
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
    verify_timing(target, found, scene)
    names = [scene.bones.names[bone] for bone in scene.joint_bones]
    missing = [name for name in scene.bones.names if name not in found.names]
    if missing:
        raise OutputError(f"cannot write {target}: the file reads back without bone {missing[0]}")
    return verify_points(target, found, names, scene.joints[found.checked]), found.rate


def verify_timing(target: Path, found: ReadBack, scene: Scene) -> None:
    """Check the number of frames and the rate that were read from a file.

    Raises
    ------
    OutputError
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


def verify_points(target: Path, found: ReadBack, names: Sequence[str], expected: Array) -> float:
    """Compare the positions that were read from a file with the expected ones.

    Parameters
    ----------
    target : Path
    found : ReadBack
    names : sequence of str
        Names of the K points.
    expected : (N, K, 3) array
        Metres, in the frames that were checked. NaN where a point must be missing.

    Returns
    -------
    float
        Largest distance in metres.

    Raises
    ------
    OutputError
        If points are missing or more than `MAX_JOINT_ERROR_M` off.
    """
    if missing := [name for name in names if name not in found.names]:
        raise OutputError(f"cannot write {target}: the file reads back without {missing[0]}")
    columns = [found.names.index(name) for name in names]
    positions = found.positions[:, columns]
    absent = np.isnan(expected).any(axis=-1)
    if not np.array_equal(absent, np.isnan(positions).any(axis=-1)):
        raise OutputError(f"cannot write {target}: the file reads back with other missing points")
    distance = np.linalg.norm(positions - expected, axis=-1)[~absent]
    error = float(distance.max(initial=0.0))
    if not error < MAX_JOINT_ERROR_M:
        raise OutputError(
            f"cannot write {target}: the file reads back with joints up to {error * 1000:.2f} mm "
            "off"
        )
    return error
