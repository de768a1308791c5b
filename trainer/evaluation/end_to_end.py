"""Runs of the whole program for evaluation, and the takes that it writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError, ModelError
from pymaf_live.types import Array

_ENTRY = "import sys; from pymaf_live.cli.app import main; sys.exit(main())"


@dataclass(frozen=True)
class PersonTrack:
    """One tracked person of a take; F rows, one per frame."""

    person: int
    frame: npt.NDArray[np.int64]
    """(F,) rising."""
    joints: Array
    """(F, J, 3) m, camera frame."""
    joints_2d: Array
    """(F, J, 2) frame pixels."""
    rotations_vector: Array
    """(F, J, 3) rad"""


def run_program(
    inputs: Sequence[Path], out: Path, model: Path, options: Sequence[str] = ()
) -> None:
    """Process files into takes, without smoothing and without overlays.

    Parameters
    ----------
    inputs : sequence of Path
    out : Path
        Folder; a take's name is its input's.
    model : Path
        ONNX file.
    options : sequence of str
        Further options of ``main.py process``.

    Raises
    ------
    ModelError
        With the program's own last line, if it failed.
    """
    arguments = ["process", *map(str, inputs), "--out", str(out), "--model", str(model)]
    arguments += ["--smoothing", "off", "--no-overlay", "--export", "npz", *options]
    # in a process of its own: the trainer does not import the program
    finished = subprocess.run(
        [sys.executable, "-c", _ENTRY, *arguments], capture_output=True, text=True, check=False
    )
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["no error message"])[-1]
        raise ModelError(f"the program failed ({finished.returncode}): {last}")


def read_tracks(take: Path) -> list[PersonTrack]:
    """Return the people of a take, without rows that were predicted across gaps.

    Raises
    ------
    InputError
        If there is no such take.
    """
    try:
        with np.load(take, allow_pickle=False) as file:
            rows = ~file["predicted"]
            person, frame = file["person"][rows], file["frame"][rows]
            joints, joints_2d, pose = (
                file[name][rows].astype(np.float64) for name in ("joints", "joints_2d", "pose")
            )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{take} is not a take: {error}") from error
    tracks = []
    for one in sorted(set(person.tolist())):
        mine = np.flatnonzero(person == one)
        mine = mine[np.argsort(frame[mine], kind="stable")]
        tracks.append(
            PersonTrack(
                one, frame[mine].astype(np.int64), joints[mine], joints_2d[mine], pose[mine]
            )
        )
    return tracks
