"""Record or stream a live source without a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import InputError, OutputError, OutputExistsError, PymafLiveError, UsageError
from pymaf_live.export.options import ExportOptions
from pymaf_live.pipeline.background_stage import BackgroundStage, StageClosedError
from pymaf_live.pipeline.health import Health
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.streaming import Address, LiveStream, StreamTarget, TrackerMerger, VmcInput
from pymaf_live.system.atomic_write import exists
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.takes.library import TakeLibrary
from pymaf_live.takes.take import Take
from pymaf_live.types import FrameResult
from pymaf_live.workflows.export import (
    ExportRequest,
    ExportResult,
    LateCancelReporter,
    export,
)
from pymaf_live.workflows.recoverable import RecoverableRecording

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.sources import Source

_POLL_SECONDS = 0.1
_QUEUE_LENGTH = 8
"""Results that may wait for the disk; inference then waits with them."""


@dataclass(frozen=True)
class RecordOptions:
    """File to record, addresses to stream to, and the estimation."""

    file: Path | None = None
    """File to write when the recording ends; the ending selects the format. None records nothing:
    a stream may run for days."""
    streams: tuple[StreamTarget, ...] = ()
    """Receivers to stream to; of several of one protocol, each receives another person."""
    inputs: tuple[Address, ...] = ()
    """Addresses at which other trackers' heads and hands are received over VMC, the most important
    first."""
    seconds: float | None = None
    """Duration by the source's time stamps; None: until the source ends or the user cancels."""
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    export_options: ExportOptions = field(default_factory=ExportOptions)
    force: bool = False
    """Replace an existing file."""
    library: TakeLibrary | None = None
    """Take library that holds the recording until the file is written; None: the user's."""

    def __post_init__(self) -> None:
        if self.file is None and not self.streams:
            raise UsageError("nothing to do: neither a file nor a streaming address is given")
        addresses = [target.address for target in self.streams]
        if len(set(addresses)) < len(addresses):
            raise UsageError("two streams cannot have one address; give each a port")


@dataclass(frozen=True)
class StreamFigures:
    """Figures of one stream."""

    target: StreamTarget
    sent: int
    """Poses sent."""
    lost: int
    """Poses that could not be sent."""
    failure: str
    """Reason why the last packets could not be sent; empty where they were."""


@dataclass(frozen=True)
class RecordResult:
    """Outcome of a recording."""

    frames: int
    """Frames estimated."""
    seconds: float
    """Time between the first and the last frame."""
    take: Take | None
    """None if nothing was recorded."""
    exported: ExportResult | None
    """None if nothing was recorded."""
    streams: tuple[StreamFigures, ...]
    health: Health
    notices: tuple[str, ...] = ()
    failure: PymafLiveError | None = None
    """Error that ended the recording early; what came before is saved."""


def require_recordable(options: RecordOptions) -> None:
    """Check before the work that the file can be written.

    Raises
    ------
    UsageError
        If the ending belongs to no format.
    OutputExistsError
        If the file exists and `options.force` is false.
    OutputError
        If its folder does not exist.
    """
    from pymaf_live.export.formats import format_for_path

    file = options.file
    if file is None:
        return
    format_for_path(file)
    if exists(file) and not options.force:
        raise OutputExistsError(file)
    if not file.parent.is_dir():
        raise OutputError(f"the folder {file.parent} does not exist")


def record(source: Source, options: RecordOptions, reporter: Reporter = SILENT) -> RecordResult:
    """Record a source to a file, stream it, or both, until it ends or the user cancels.

    Parameters
    ----------
    source : Source
        A camera or stream; a video is played at its own rate, as if it were live. Closed at the
        end.
    options : RecordOptions
    reporter : Reporter
        Cancelling ends the recording and saves it.

    Returns
    -------
    RecordResult
        With `failure` where an error ended the recording after its first frame.

    Raises
    ------
    UsageError, OutputError
        See `require_recordable`; nothing is opened then.
    InputError
        If no frame arrived.
    OutputError
        If the file cannot be written; the recording can then be recovered.
    """
    from pymaf_live.pipeline.model_selection import body_for_model
    from pymaf_live.sources import paced

    with ExitStack() as run:
        run.callback(source.close)
        require_recordable(options)
        live = paced(source)
        body = body_for_model(options.pipeline.model)
        frames = _FrameCounter()
        recording = run.enter_context(
            RecoverableRecording(
                body,
                live.facts,
                options.pipeline.smoothing,
                options.library,
                repeatable=False,
                legs=options.pipeline.legs,
            )
        )
        pipeline = Pipeline(live, _pipeline_options(options))
        run.callback(pipeline.close)
        pipeline.subscribe(frames.add)
        journal: _JournalThread | None = None
        if options.file is not None:
            journal = _JournalThread(recording, pipeline)
            run.callback(journal.close)
            pipeline.set_recorder(journal.add)
        _open_inputs(body, options.inputs, pipeline, run)
        streams = _open_streams(body, options.streams, pipeline, run, reporter)
        failure = _run(pipeline, frames, options.seconds, reporter)
        if journal is not None:
            failure = journal.finish() or failure
        health = pipeline.health
        for stream in streams:
            stream.close()
        take = recording.take()
        exported = None
        if take is not None and options.file is not None:
            request = ExportRequest((options.file,), options.export_options, force=options.force)
            exported = export(take, request, LateCancelReporter(reporter))
        if failure is not None and not frames.count:
            raise failure
    if not frames.count:
        raise InputError(f"{source.facts.name} delivered no frames; nothing was recorded or sent")
    return RecordResult(
        frames.count,
        frames.seconds,
        take,
        exported,
        _stream_figures(options, streams),
        health,
        (*health.notices, *([recording.notice] if recording.notice else [])),
        failure,
    )


def _open_streams(
    body: Body,
    targets: tuple[StreamTarget, ...],
    pipeline: Pipeline,
    run: ExitStack,
    reporter: Reporter,
) -> list[LiveStream]:
    """Open the streams and feed them with the pipeline's results; `run` closes them."""
    streams = []
    protocols = [target.protocol for target in targets]
    for index, target in enumerate(targets):
        stream = target.open(body)
        run.callback(stream.close)
        if protocols.count(target.protocol) > 1:
            stream.select_person(1 + protocols[:index].count(target.protocol))
        if stream.url:
            reporter.message(f"the body is shown at {stream.url}")
        pipeline.subscribe(stream.send)
        streams.append(stream)
    return streams


def _open_inputs(
    body: Body, addresses: tuple[Address, ...], pipeline: Pipeline, run: ExitStack
) -> None:
    """Merge the heads and hands of other trackers into the pipeline's results."""
    inputs = []
    for address in addresses:
        inputs.append(VmcInput(address))
        run.callback(inputs[-1].close)
    if inputs:
        pipeline.transform = TrackerMerger(body, inputs).merge


def _stream_figures(options: RecordOptions, streams: list[LiveStream]) -> tuple[StreamFigures, ...]:
    return tuple(
        StreamFigures(target, stream.sent, stream.lost, stream.failure)
        for target, stream in zip(options.streams, streams, strict=True)
    )


def _people_streamed(options: RecordOptions) -> int:
    """Return the number of people that different streams of one protocol need."""
    protocols = [target.protocol for target in options.streams]
    return max((protocols.count(each) for each in protocols), default=1)


def _pipeline_options(options: RecordOptions) -> PipelineOptions:
    pipeline = options.pipeline
    if _people_streamed(options) > 1:
        return replace(pipeline, people=max(pipeline.people or 1, _people_streamed(options)))
    return pipeline


def _run(
    pipeline: Pipeline, frames: _FrameCounter, seconds: float | None, reporter: Reporter
) -> PymafLiveError | None:
    """Run until the end, the duration or a cancellation; return the error that ended it early."""
    pipeline.start()
    try:
        while not reporter.cancelled():
            result = pipeline.next_result(_POLL_SECONDS)
            if result is None and pipeline.ended:
                break
            if seconds is not None and frames.seconds >= seconds:
                break
            fraction = None if seconds is None else min(1.0, frames.seconds / seconds)
            reporter.progress(
                fraction, f"{frames.count} frames, {pipeline.health.fps:.1f} frames/s"
            )
    except PymafLiveError as error:
        # what was recorded before the camera failed is saved all the same
        return error
    finally:
        pipeline.close()
    return None


class _FrameCounter:
    """Number of frames so far and their time span."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._start = 0.0

    def add(self, result: FrameResult) -> None:
        self._start = self._start if self.count else result.frame.time
        self.count += 1
        self.seconds = result.frame.time - self._start


class _JournalThread:
    """Writes results to the journal beside the inference thread, which must not wait for a disk."""

    def __init__(self, recording: RecoverableRecording, pipeline: Pipeline) -> None:
        self._recording = recording
        self._pipeline = pipeline
        self._stage: BackgroundStage[FrameResult] = BackgroundStage(
            "record", self._open, capacity=_QUEUE_LENGTH
        )

    def add(self, result: FrameResult) -> None:
        """Queue a result; called in the inference thread.

        Raises
        ------
        PymafLiveError
            The error that ended the recording, such as a changed frame size or a full disk.
        """
        with suppress(StageClosedError):
            self._stage.put(result)

    def finish(self) -> PymafLiveError | None:
        """Wait until everything is written; return the error that ended the recording early."""
        try:
            self._stage.finish()
        except PymafLiveError as error:
            return error
        return None

    def close(self) -> None:
        self._stage.close()

    @contextmanager
    def _open(self) -> Iterator[Callable[[FrameResult], None]]:
        yield lambda result: self._recording.add(result, self._pipeline.model)
