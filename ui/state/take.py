"""The takes that are kept and the one that is looked at, as values to watch; knows no widgets."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Literal

from pymaf_live.takes.library import StoredTake, TakeEntry, UnfinishedRecording
from ui.state.observable import Observable

CountDown = Literal[0, 3, 5]
PRE_ROLLS = (0.0, 2.0, 5.0, 10.0)
"""Seconds to choose from."""


@dataclass(frozen=True)
class OpenTake:
    """The take that is looked at and edited; every edit makes another."""

    id: str
    stored: StoredTake
    full_size: bool
    """Its pictures are those of the source, not a small copy."""
    pictures: bool
    """There is something to see under the body, and to measure again."""


@dataclass(frozen=True)
class Task:
    """Work on a take that goes on."""

    text: str
    fraction: float
    can_cancel: bool = False


@dataclass(frozen=True)
class Playhead:
    """Which frame of the open take is shown."""

    frame: int = 0
    playing: bool = False


@dataclass
class TakesState:
    """What the window shows of takes."""

    entries: Observable[tuple[TakeEntry, ...]] = field(
        default_factory=lambda: Observable[tuple[TakeEntry, ...]](())
    )
    """Newest first."""
    found: Observable[tuple[UnfinishedRecording, ...]] = field(
        default_factory=lambda: Observable[tuple[UnfinishedRecording, ...]](())
    )
    """Recordings that a fault cut off, to be kept or thrown away."""
    opened: Observable[OpenTake | None] = field(
        default_factory=lambda: Observable[OpenTake | None](None, operator.is_)
    )
    playhead: Observable[Playhead] = field(default_factory=lambda: Observable(Playhead()))
    task: Observable[Task | None] = field(default_factory=lambda: Observable[Task | None](None))
    counting: Observable[int] = field(default_factory=lambda: Observable(0))
    """Whole seconds until the recording begins; 0 while none is counted."""
    boxing: Observable[bool] = field(default_factory=lambda: Observable(False))
    """A box is being drawn over the picture."""
    count_down: Observable[CountDown] = field(default_factory=lambda: Observable[CountDown](0))
    """Seconds before a recording begins; what a person chose."""
    pre_roll: Observable[float] = field(default_factory=lambda: Observable(2.0))
    """Seconds before its beginning that belong to a recording; what a person chose."""
