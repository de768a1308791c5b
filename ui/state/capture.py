"""Capture of a whole video in the background."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ui.state.observable import Observable


@dataclass(frozen=True)
class CaptureProgress:
    """Progress of the running capture."""

    video: Path
    text: str
    """Current step."""
    fraction: float | None = None
    """0..1; None until it is known."""
    seconds_left: float | None = None
    """Remaining time; None until it can be estimated."""
    stopping: bool = False
    """It has been cancelled and is about to end."""


@dataclass
class CaptureState:
    """The running capture."""

    progress: Observable[CaptureProgress | None] = field(
        default_factory=lambda: Observable[CaptureProgress | None](None)
    )
    """None while nothing is captured."""
