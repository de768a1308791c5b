"""The batch queue as values to watch: files that wait, run, are done or failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from pymaf_live.export.options import ExportOptions
from ui.state.observable import Observable


class FilePhase(Enum):
    """Where a file stands; the words are a person's."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (FilePhase.DONE, FilePhase.STOPPED, FilePhase.FAILED)


@dataclass(frozen=True)
class BatchFile:
    """One input of the queue."""

    number: int
    """Its own, as long as the queue is."""
    text: str
    """A path, as `open_source` reads it."""
    phase: FilePhase = FilePhase.WAITING
    fraction: float | None = None
    """0..1 while it runs; None where its length is unknown."""
    seconds_left: float | None = None
    """None until that can be told."""
    doing: str = ""
    """What goes on with it, where that is not the film itself."""
    line: str = ""
    """What became of it, or why it failed."""
    files: tuple[Path, ...] = ()
    """Its results."""

    @property
    def name(self) -> str:
        """What a person reads."""
        return Path(self.text).name or self.text


@dataclass
class BatchState:
    """All of the queue."""

    files: Observable[tuple[BatchFile, ...]] = field(
        default_factory=lambda: Observable[tuple[BatchFile, ...]](())
    )
    """In the order in which they are processed."""
    running: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Waiting files are taken one after the other."""
    folder: Observable[Path | None] = field(default_factory=lambda: Observable[Path | None](None))
    """Of the results; chosen once."""
    exports: Observable[tuple[str, ...]] = field(
        default_factory=lambda: Observable[tuple[str, ...]](("bvh", "npz"))
    )
    options: Observable[ExportOptions] = field(default_factory=lambda: Observable(ExportOptions()))
    overlay: Observable[bool] = field(default_factory=lambda: Observable(True))
    """Whether the body is drawn over the pictures as well."""
    force: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Whether results that exist may be replaced."""
