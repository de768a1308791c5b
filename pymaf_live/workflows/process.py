"""Process a video, image or folder into an overlay, a take and exports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import EndlessSourceError, OutputError, PymafLiveError
from pymaf_live.export.options import ExportOptions
from pymaf_live.pipeline.health import Health
from pymaf_live.pipeline.model_selection import body_for_model, most_accurate_model
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.settings import DEFAULTS
from pymaf_live.system.reporter import SILENT, Reporter, StepReporter
from pymaf_live.takes.journal import Smoothing
from pymaf_live.takes.legs import rest_note
from pymaf_live.takes.library import TakeLibrary
from pymaf_live.takes.playback import camera_at, people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import BodyStyle, FrameResult, SourceFacts
from pymaf_live.workflows.camera_check import CameraCheck
from pymaf_live.workflows.doubles import notices_about_doubles
from pymaf_live.workflows.export import (
    ExportRequest,
    FootLock,
    LateCancelReporter,
    export,
    export_targets,
)
from pymaf_live.workflows.overlay_writer import OverlayWriter, Renderer
from pymaf_live.workflows.recoverable import RecoverableRecording
from pymaf_live.workflows.result_names import result_stem

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.sources import Source

_POLL_SECONDS = 0.1
_ESTIMATION_SHARE = 0.9
"""Part of the progress that estimation takes where files are exported afterwards."""
_DRAWING_START = 0.85
"""Part of the progress after which a finished take is drawn over its video."""
_REFINEMENT_START = 0.8
"""Part of that after which the finished take is refined."""


@dataclass(frozen=True)
class ProcessOptions:
    """Results to make of a source, and where to write them."""

    out: Path | None = None
    """Folder of the results; None writes no file and only returns the take."""
    name: str = ""
    """Stem of the result files; empty: derived from the source's name."""
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    image_rate: Fraction | None = None
    """Frames per second of images that are one video; used by callers that open the source."""
    insecure: bool = False
    """Accept any certificate of an address; used like `image_rate`."""
    overlay: bool = True
    """Write a video (or images) with the body drawn over the frames."""
    exports: tuple[str, ...] = ("bvh", "npz")
    """Formats to export; keys of `export.formats.FORMATS`."""
    export_options: ExportOptions = field(default_factory=ExportOptions)
    smoothing: Smoothing = "refine"
    """'refine' optimises the finished take as a whole, 'offline' smooths it more quickly; separate
    images are never smoothed."""
    min_seen: float | None = None
    """Seconds for which a person must have been measured; None: 0.5 s or a tenth of the take. Not
    applied to boxes that the user drew."""
    foot_lock: FootLock = "auto"
    """'auto' locks the feet of smoothed takes that clearly stand, 'always' all that seem to."""
    force: bool = False
    """Replace existing files."""
    renderer: Renderer = "auto"
    """Renderer of the overlay."""
    body_style: BodyStyle = DEFAULTS.body_style
    """Appearance of people in the overlay."""
    on_result: Callable[[FrameResult], None] | None = None
    """Called with every result as it arrives."""
    library: TakeLibrary | None = None
    """Take library that holds the recording until the results are written; None: the user's."""


@dataclass
class Summary:
    """Figures of one processed input; small and picklable."""

    input: str
    """Name of the source."""
    name: str
    """Stem of the result files."""
    frames: int = 0
    frames_with_people: int = 0
    people: int = 0
    rows: int = 0
    """Number of people summed over the frames."""
    seconds: float = 0.0
    """Wall time, including the loading of the models."""
    first_result_seconds: float | None = None
    """Time from the start to the first result."""
    files: list[Path] = field(default_factory=list)
    checks: dict[str, dict[str, float]] = field(default_factory=dict)
    """Figures from reading exported files back, by file name: joint_error_mm, rate."""
    notices: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Images that could not be read, and the reason."""
    not_written: list[str] = field(default_factory=list)
    """Names of files that were not written because there are no people."""
    output_errors: list[str] = field(default_factory=list)
    """Results that could not be written, and why; all others were."""
    interrupted: bool = False
    """True if the user stopped the work; the results hold what was done until then."""
    model: str = ""
    """Name and version of the network; empty where it did not run."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Mean time per frame of each stage, including 'draw' and 'write'."""


@dataclass(frozen=True)
class ProcessResult:
    """Take of a processed source, and its figures."""

    take: Take | None
    """None if the source had no frame, or the work was stopped before the first one."""
    summary: Summary


def process(source: Source, options: ProcessOptions, reporter: Reporter = SILENT) -> ProcessResult:
    """Process a source of finite length: overlay, take and exports.

    Parameters
    ----------
    source : Source
        Closed at the end.
    options : ProcessOptions
    reporter : Reporter
        Progress is that of the whole work. Cancelling while frames are estimated turns the frames
        so far into complete results; cancelling while files are exported keeps the complete ones.

    Returns
    -------
    ProcessResult

    Raises
    ------
    EndlessSourceError
        If the source is live.
    InputError, ModelError
        The first error. No incomplete file is left; the frames so far can be recovered from the
        take library (`workflows.recover`).
    OutputError
        If the journal of the frames, or none of the exports, can be written; the frames can then be
        recovered as well. Otherwise a result that cannot be written is listed in the summary
        (`output_errors`), and the others are written.
    """
    started = time.perf_counter()
    facts = source.facts
    summary = Summary(facts.name, options.name or result_stem(facts.name))
    share = _ESTIMATION_SHARE if options.out is not None and options.exports else 1.0
    refinement = share * (_REFINEMENT_START if options.smoothing == "refine" else 1.0)
    again = _second_pass(source, options)
    before = StepReporter(reporter, 0.0, 1.0 if again is None else _DRAWING_START)
    with ExitStack() as run:
        with ExitStack() as estimation:
            estimation.callback(source.close)
            if facts.live:
                raise EndlessSourceError(facts.name)
            # loads the models in its own threads, while the body is loaded here
            settings = _pipeline_options(options, draws=again is None)
            pipeline = estimation.enter_context(Pipeline(source, settings))
            body = _body(options)
            recording = run.enter_context(_recording(body, facts, options))
            overlay = _Overlay(facts, body, summary.name, options, again)
            camera = CameraCheck(facts, wanted=_depends_on_camera(options))
            run.callback(overlay.close)
            progress = _FrameProgress(before, facts, refinement)
            for result in _results(pipeline, reporter, summary):
                elapsed = time.perf_counter() - started
                summary.first_result_seconds = summary.first_result_seconds or elapsed
                if options.on_result is not None:
                    options.on_result(result)
                recording.add(result, pipeline.model)
                overlay.add(result)
                camera.add(result)
                progress.update(result, recording.frames)
            health = pipeline.health
        summary.model = health.model
        summary.notices += [*health.notices, *([recording.notice] if recording.notice else [])]
        summary.failures += source.failures
        finishing = StepReporter(before, refinement, share)
        take = recording.take(finishing, lambda raw: _tidied(raw, options, summary))
        finishing.progress(1.0)
        if take is not None:
            take = _with_locked_feet(camera.mark(take, summary.notices), body, options)
            _add_take(summary, take)
            summary.notices += notices_about_doubles(take)
            late = LateCancelReporter(reporter)
            end = 1.0 if again is None else _DRAWING_START
            failed = _export(take, options, StepReporter(late, end * share, end), summary)
            overlay.draw(take, StepReporter(late, _DRAWING_START, 1.0))
            overlay.finish(summary)
            if failed is not None:
                raise failed
        overlay.add_figures(summary, health)
    summary.seconds = time.perf_counter() - started
    return ProcessResult(take, summary)


def _body(options: ProcessOptions) -> Body:
    return body_for_model(options.pipeline.model)


def _recording(body: Body, facts: SourceFacts, options: ProcessOptions) -> RecoverableRecording:
    return RecoverableRecording(
        body, facts, options.smoothing, options.library, legs=options.pipeline.legs
    )


def _second_pass(source: Source, options: ProcessOptions) -> Callable[[], Source] | None:
    """Return the function that opens the source again for drawing the finished take.

    None where the overlay is drawn while the frames are estimated: what the live filter shows is
    then the result, or the source can be read only once.
    """
    if not options.overlay or options.out is None or source.facts.kind != "video":
        return None
    if options.smoothing not in ("refine", "offline"):
        return None
    again: Callable[[], Source] | None = getattr(source, "again", None)
    return again


def _pipeline_options(options: ProcessOptions, *, draws: bool) -> PipelineOptions:
    # a take smoothed at the end is made of the measurements; an overlay that is drawn while the
    # frames are estimated shows the live filter's people
    draws = draws and options.overlay and options.out is not None
    live = options.smoothing == "live" or (options.smoothing != "off" and draws)
    model = most_accurate_model(options.pipeline.model)
    return replace(options.pipeline, model=model, smoothing="live" if live else "off")


class _Overlay:
    """Overlay of a run, if one is wanted; an error in it does not end the run.

    With `again`, from `_second_pass`, it is drawn at the end instead of while frames arrive.
    """

    def __init__(
        self,
        facts: SourceFacts,
        body: Body,
        name: str,
        options: ProcessOptions,
        again: Callable[[], Source] | None,
    ) -> None:
        self._again = again
        self._writer: OverlayWriter | None = None
        self._error: PymafLiveError | None = None
        self._stopped = False
        if options.overlay and options.out is not None:
            self._writer = OverlayWriter(
                facts,
                body,
                options.out,
                name,
                renderer=options.renderer,
                body_style=options.body_style,
                force=options.force,
            )

    def add(self, result: FrameResult) -> None:
        if self._again is None:
            self._add(result)

    def _add(self, result: FrameResult) -> None:
        if self._writer is None or self._error is not None:
            return
        try:
            self._writer.add(result)
        except PymafLiveError as error:
            self._error = error

    def draw(self, take: Take, reporter: Reporter) -> None:
        """Draw a finished take over the frames of its source, read once more."""
        if self._writer is None or self._again is None:
            return
        count = len(take.frame_time)
        try:
            with closing(self._again()) as source:
                for index, frame in zip(range(count), source.frames(), strict=False):
                    if reporter.cancelled():
                        self._stopped = True
                        return
                    reporter.progress(index / count, "drawing the overlay")
                    people, camera = people_at(take, index), camera_at(take, index)
                    self._add(FrameResult(frame, people, camera=camera))
        except PymafLiveError as error:
            self._error = error

    def finish(self, summary: Summary) -> None:
        """Wait until the overlay is written; add its files, or its error, to the summary."""
        if self._writer is None:
            return
        if self._stopped:
            self._writer.close()
            summary.interrupted = True
            summary.notices.append("stopped; the overlay was not written")
            return
        try:
            if self._error is not None:
                raise self._error
            summary.files[:0] = self._writer.finish()
        except PymafLiveError as error:
            summary.output_errors.append(str(error))

    def add_figures(self, summary: Summary, health: Health) -> None:
        """Add the time of each stage, and the overlay's notices, to the summary."""
        summary.milliseconds = dict(health.milliseconds)
        if self._writer is not None:
            summary.milliseconds |= self._writer.milliseconds
            summary.notices += self._writer.notices

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _results(pipeline: Pipeline, reporter: Reporter, summary: Summary) -> Iterator[FrameResult]:
    while True:
        if reporter.cancelled() and not summary.interrupted:
            summary.interrupted = True
            pipeline.stop()
            if not pipeline.ready:
                return
        result = pipeline.next_result(_POLL_SECONDS)
        if result is not None:
            yield result
        elif pipeline.ended:
            return


class _FrameProgress:
    """Reports how many frames are estimated, and their rate."""

    def __init__(self, reporter: Reporter, facts: SourceFacts, share: float) -> None:
        self._reporter = StepReporter(reporter, 0.0, share)
        self._facts = facts
        self._first: tuple[float, int] | None = None

    def update(self, result: FrameResult, frames: int) -> None:
        now = time.monotonic()
        # from the first frame on: loading the models says nothing about the rate
        since, before = self._first = self._first or (now, frames)
        rate = (frames - before) / (now - since) if now > since else 0.0
        detail = f"{frames} frames, {rate:.1f} frames/s" if rate else f"{frames} frames"
        self._reporter.progress(self._fraction(result, frames), detail)

    def _fraction(self, result: FrameResult, frames: int) -> float | None:
        facts = self._facts
        if facts.duration:
            return min(1.0, max(0.0, result.frame.time / facts.duration))
        return min(1.0, frames / facts.frame_count) if facts.frame_count else None


def _tidied(take: Take, options: ProcessOptions, summary: Summary) -> Take:
    from pymaf_live.tracking.take_tracks import tidy_tracks

    if options.pipeline.boxes is not None:
        return take
    tidy = tidy_tracks(take, options.min_seen)
    if tidy.joined:
        tracks = "1 broken track" if tidy.joined == 1 else f"{tidy.joined} broken tracks"
        summary.notices.append(f"joined {tracks} of people who were lost for a moment")
    if tidy.left_out:
        were = "1 person was" if tidy.left_out == 1 else f"{tidy.left_out} people were"
        summary.notices.append(f"{were} seen only briefly and left out")
    return tidy.take


def _depends_on_camera(options: ProcessOptions) -> bool:
    return options.foot_lock != "never" and options.smoothing != "off"


def _with_locked_feet(take: Take, body: Body, options: ProcessOptions) -> Take:
    from pymaf_live.motion import lock_feet

    if options.smoothing == "off" and options.foot_lock != "always":
        return take
    return lock_feet(take, body, options.foot_lock)


def _add_take(summary: Summary, take: Take) -> None:
    summary.frames = len(take.frame_time)
    summary.rows = len(take.frame)
    summary.people = len(set(take.person.tolist()))
    summary.frames_with_people = len(set(take.frame.tolist()))
    summary.notices += [note for note in [rest_note(take)] if note]


def _export(
    take: Take, options: ProcessOptions, reporter: Reporter, summary: Summary
) -> OutputError | None:
    """Export the take into the formats of `options`; note files and errors in `summary`.

    Returns
    -------
    OutputError or None
        The first error if no file of the take could be written.
    """
    if options.out is None or not options.exports:
        return None
    targets = export_targets(options.out / summary.name, options.exports)
    request = ExportRequest(targets, options.export_options, force=options.force, keep_going=True)
    exported = export(take, request, reporter)
    for file in exported.files:
        summary.files.append(file.path)
        figures = {}
        if file.joint_error is not None:
            figures["joint_error_mm"] = file.joint_error * 1000
        if file.rate is not None:
            figures["rate"] = file.rate
        if figures:
            summary.checks[file.path.name] = figures
        # every format of a take has the same notes: list each once
        summary.notices += [note for note in [file.note] if note not in ["", *summary.notices]]
    summary.not_written += [path.name for path in exported.empty]
    summary.output_errors += [str(error) for _, error in exported.failed]
    if exported.interrupted:
        summary.interrupted = True
        left_out = ", ".join(path.name for path in exported.not_written)
        summary.notices.append(f"stopped; not written: {left_out}")
    if exported.failed and not exported.files and not exported.empty:
        return exported.failed[0][1]
    return None
