"""What can be looked at, what is looked at next, and what is waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pymaf_live.sources.camera_address import is_camera
from ui.state.observable import Observable


@dataclass(frozen=True)
class SourceChoice:
    """What a person chose to look at."""

    kind: Literal["camera", "stream", "file", "demo"]
    text: str
    """What `open_source` reads: a camera's number or device, a path, an address."""
    title: str
    """What a person reads."""
    modes: tuple[SourceChoice, ...] = ()
    """A camera's other ways to film, titled by size and rate; `text` alone leaves it to us."""

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
        """Whether it goes on by itself: worth waiting for when it is away."""
        return self.kind in ("camera", "stream")


@dataclass(frozen=True)
class FileQueue:
    """Files that were given together and are played one after the other."""

    choices: tuple[SourceChoice, ...] = ()
    at: int = 0

    @property
    def following(self) -> SourceChoice | None:
        """The next one."""
        return self.choices[self.at + 1] if self.at + 1 < len(self.choices) else None

    @property
    def before(self) -> SourceChoice | None:
        """The one before."""
        return self.choices[self.at - 1] if 0 < self.at < len(self.choices) else None


@dataclass
class SourceState:
    """What the window knows of sources beside the one that is open."""

    trouble: Observable[str] = field(default_factory=lambda: Observable(""))
    """Why a camera or stream gives nothing, while it is waited for; empty when all is well."""
    remembered: Observable[str] = field(default_factory=lambda: Observable(""))
    """What was open when the window was last closed, as `open_source` reads it."""
    last: Observable[SourceChoice | None] = field(
        default_factory=lambda: Observable[SourceChoice | None](None)
    )
    """The remembered file or stream, if it is there; cameras are offered by themselves."""
    queue: Observable[FileQueue] = field(default_factory=lambda: Observable(FileQueue()))
