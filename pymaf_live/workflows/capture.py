"""Capture a whole video: every frame, with the best model, as a take of the library."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from pymaf_live.body import Body
from pymaf_live.errors import EndlessSourceError, InputError, Interrupted
from pymaf_live.pipeline.model_selection import body_for_model, most_accurate_model
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import Source, open_source
from pymaf_live.system.reporter import SILENT, Reporter, StepReporter
from pymaf_live.takes.journal import TakeJournal, read_journal
from pymaf_live.takes.library import JOURNAL, TakeEntry, TakeLibrary
from pymaf_live.takes.take import Take
from pymaf_live.types import Frame, FrameResult, SourceFacts
from pymaf_live.workflows.finalize import FinalizeOptions, finalize

_POLL_SECONDS = 0.1
_ESTIMATION_SHARE = 0.95
"""Part of the progress that estimation takes; the rest is smoothing."""


@dataclass(frozen=True)
class CaptureOptions:
    """Model, smoothing and library of a capture."""

    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    """The model 'auto' stands for the most accurate one here: no one waits for a frame."""
    smoothing_strength: float = 0.5
    """Strength 0..1 of the offline smoothing."""
    library: TakeLibrary | None = None
    """The user's by default."""


def capture(path: Path, options: CaptureOptions, reporter: Reporter = SILENT) -> TakeEntry:
    """Measure every frame of a video and add the result to the take library.

    The frames are written to a journal as they are measured. An interrupted capture of the same
    video with the same model is continued behind its last frame; without that, its frames can be
    recovered (`TakeLibrary.unfinished`).

    Parameters
    ----------
    path : Path
    options : CaptureOptions
    reporter : Reporter
        Cancelling it keeps what was captured, to be continued later.

    Returns
    -------
    TakeEntry

    Raises
    ------
    InputError, ModelError, OutputError
        The frames so far stay in the library as an interrupted capture.
    EndlessSourceError
        If the source is live.
    Interrupted
        If the reporter was cancelled.
    """
    library = options.library or TakeLibrary()
    pipeline_options = best_options(options.pipeline)
    body = body_for_model(pipeline_options.model)
    recording = _Recording(library, path, body)
    recording.find_interrupted()
    try:
        _measure(path, pipeline_options, recording, reporter)
    except _OtherModelError:
        # measurements of two models do not mix; those of the other one can still be recovered
        recording = _Recording(library, path, body)
        _measure(path, pipeline_options, recording, reporter)
    if recording.take_id is None:
        raise InputError(f"{path} has no frames")
    return finalize(
        library,
        recording.take_id,
        FinalizeOptions(options.smoothing_strength, body, pipeline_options.legs),
        StepReporter(reporter, _ESTIMATION_SHARE, 1.0),
    )


def _measure(
    path: Path, options: PipelineOptions, recording: _Recording, reporter: Reporter
) -> None:
    """Write the frames of a video that the recording does not have yet."""
    with ExitStack() as run:
        source = open_source(str(path))
        run.callback(source.close)
        facts = source.facts
        if facts.live:
            raise EndlessSourceError(facts.name)
        rest = _LaterFrames(source, recording.last_time)
        pipeline = run.enter_context(Pipeline(rest, options))
        run.callback(recording.close)
        step = StepReporter(reporter, 0.0, _ESTIMATION_SHARE)
        for result in _results(pipeline, reporter):
            recording.add(result, facts, pipeline.model)
            step.progress(_fraction(facts, result, recording.frames), recording.detail)


class _OtherModelError(Exception):
    """The interrupted capture was made with another model."""


class _LaterFrames:
    """The frames of a source after a time; the earlier ones are decoded and dropped."""

    def __init__(self, source: Source, last_time: float) -> None:
        self._source = source
        self._last_time = last_time
        self.facts = source.facts

    @property
    def failures(self) -> list[tuple[str, str]]:
        return self._source.failures

    @property
    def notices(self) -> list[str]:
        return self._source.notices

    def frames(self) -> Iterator[Frame]:
        # decoded from the start: time stamps that are corrected depend on those before
        return (frame for frame in self._source.frames() if frame.time > self._last_time)

    def close(self) -> None:
        self._source.close()


class _Recording:
    """Journal of a capture in the library, created with the first frame."""

    def __init__(self, library: TakeLibrary, path: Path, body: Body) -> None:
        self._library = library
        self._path = path
        self._body = body
        self._journal: TakeJournal | None = None
        self._before: Take | None = None
        """Frames of the interrupted capture."""
        self._first_new_person = 0
        self.take_id: str | None = None
        self.detail = ""

    @property
    def frames(self) -> int:
        return self._journal.frames if self._journal is not None else 0

    @property
    def last_time(self) -> float:
        """Time of the last frame of the interrupted capture."""
        return -math.inf if self._before is None else float(self._before.frame_time[-1])

    def find_interrupted(self) -> None:
        """Continue the interrupted capture of this video if there is a usable one."""
        take_id = self._library.interrupted_capture(self._path)
        if take_id is None:
            return
        try:
            before = read_journal(self._library.folder(take_id) / JOURNAL).take
        except InputError:
            return
        if before.body_sha256 == self._body.sha256:
            self.take_id, self._before = take_id, before
            # the tracker starts anew; `finalize` joins tracks that continue one another
            self._first_new_person = int(before.person.max(initial=0))

    def add(self, result: FrameResult, facts: SourceFacts, model: str) -> None:
        if self._journal is None:
            self._journal = self._open(facts, model)
        shift = self._first_new_person
        raw = tuple(replace(person, id=person.id + shift) for person in result.raw)
        self._journal.add(replace(result, raw=raw))
        total = f" of {facts.frame_count}" if facts.frame_count else ""
        self.detail = f"{self.frames}{total} frames"

    def _open(self, facts: SourceFacts, model: str) -> TakeJournal:
        if self._before is not None and self._before.model != model:
            raise _OtherModelError
        if self.take_id is None:
            self.take_id = self._library.begin(self._path.name, self._path)
            self._library.mark_captured(self.take_id)
        return TakeJournal(
            self._library.folder(self.take_id) / JOURNAL,
            self._body,
            facts,
            model=model,
            smoothing="refine",
            continued=self._before,
        )

    def close(self) -> None:
        """Close the journal; `finalize` makes the take of it, or `recover` after an error."""
        if self._journal is not None:
            self._journal.close(complete=False)


def best_options(options: PipelineOptions) -> PipelineOptions:
    """Return the options with the most accurate model, unless the user chose one."""
    return replace(options, model=most_accurate_model(options.model), smoothing="off")


def _results(pipeline: Pipeline, reporter: Reporter) -> Iterator[FrameResult]:
    while True:
        if reporter.cancelled():
            pipeline.stop()
            raise Interrupted("the capture was cancelled")
        result = pipeline.next_result(_POLL_SECONDS)
        if result is not None:
            yield result
        elif pipeline.ended:
            return


def _fraction(facts: SourceFacts, result: FrameResult, frames: int) -> float | None:
    if facts.duration:
        return min(1.0, max(0.0, result.frame.time / facts.duration))
    return min(1.0, frames / facts.frame_count) if facts.frame_count else None
