"""The batch queue: files that wait, run, or are finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from pymaf_live.export.options import ExportOptions
from pymaf_live.settings import DEFAULTS
from ui.state.observable import Observable
from ui.state.setting import setting


class FilePhase(Enum):
    """Phase of a file; the values are shown to the user."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """True if the file is done, stopped or failed."""
        return self in (FilePhase.DONE, FilePhase.STOPPED, FilePhase.FAILED)


@dataclass(frozen=True)
class BatchFile:
    """One input of the queue."""

    number: int
    """Unique number within the queue, from 1."""
    text: str
    """Path as `open_source` reads it."""
    phase: FilePhase = FilePhase.WAITING
    fraction: float | None = None
    """0..1 while it runs; None if its length is unknown."""
    seconds_left: float | None = None
    """Remaining time; None until it can be estimated."""
    detail: str = ""
    """Current step, such as 'Writing dance.bvh…'; empty while frames are estimated."""
    outcome: str = ""
    """Result, or reason of the failure; one line."""
    files: tuple[Path, ...] = ()
    """Files that were written."""

    @property
    def name(self) -> str:
        """Name for the user."""
        return Path(self.text).name or self.text


def _if_folder(path: Path | None) -> Path | None:
    return path if path is not None and path.is_dir() else None


@dataclass
class BatchState:
    """The queue and its options."""

    files: Observable[tuple[BatchFile, ...]] = field(
        default_factory=lambda: Observable[tuple[BatchFile, ...]](())
    )
    """Files in the order of processing."""
    running: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Waiting files are being processed."""
    folder: Observable[Path | None] = setting("batch_folder", to_state=_if_folder)
    """Folder of the results; None until it is chosen."""
    exports: Observable[tuple[str, ...]] = field(
        default_factory=lambda: Observable[tuple[str, ...]](DEFAULTS.export.formats)
    )
    """Names of the formats to export."""
    options: Observable[ExportOptions] = field(default_factory=lambda: Observable(ExportOptions()))
    overlay: Observable[bool] = field(default_factory=lambda: Observable(True))
    """Also write a video with the body drawn over the images."""
    force: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Replace existing results."""
