"""The command `live`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pymaf_live.cli.option_groups import expand_option_groups
from pymaf_live.cli.options import EstimationOptions, ForceOption, InsecureOption, parse_path
from pymaf_live.cli.output import print_note
from pymaf_live.cli.progress import TerminalReporter, stop_on_signals
from pymaf_live.cli.take_output import print_exported
from pymaf_live.cli.unfinished import print_unfinished_hint
from pymaf_live.errors import UsageError
from pymaf_live.resources import cache_folder

if TYPE_CHECKING:
    from pymaf_live.streaming import Address, StreamTarget
    from pymaf_live.types import StreamProtocol
    from pymaf_live.workflows.record import RecordResult


@dataclass(frozen=True)
class StreamOptions:
    """Receivers of live streams, and other trackers; none by default."""

    vmc: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Stream as VMC, such as to 127.0.0.1:39539 (this machine). Given several times, "
            "each address receives a different person.",
        ),
    ] = None
    vrchat: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Stream VRChat's OSC trackers; usual port 9000."),
    ] = None
    live_link: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Stream JSON to Unreal's Live Link (plugin JSONLiveLink); usual port 54321.",
        ),
    ] = None
    web: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Show the body in a web page of this machine, such as 127.0.0.1:39580.",
        ),
    ] = None
    vmc_in: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Take head and hands from another tracker that sends VMC here, such as to "
            "127.0.0.1:39540. Given several times, the first one that sends has priority.",
        ),
    ] = None

    def inputs(self) -> tuple[Address, ...]:
        """Return the addresses to listen on.

        Raises
        ------
        UsageError
            If a text is not an address.
        """
        from pymaf_live.streaming import DEFAULT_INPUT_PORT, parse_address

        return tuple(parse_address(text, DEFAULT_INPUT_PORT) for text in self.vmc_in or ())

    def targets(self) -> tuple[StreamTarget, ...]:
        """Return the targets of all options.

        Raises
        ------
        UsageError
            If a text is not an address.
        """
        from pymaf_live.streaming import StreamTarget

        texts: dict[StreamProtocol, list[str] | None] = {
            "vmc": self.vmc,
            "vrchat": self.vrchat,
            "live_link": self.live_link,
            "web": self.web,
        }
        return tuple(
            StreamTarget.parse(protocol, text)
            for protocol, given in texts.items()
            for text in given or ()
        )


@expand_option_groups
def live(
    *,
    record: Annotated[
        Path | None,
        typer.Option(
            parser=parse_path, metavar="FILE", help="File to record into: take.npz or motion.bvh."
        ),
    ] = None,
    streaming: StreamOptions,
    source: Annotated[
        str, typer.Option(help="Camera number or device, stream address, or video played live.")
    ] = "0",
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Duration. Default: until Ctrl-C.")
    ] = None,
    smoothing: Annotated[Literal["live", "off"], typer.Option(help="Smooth the motion.")] = "live",
    estimation: EstimationOptions,
    insecure: InsecureOption = False,
    force: ForceOption = False,
) -> int:
    """Record or stream a camera without a window; Ctrl-C stops and saves."""
    from pymaf_live.pipeline.model_selection import resolve_model
    from pymaf_live.pipeline.options import PipelineOptions
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.record import RecordOptions, require_recordable
    from pymaf_live.workflows.record import record as record_source

    targets = streaming.targets()
    if record is None and not targets:
        raise UsageError("nothing to do; add --record FILE, --vmc HOST:PORT or another stream")
    options = RecordOptions(
        file=record,
        streams=targets,
        inputs=streaming.inputs(),
        seconds=seconds,
        pipeline=PipelineOptions(
            **{**asdict(estimation), "model": resolve_model(estimation.model)},
            smoothing=smoothing,
            cache=cache_folder(),
        ),
        force=force,
    )
    require_recordable(options)
    print_unfinished_hint()
    with stop_on_signals() as stop:
        opened = open_source(source, insecure=insecure)
        with TerminalReporter(source, stop) as reporter:
            result = record_source(opened, options, reporter)
    code = _print_result(result)
    if result.failure is not None:
        raise result.failure
    return code


def _print_result(result: RecordResult) -> int:
    """Print what was streamed and recorded, and return the exit code."""
    code = 0
    for stream in result.streams:
        print(f"{stream.sent} poses sent to {stream.target}")
        if stream.lost:
            print_note(f"{stream.lost} poses to {stream.target} were lost")
        if stream.failure:
            print_note(f"the last packets could not be sent: {stream.failure}")
    take = result.take
    if take is not None and result.exported is not None:
        code = print_exported(take, result.exported)
        print(
            f"{len(take.frame_time)} frames, {len(set(take.person.tolist()))} people, "
            f"{result.health.fps:.1f} frames/s, {result.health.dropped} dropped, "
            f"model {take.model}"
        )
    for notice in result.notices:
        print_note(notice)
    return code
