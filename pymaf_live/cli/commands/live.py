"""The command `live`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pymaf_live.cli.option_groups import expand_option_groups
from pymaf_live.cli.options import EstimationOptions, ForceOption
from pymaf_live.cli.output import print_note
from pymaf_live.cli.progress import TerminalReporter, stop_on_signals
from pymaf_live.cli.take_output import write_take_to
from pymaf_live.errors import InputError, OutputError, OutputExistsError, PymafLiveError, UsageError
from pymaf_live.resources import cache_folder

if TYPE_CHECKING:
    from pymaf_live.streaming import Address, VmcStream
    from pymaf_live.types import FrameResult


@expand_option_groups
def live(
    *,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to record into: take.npz or motion.bvh."),
    ] = None,
    vmc: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Stream as VMC, such as to 127.0.0.1:39539 (this machine). Given several times, "
            "each address receives a different person.",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(help="Camera number or device, stream address, or video played live.")
    ] = "0",
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Duration. Default: until Ctrl-C.")
    ] = None,
    smoothing: Annotated[Literal["live", "off"], typer.Option(help="Smooth the motion.")] = "live",
    estimation: EstimationOptions,
    force: ForceOption = False,
) -> int:
    """Record or stream a camera without a window; Ctrl-C stops and saves."""
    from pymaf_live.pipeline.model_selection import body_of_model, given_model
    from pymaf_live.pipeline.options import PipelineOptions
    from pymaf_live.pipeline.pipeline import Pipeline
    from pymaf_live.sources import open_source, paced
    from pymaf_live.streaming import VmcStream
    from pymaf_live.workflows.take_collector import Recording

    if record is None and not vmc:
        raise UsageError("nothing to do; add --record FILE, --vmc HOST:PORT or both")
    if record is not None:
        _require_recordable(record, force=force)
    addresses = _parse_addresses(vmc or ())
    if len(addresses) > 1:
        estimation = replace(estimation, people=max(estimation.people or 1, len(addresses)))
    options = PipelineOptions(
        **{**asdict(estimation), "model": given_model(estimation.model)},
        smoothing=smoothing,
        cache=cache_folder(),
    )
    with stop_on_signals() as stop, ExitStack() as stack:
        opened = paced(open_source(source))
        stack.callback(opened.close)
        body = body_of_model(options.model)
        progress = _StreamProgress()
        recording = Recording(body, opened.facts, smoothing)
        pipeline = Pipeline(opened, options)
        pipeline.subscribe(progress.add)
        if record is not None:  # a stream may run for days, and recorded frames stay in memory
            pipeline.set_recorder(lambda result: recording.add(result, pipeline.model))
        streams = [VmcStream(body, address) for address in addresses]
        for number, stream in enumerate(streams):
            stack.callback(stream.close)
            stream.choose(number if len(streams) > 1 else None)
            pipeline.subscribe(stream.send)
        stack.callback(pipeline.close)
        pipeline.start()
        failure: PymafLiveError | None = None
        try:
            with TerminalReporter(source, stop) as reporter:
                _run_until_done(pipeline, progress, reporter, seconds)
        except PymafLiveError as error:
            # what was recorded before the camera failed is saved all the same
            failure = error
        pipeline.close()
        health = pipeline.health
    _print_streams(streams)
    take = recording.take()
    if record is not None and take is not None:
        write_take_to(take, body, record, force=force)
        print(
            f"{len(take.frame_time)} frames, {len(set(take.person.tolist()))} people, "
            f"{health.fps:.1f} frames/s, {health.dropped} dropped, model {take.model}"
        )
    for notice in health.notices:
        print_note(notice)
    if failure is not None:
        raise failure
    if not progress.frames:
        raise InputError(f"{source} delivered no frames; nothing was recorded or sent")
    return 0


class _StreamProgress:
    """Number of frames so far and their time span."""

    def __init__(self) -> None:
        self.frames = 0
        self.seconds = 0.0
        self._start = 0.0

    def add(self, result: FrameResult) -> None:
        self._start = self._start if self.frames else result.frame.time
        self.frames += 1
        self.seconds = result.frame.time - self._start


def _run_until_done(
    pipeline: Any, progress: _StreamProgress, reporter: TerminalReporter, seconds: float | None
) -> None:
    while not reporter.cancelled():
        result: FrameResult | None = pipeline.next_result(0.1)
        if result is None and pipeline.ended:
            return
        if seconds is not None and progress.seconds >= seconds:
            return
        fraction = None if seconds is None else min(1.0, progress.seconds / seconds)
        reporter.advance(progress.frames, fraction)


def _require_recordable(record: Path, *, force: bool) -> None:
    from pymaf_live.export.formats import format_for_path

    format_for_path(record)
    if record.exists() and not force:
        raise OutputExistsError(record)
    if not record.parent.is_dir():
        raise OutputError(f"the folder {record.parent} does not exist")


def _parse_addresses(texts: Sequence[str]) -> list[Address]:
    from pymaf_live.streaming import parse_address

    addresses = [parse_address(text) for text in texts]
    if len(set(addresses)) < len(addresses):
        raise UsageError("two people cannot be streamed to one address; give each a port")
    return addresses


def _print_streams(streams: Sequence[VmcStream]) -> None:
    for stream in streams:
        print(f"{stream.sent} poses sent to {stream.address}")
        if stream.failure:
            print_note(f"the last packets could not be sent: {stream.failure}")
