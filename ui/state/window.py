"""State of the window: observable values, free of Qt, vispy and the pipeline.

Controllers write what happens (phase, result, figures, messages), widgets write the user's choices
(opacity, skeleton, mirror); canvas and widgets watch both.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

from pymaf_live.body import Body, default_body
from pymaf_live.takes.library import AboutTake
from pymaf_live.types import FrameResult
from ui.state.batch import BatchState
from ui.state.capture import CaptureState
from ui.state.export import ExportState
from ui.state.live_out import LiveOutState
from ui.state.model import ModelState
from ui.state.observable import Observable
from ui.state.people import PeopleState
from ui.state.preferences import PreferencesState
from ui.state.setting import setting
from ui.state.sound import SoundState
from ui.state.source import IMAGE_SUFFIXES, SourceState
from ui.state.source import SourceChoice as SourceChoice
from ui.state.take import TakesState
from ui.state.view import ViewState


class Phase(Enum):
    """Playback phase of the source or take."""

    EMPTY = "no source is open"
    OPENING = "a source and its model are being opened"
    PLAYING = "frames arrive"
    PAUSED = "the frame is held"
    ENDED = "the source has ended; its last frame stays"


class TakePhase(Enum):
    """Phase of the current take."""

    NONE = "there is no take"
    RECORDING = "results are being recorded"
    READY = "the take can be exported"
    EXPORTING = "the take is being written"


@dataclass(frozen=True)
class TakeStatus:
    """Status of the current take: the open one, or the latest recording."""

    phase: TakePhase = TakePhase.NONE
    seconds: float = 0.0
    rows: int = 0
    """Number of people summed over the frames; 0 if no one was recorded."""
    exported: bool = False


def take_status(about: AboutTake) -> TakeStatus:
    """Return the status of a take of the library."""
    return TakeStatus(TakePhase.READY, about.seconds, about.rows, about.exported)


@dataclass(frozen=True)
class Figures:
    """Frame rate, delay and health of the open source."""

    frames_per_second: float = 0.0
    """Rate of the results shown, averaged over the last seconds."""
    delay: float | None = None
    """Milliseconds from a frame leaving the source to its drawing; None before the first one."""
    dropped: int = 0
    """Frames that inference had no time for."""
    unshown: int = 0
    """Results that drawing had no time for; they are recorded all the same."""
    backend: str = ""
    model: str = ""
    """Name and version of the network."""
    precision: str = ""
    """Numeric precision of the network; empty if the back-end does not report it."""
    detector: str = ""
    stages: tuple[tuple[str, float], ...] = ()
    """Name and mean milliseconds per frame of each stage, including drawing."""
    people: int = 0
    notices: tuple[str, ...] = ()
    """Limitations of the pipeline and their causes."""


@dataclass(frozen=True)
class Drawn:
    """The last frame that was drawn."""

    index: int
    """Index of the frame."""
    delay: float
    """Milliseconds from the frame leaving the source."""
    milliseconds: float | None = None
    """Mean drawing time over the last frames; None until it is measured."""


@dataclass(frozen=True)
class Message:
    """Message to the user."""

    severity: Literal["note", "done", "error"]
    text: str
    files: tuple[Path, ...] = ()
    """Files that were written, which can be shown in their folder."""
    take_id: str = ""
    """Take that can be opened; empty for none."""


def video_of(state: WindowState) -> Path | None:
    """Return the video that is open or that the open take was made of; None if there is none."""
    opened, source = state.takes.opened.value, state.source.value
    path: Path | None = None
    if opened is not None:
        path = opened.stored.about.file
    elif source is not None and source.kind in ("file", "demo"):
        path = Path(source.text)
    if path is None or path.suffix.lower() in IMAGE_SUFFIXES or not path.is_file():
        return None
    return path


@dataclass
class WindowState:
    """State of the whole window."""

    phase: Observable[Phase] = field(default_factory=lambda: Observable(Phase.EMPTY))
    preferences: PreferencesState = field(default_factory=PreferencesState)
    sources: SourceState = field(default_factory=SourceState)
    source: Observable[SourceChoice | None] = field(
        default_factory=lambda: Observable[SourceChoice | None](None)
    )
    """The open source."""
    live: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The open source is a camera or a stream, which cannot be paused."""
    cameras: Observable[tuple[SourceChoice, ...] | None] = field(
        default_factory=lambda: Observable[tuple[SourceChoice, ...] | None](None)
    )
    """Cameras of this machine; None while they are being searched."""
    demo: Observable[SourceChoice | None] = field(
        default_factory=lambda: Observable[SourceChoice | None](None)
    )
    """The demo; None if it is not installed."""
    result: Observable[FrameResult | None] = field(
        default_factory=lambda: Observable[FrameResult | None](None, operator.is_)
    )
    """The result to draw."""
    body: Observable[Body] = field(default_factory=lambda: Observable(default_body(), operator.is_))
    """Body of the results: the model's, or that of the open take."""
    drawn: Observable[Drawn | None] = field(default_factory=lambda: Observable[Drawn | None](None))
    """Written by the canvas; None before anything is drawn."""
    take: Observable[TakeStatus] = field(default_factory=lambda: Observable(TakeStatus()))
    figures: Observable[Figures] = field(default_factory=lambda: Observable(Figures()))
    message: Observable[Message | None] = field(
        default_factory=lambda: Observable[Message | None](None)
    )
    opacity: Observable[float] = setting("opacity")
    """Opacity of the mesh over the image, 0..1."""
    skeleton: Observable[bool] = setting("skeleton")
    """Draw the skeleton."""
    mirror: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Mirror the view; recordings are never mirrored."""
    mirror_cameras: Observable[bool] = setting("mirror_cameras")
    """Mirror the view of cameras when they are opened."""
    loop: Observable[bool] = setting("loop")
    """Restart files at their end."""
    capture: CaptureState = field(default_factory=CaptureState)
    speed: Observable[float] = field(default_factory=lambda: Observable(1.0))
    """Speed at which videos and takes are played."""
    report: Observable[str] = field(default_factory=lambda: Observable(""))
    """Text of a report of a problem that has just been collected; empty otherwise."""
    batch: BatchState = field(default_factory=BatchState)
    export: ExportState = field(default_factory=ExportState)
    live_out: LiveOutState = field(default_factory=LiveOutState)
    models: ModelState = field(default_factory=ModelState)
    sound: SoundState = field(default_factory=SoundState)
    people: PeopleState = field(default_factory=PeopleState)
    takes: TakesState = field(default_factory=TakesState)
    view: ViewState = field(default_factory=ViewState)
