"""What the window shows, as values to watch; knows no widgets, no vispy and no pipeline.

The controller writes what happens (phase, result, figures, messages), widgets write what a person
chooses about the view (opacity, skeleton, mirror); canvas and widgets watch both.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

from pymaf_live.body import Body, default_body
from pymaf_live.types import FrameResult
from ui.state.batch import BatchState
from ui.state.export import ExportState
from ui.state.live_out import LiveOutState
from ui.state.model import ModelState
from ui.state.observable import Observable
from ui.state.people import PeopleState
from ui.state.preferences import PreferencesState
from ui.state.source import SourceChoice as SourceChoice
from ui.state.source import SourceState
from ui.state.take import TakesState
from ui.state.view import ViewState


class Phase(Enum):
    """Where the playing of a source stands."""

    EMPTY = "no source is open"
    OPENING = "a source and its model are being opened"
    PLAYING = "pictures come"
    PAUSED = "the picture is held"
    ENDED = "the source is through; its last picture stays"


class TakePhase(Enum):
    """Where the recording stands."""

    NONE = "nothing is recorded"
    RECORDING = "every result is added to the take"
    READY = "a take waits to be exported"
    EXPORTING = "the take is being written"


@dataclass(frozen=True)
class TakeStatus:
    """The take in the making or waiting."""

    phase: TakePhase = TakePhase.NONE
    seconds: float = 0.0
    rows: int = 0
    """People times frames; 0 is a take of nobody."""
    exported: bool = False

    @property
    def unsaved(self) -> bool:
        """Whether closing now would lose somebody's motion."""
        busy = self.phase in (TakePhase.RECORDING, TakePhase.READY)
        return busy and not self.exported and self.rows > 0


@dataclass(frozen=True)
class Figures:
    """How fast it goes."""

    frames_per_second: float = 0.0
    """Results shown a second, over the last second or two."""
    delay: float | None = None
    """Milliseconds from a picture's leaving the source to its being drawn; None before that."""
    dropped: int = 0
    """Pictures that the network had no time for."""
    unshown: int = 0
    """Results that the screen had no time for; recorded all the same."""
    backend: str = ""
    model: str = ""
    """The network's name and version."""
    precision: str = ""
    """What the network counts in; empty where that is not told."""
    detector: str = ""
    stages: tuple[tuple[str, float], ...] = ()
    """Mean milliseconds a picture of each stage of the pipeline, and of drawing."""
    people: int = 0
    notices: tuple[str, ...] = ()
    """What the pipeline does without, and why."""


@dataclass(frozen=True)
class Drawn:
    """The last picture that came onto the screen."""

    index: int
    """Of its frame."""
    delay: float
    """Milliseconds from its leaving the source."""
    milliseconds: float | None = None
    """What drawing takes, mean over the last pictures; None until that was timed."""


@dataclass(frozen=True)
class Message:
    """One line for a person."""

    severity: Literal["note", "done", "error"]
    text: str
    files: tuple[Path, ...] = ()
    """What was written, to be shown in its folder."""


@dataclass
class WindowState:
    """All that the window shows."""

    phase: Observable[Phase] = field(default_factory=lambda: Observable(Phase.EMPTY))
    preferences: PreferencesState = field(default_factory=PreferencesState)
    """What a person prefers, whatever the source."""
    sources: SourceState = field(default_factory=SourceState)
    """What else can be looked at, and what is waited for."""
    source: Observable[SourceChoice | None] = field(
        default_factory=lambda: Observable[SourceChoice | None](None)
    )
    live: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The open source is a camera or a stream: it cannot be paused, and it is mirrored."""
    cameras: Observable[tuple[SourceChoice, ...] | None] = field(
        default_factory=lambda: Observable[tuple[SourceChoice, ...] | None](None)
    )
    """None while they are still being looked for."""
    demo: Observable[SourceChoice | None] = field(
        default_factory=lambda: Observable[SourceChoice | None](None)
    )
    """None where the installation has no demo."""
    result: Observable[FrameResult | None] = field(
        default_factory=lambda: Observable[FrameResult | None](None, operator.is_)
    )
    """The newest; the picture on the canvas."""
    body: Observable[Body] = field(default_factory=lambda: Observable(default_body(), operator.is_))
    """Whose shape and joints the results have: the model's, or those of the take looked at."""
    drawn: Observable[Drawn | None] = field(default_factory=lambda: Observable[Drawn | None](None))
    """Written by the canvas; None before anything is drawn."""
    take: Observable[TakeStatus] = field(default_factory=lambda: Observable(TakeStatus()))
    figures: Observable[Figures] = field(default_factory=lambda: Observable(Figures()))
    message: Observable[Message | None] = field(
        default_factory=lambda: Observable[Message | None](None)
    )
    opacity: Observable[float] = field(default_factory=lambda: Observable(0.85))
    """Of the body over the picture, 0..1."""
    skeleton: Observable[bool] = field(default_factory=lambda: Observable(False))
    mirror: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Of the view only: what is recorded is never mirrored."""
    mirror_cameras: Observable[bool] = field(default_factory=lambda: Observable(True))
    """How cameras are shown at first; what a person last chose for one."""
    loop: Observable[bool] = field(default_factory=lambda: Observable(True))
    """Files start again at their end."""
    batch: BatchState = field(default_factory=BatchState)
    """Files that are processed in the background."""
    export: ExportState = field(default_factory=ExportState)
    """What a take can be exported as, and how far that is."""
    live_out: LiveOutState = field(default_factory=LiveOutState)
    """Motion sent to other programs while it happens."""
    models: ModelState = field(default_factory=ModelState)
    """Which models and back-ends there are, and which runs."""
    people: PeopleState = field(default_factory=PeopleState)
    """Who is in the picture, and what a person chose about them."""
    takes: TakesState = field(default_factory=TakesState)
    """The takes that are kept, and the one that is looked at."""
    view: ViewState = field(default_factory=ViewState)
    """What a person chose about the view and the panel beside it."""
