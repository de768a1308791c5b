"""Helpers of the command-line tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av

from pymaf_live.system.native_logs import is_log_line
from tests.helpers.paths import ROOT

Run = Callable[..., tuple[int, str, list[str]]]
"""`process` with arguments: exit code, stdout, lines of stderr."""


@dataclass(frozen=True)
class Work:
    """Folder with a video, its boxes and a model."""

    folder: Path
    model: Path
    clip: Path
    boxes: Path
    frames: int = 12


def stderr_lines(text: str) -> list[str]:
    """Return the lines of stderr without native logs, which the real program filters itself.

    Also without the note on the camera's pitch: the fake people stand upright in their crops and
    so lean in front of the camera.
    """
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if not is_log_line(line.encode())]
    return [line for line in lines if "corrected the camera" not in line]


def partial_files(folder: Path) -> list[Path]:
    """Return the temporary files that are left in a folder."""
    return [path for path in folder.rglob("*") if ".part" in path.name or ".probe" in path.name]


def frame_count(video: Path) -> int:
    """Return the number of frames in a video."""
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def program(*arguments: object) -> list[str]:
    """Return the command that runs the program in a child process."""
    return [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content)
    return path


def folder_without_images(path: Path) -> Path:
    """Create a folder that holds only a text file."""
    path.mkdir()
    (path / "notes.txt").write_text("no image")
    return path
