"""The takes of the library, the open take and the recording."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Literal, get_args

from pymaf_live.takes.doubt import Doubt
from pymaf_live.takes.library import StoredTake, TakeEntry, UnfinishedRecording
from ui.state.observable import Observable
from ui.state.setting import setting

CountDown = Literal[0, 3, 5, 10, 20, 30]
COUNT_DOWNS: tuple[CountDown, ...] = get_args(CountDown)
Smoothing = Literal["refine", "offline", "off"]
"""Processing of the open take's measurement."""
PRE_ROLLS = (0.0, 2.0, 5.0, 10.0)
"""Pre-roll lengths to choose from, seconds."""


@dataclass(frozen=True)
class OpenTake:
    """The open take; every edit makes a new one."""

    id: str
    stored: StoredTake
    full_size: bool
    """Its images are those of the source, not small copies."""
    has_images: bool
    """Images are available, to show and to re-estimate from."""


@dataclass(frozen=True)
class TaskStatus:
    """Background work on a take."""

    text: str
    fraction: float | None
    """0..1; None while it is unknown."""
    can_cancel: bool = False


@dataclass(frozen=True)
class Playhead:
    """Current frame of the open take."""

    frame: int = 0
    playing: bool = False


@dataclass
class TakesState:
    """Takes and recording options."""

    entries: Observable[tuple[TakeEntry, ...]] = field(
        default_factory=lambda: Observable[tuple[TakeEntry, ...]](())
    )
    """Takes of the library, newest first."""
    selected: Observable[tuple[str, ...]] = field(
        default_factory=lambda: Observable[tuple[str, ...]](())
    )
    """Ids of the takes that are selected in the list."""
    interrupted: Observable[tuple[UnfinishedRecording, ...]] = field(
        default_factory=lambda: Observable[tuple[UnfinishedRecording, ...]](())
    )
    """Recordings of interrupted runs, to be recovered or discarded."""
    opened: Observable[OpenTake | None] = field(
        default_factory=lambda: Observable[OpenTake | None](None, operator.is_)
    )
    doubt: Observable[Doubt | None] = field(
        default_factory=lambda: Observable[Doubt | None](None, operator.is_)
    )
    """Confidence over the frames of the open take."""
    span: Observable[tuple[int, int] | None] = field(
        default_factory=lambda: Observable[tuple[int, int] | None](None)
    )
    """First and last frame of the selected span of the open take."""
    playhead: Observable[Playhead] = field(default_factory=lambda: Observable(Playhead()))
    undo_text: Observable[str] = field(default_factory=lambda: Observable(""))
    """Name of the edit that can be undone; empty if there is none."""
    redo_text: Observable[str] = field(default_factory=lambda: Observable(""))
    """Name of the edit that can be redone; empty if there is none."""
    task: Observable[TaskStatus | None] = field(
        default_factory=lambda: Observable[TaskStatus | None](None)
    )
    count_down_left: Observable[int] = field(default_factory=lambda: Observable(0))
    """Whole seconds until the recording starts; 0 while there is no countdown."""
    drawing_box: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The user is drawing a box over the image."""
    count_down: Observable[CountDown] = setting("count_down")
    """Seconds before a recording starts."""
    pre_roll: Observable[float] = setting("pre_roll")
    """Seconds before the start that become part of a recording."""
