"""Sources: the choices, the queue of files, and what is known of sources that are not open."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pymaf_live.sources.camera_address import is_camera
from ui.state.observable import Observable
from ui.state.setting import UNCHANGED, setting

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff")
)
"""Endings of separate images, in small letters."""


@dataclass(frozen=True)
class SourceChoice:
    """A source that can be opened."""

    kind: Literal["camera", "stream", "file", "demo"]
    text: str
    """Argument of `open_source`: camera number or device, path, or address."""
    title: str
    """Name for the user."""
    modes: tuple[SourceChoice, ...] = ()
    """Modes of a camera, titled by size and rate; `text` alone selects one automatically."""

    @classmethod
    def from_path(cls, path: Path) -> SourceChoice:
        """Return a file or folder as a source."""
        return cls("file", str(path), path.name or str(path))

    @classmethod
    def from_text(cls, text: str) -> SourceChoice:
        """Return a source by the text that `open_source` reads: camera number, address or path."""
        if is_camera(text):
            return cls("camera", text, f"Camera {text}")
        if "://" in text:
            return cls("stream", text, text)
        return cls.from_path(Path(text))

    @property
    def live(self) -> bool:
        """True for a source without an end, which is retried when it is away."""
        return self.kind in ("camera", "stream")


@dataclass(frozen=True)
class FileQueue:
    """Files that were opened together and are played one after the other."""

    choices: tuple[SourceChoice, ...] = ()
    index: int = 0
    """Position of the open file."""

    @property
    def next(self) -> SourceChoice | None:
        """File after the open one."""
        return self.choices[self.index + 1] if self.index + 1 < len(self.choices) else None

    @property
    def previous(self) -> SourceChoice | None:
        """File before the open one."""
        return self.choices[self.index - 1] if 0 < self.index < len(self.choices) else None


def _stored_source(owner: Any, choice: SourceChoice | None) -> object:
    if choice is None or choice.kind == "demo":
        return UNCHANGED
    from pymaf_live.sources.stream import without_password  # loads OpenCV

    return without_password(choice.text)


@dataclass(frozen=True)
class Position:
    """Position in the open video."""

    seconds: float
    duration: float


_MAX_RECENT = 10


@dataclass
class SourceState:
    """Sources beside the open one."""

    def add_recent(self, file: Path) -> None:
        """Put a file first among the recent ones."""
        others = [each for each in self.recent_files.value if each != file]
        self.recent_files.set((file, *others)[:_MAX_RECENT])

    outage: Observable[str] = field(default_factory=lambda: Observable(""))
    """Reason why a camera or stream delivers nothing while it is retried; empty if all is well."""
    last_choice: Observable[SourceChoice | None] = setting(
        "source", to_state=SourceChoice.from_text, to_setting=_stored_source, initial=None
    )
    """Source that was opened last, in this run or an earlier one."""
    recent: Observable[SourceChoice | None] = field(
        default_factory=lambda: Observable[SourceChoice | None](None)
    )
    """File or stream of the last run if it is available; cameras are listed anyway."""
    opening: Observable[SourceChoice | None] = field(
        default_factory=lambda: Observable[SourceChoice | None](None)
    )
    """Source that is being opened; what was open before stays until then."""
    position: Observable[Position | None] = field(
        default_factory=lambda: Observable[Position | None](None)
    )
    """Position in the open video; None where there is none to move in."""
    recent_files: Observable[tuple[Path, ...]] = setting("recent_files")
    """Files that were opened last, newest first."""
    queue: Observable[FileQueue] = field(default_factory=lambda: Observable(FileQueue()))
