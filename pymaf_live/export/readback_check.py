"""Whether a file that was just written says what it should, by somebody else's reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pymaf_live.body.model import Ints
from pymaf_live.errors import OutputError
from pymaf_live.export.scene import Scene
from pymaf_live.types import Array

GREATEST_ERROR = 1e-3
"""Metres; a file whose joints lie farther off when read again is not kept."""
_RATE_TOLERANCE = 2e-6
"""Relative; 29.97 and 30 differ by 1e-3, FBX names the first 29.97, and 32-bit times leave 1e-7."""
_MOST_CHECKED = 48


@dataclass(frozen=True)
class ReadAgain:
    """What an independent reader found in a file."""

    rate: float
    """Frames a second."""
    frames: int
    """In the whole file."""
    checked: Ints
    """(K,) the frames that `places` are of."""
    names: tuple[str, ...]
    """Of the bones, in the file's order."""
    places: Array
    """(K, B, 3) m, where the file's own kinematics put the bones."""


def frames_to_check(frames: int) -> Ints:
    """The first, the last and some frames between, for readers that take long."""
    return np.unique(np.linspace(0, frames - 1, _MOST_CHECKED).round().astype(int))


def judged(target: Path, found: ReadAgain, scene: Scene) -> tuple[float, float]:
    """Compare what was read with what was to be written.

    Parameters
    ----------
    target : Path
        The file's final name, for the message.
    found : ReadAgain
    scene : Scene

    Returns
    -------
    error : float
        Greatest distance of a joint in metres.
    rate : float
        Frames a second, as read.

    Raises
    ------
    OutputError
        If the joints lie more than a millimetre off, or the rate or the number of frames is wrong.
    """
    if found.frames != scene.frames:
        raise OutputError(
            f"cannot write {target}: read again, it holds {found.frames} frames instead of "
            f"{scene.frames}"
        )
    if not abs(found.rate / float(scene.rate) - 1) < _RATE_TOLERANCE:
        raise OutputError(
            f"cannot write {target}: read again, it runs at {found.rate:.6g} frames a second "
            f"instead of {float(scene.rate):.6g}"
        )
    missing = [name for name in scene.bones.names if name not in found.names]
    if missing:
        raise OutputError(f"cannot write {target}: read again, it lacks the bone {missing[0]}")
    columns = [found.names.index(scene.bones.names[bone]) for bone in scene.joint_bones]
    distance = np.linalg.norm(found.places[:, columns] - scene.joints[found.checked], axis=-1)
    error = float(distance.max())
    if not error < GREATEST_ERROR:  # not a number is no pass
        raise OutputError(
            f"cannot write {target}: read again, its joints lie up to {error * 1000:.2f} mm off"
        )
    return error, found.rate
