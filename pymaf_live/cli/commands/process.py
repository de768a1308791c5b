"""The command `process`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pymaf_live.cli.option_groups import expand_option_groups
from pymaf_live.cli.options import (
    EstimationOptions,
    FootLockOption,
    ForceOption,
    InsecureOption,
    JsonOption,
    MotionOptions,
    parse_formats,
    parse_image_rate,
    parse_path,
)
from pymaf_live.cli.output import print_error, print_note, with_advice
from pymaf_live.cli.progress import TerminalReporter, stop_on_signals
from pymaf_live.cli.take_output import check_text
from pymaf_live.cli.unfinished import print_unfinished_hint
from pymaf_live.errors import (
    EndlessSourceError,
    InputError,
    Interrupted,
    OutputError,
    PymafLiveError,
)
from pymaf_live.resources import cache_folder
from pymaf_live.settings import DEFAULTS
from pymaf_live.types import BodyStyle

if TYPE_CHECKING:
    from pymaf_live.sources import Source
    from pymaf_live.workflows.process import ProcessOptions, Summary


@dataclass(frozen=True)
class ReadingOptions:
    """Options of reading the inputs."""

    image_rate: Annotated[
        str | None,
        typer.Option(
            metavar="N|N/M",
            help="Frames per second of images that are one video: a folder, shots/*.png or "
            "shots/%04d.png. Default: separate images.",
        ),
    ] = None
    boxes: Annotated[
        Path | None,
        typer.Option(
            parser=parse_path,
            metavar="FILE",
            help="JSON file with the boxes of people, instead of detecting them: "
            '{"a.jpg" or frame index: [[x0, y0, x1, y1], ...]}, pixels.',
        ),
    ] = None
    insecure: InsecureOption = False


@dataclass(frozen=True)
class CleaningOptions:
    """Options of cleaning up the finished motion."""

    smoothing: Annotated[
        Literal["refine", "offline", "live", "off"],
        typer.Option(
            help="Smoothing. refine optimises the whole finished take, offline smooths it faster."
        ),
    ] = "refine"
    min_seen: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="SECONDS",
            help="Leave out people who were seen for a shorter time. Default: 0.5 s or a tenth of "
            "the video, whichever is shorter.",
        ),
    ] = None
    foot_lock: FootLockOption = "auto"


@dataclass(frozen=True)
class OverlayOptions:
    """Options of the overlay."""

    overlay: Annotated[bool, typer.Option(help="Draw the body over the images.")] = True
    body_style: Annotated[BodyStyle, typer.Option(help="Appearance of people in the overlay.")] = (
        DEFAULTS.body_style
    )


@expand_option_groups
def process(
    *,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Videos, images, folders or file patterns."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_path, metavar="FOLDER", help="Folder for the results; created if missing."
        ),
    ],
    export: Annotated[
        str,
        typer.Option(
            metavar="NAME,...", help="Export formats, separated by commas; see docs/exports.md."
        ),
    ] = "bvh,npz",
    drawing: OverlayOptions,
    reading: ReadingOptions,
    estimation: EstimationOptions,
    cleaning: CleaningOptions,
    motion: MotionOptions,
    force: ForceOption = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="local|ADDRESS",
            help="Process inputs in parallel: on this machine's cores, or on a Ray cluster.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Turn videos, images and folders into overlays, takes (npz) and motion files."""
    from pymaf_live.pipeline.model_selection import resolve_model
    from pymaf_live.pipeline.options import PipelineOptions
    from pymaf_live.sources import expand
    from pymaf_live.workflows.boxes_file import read_boxes
    from pymaf_live.workflows.process import ProcessOptions
    from pymaf_live.workflows.result_names import require_writable, result_names

    formats = parse_formats(export)
    export_options = motion.export_options(formats)
    sources = [source for pattern in inputs for source in expand(pattern)]
    names = result_names(sources)
    boxes, rate = reading.boxes, parse_image_rate(reading.image_rate)
    options = ProcessOptions(
        out=out,
        pipeline=PipelineOptions(
            **{**asdict(estimation), "model": resolve_model(estimation.model)},
            boxes=None if boxes is None else read_boxes(boxes),
            cache=cache_folder(),
        ),
        **asdict(drawing),
        exports=formats,
        export_options=export_options,
        **asdict(cleaning),
        force=force,
        image_rate=rate,
        insecure=reading.insecure,
    )
    if boxes is not None:
        _require_boxes_match(options, boxes, sources)
    require_writable(names, options)
    print_unfinished_hint()
    if cluster is None:
        outcome = _process_in_turn(sources, names, options)
    else:
        outcome = _process_on_cluster(sources, options, cluster)
    return _print_outcome(*outcome, count=len(sources), as_json=as_json)


def _process_in_turn(
    sources: Sequence[str], names: Sequence[str], options: ProcessOptions
) -> tuple[list[Summary], dict[str, PymafLiveError], bool]:
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.process import process

    done: list[Summary] = []
    errors: dict[str, PymafLiveError] = {}
    with stop_on_signals() as stop:
        for text, name in zip(sources, names, strict=True):
            try:
                source = open_source(text, image_rate=options.image_rate, insecure=options.insecure)
                with TerminalReporter(name, stop) as reporter:
                    result = process(source, replace(options, name=name), reporter)
            except (InputError, OutputError, EndlessSourceError) as error:
                errors[text] = error
                print_error(with_advice(error))
                continue
            done.append(replace(result.summary, input=text))
            if stop.requested:
                break
    return done, errors, stop.requested


def _process_on_cluster(
    sources: Sequence[str], options: ProcessOptions, address: str
) -> tuple[list[Summary], dict[str, PymafLiveError], bool]:
    from pymaf_live.workflows.cluster import ClusterOptions, run_cluster

    with stop_on_signals() as stop, TerminalReporter("", stop) as reporter:
        result = run_cluster(sources, ClusterOptions(options, address), reporter)
    for error in result.errors.values():
        print_error(with_advice(error))
    return result.done, result.errors, stop.requested


def _require_boxes_match(options: ProcessOptions, path: Path, sources: Sequence[str]) -> None:
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.boxes_file import require_known_names

    names: set[str] = set()
    counts: list[int | None] = []
    for text in sources:
        try:
            source = open_source(text, image_rate=options.image_rate, insecure=options.insecure)
        except InputError:
            # reported when the input is processed
            continue
        names.update(_image_names(source))
        counts.append(source.facts.frame_count)
        source.close()
    longest = None if None in counts else max((c for c in counts if c is not None), default=0)
    if counts:
        require_known_names(options.pipeline.boxes or {}, path, names, longest)


def _image_names(source: Source) -> list[str]:
    from pymaf_live.sources.images import ImagesSource

    return source.names if isinstance(source, ImagesSource) else []


def _print_outcome(
    done: Sequence[Summary],
    errors: dict[str, PymafLiveError],
    interrupted: bool,
    *,
    count: int,
    as_json: bool,
) -> int:
    """Print the results of all inputs and return the exit code."""
    failures = [failure for summary in done for failure in summary.failures]
    code = 0
    if interrupted:
        code = Interrupted.exit_code
    elif errors or any(summary.output_errors for summary in done):
        code = _code_of_failures(done, errors)
    elif failures or any(summary.not_written for summary in done):
        code = 1
    if as_json:
        print(json.dumps(_json_report(code, done, errors), indent=2))
    else:
        for summary in done:
            _print_summary(summary)
        for summary in done:
            for file in summary.not_written:
                print_error(f"{summary.input} contains no people; {file} was not written")
        for reason in [reason for summary in done for reason in summary.output_errors]:
            print_error(reason)
        for name, reason in failures:
            print_error(f"skipped {name}: {reason}")
    not_started = count - len(done) - len(errors)
    if interrupted and not_started:
        print_error(f"stopped; {not_started} input(s) not started")
    elif errors and count > 1:
        print_error(f"{len(errors)} of {count} inputs failed: {', '.join(errors)}")
    return code


def _code_of_failures(done: Sequence[Summary], errors: dict[str, PymafLiveError]) -> int:
    """Return the exit code that all inputs have in common, or 1 where some succeeded."""
    codes = {error.exit_code for error in errors.values()}
    codes |= {OutputError.exit_code if summary.output_errors else 0 for summary in done}
    return codes.pop() if len(codes) == 1 else 1


def _json_report(
    code: int, done: Sequence[Summary], errors: dict[str, PymafLiveError]
) -> dict[str, Any]:
    def as_dict(summary: Summary) -> dict[str, Any]:
        report = asdict(replace(summary, failures=[]))
        report["files"] = [str(file) for file in summary.files]
        report["failures"] = dict(summary.failures)
        return report

    return {
        "exit_code": code,
        "inputs": [as_dict(summary) for summary in done],
        "errors": {text: str(error) for text, error in errors.items()},
    }


def _print_summary(summary: Summary) -> None:
    if summary.frames:
        rate = summary.frames / summary.seconds if summary.seconds else 0.0
        people = f"{summary.people} people" if summary.people != 1 else "1 person"
        found = (
            f"{people} in {summary.frames_with_people} of {summary.frames} frames"
            if summary.rows
            else f"no people in {summary.frames} frames"
        )
        print(
            f"{summary.name}: {found}, {summary.seconds:.1f} s ({rate:.1f} frames/s), "
            f"model {summary.model}"
        )
        if not summary.rows:
            print(
                "  People smaller than a tenth of the image, or covered, may be missed: crop the "
                "image, or mark them with --boxes."
            )
    elif summary.interrupted:
        print(f"{summary.name}: stopped before the first frame; nothing was written")
    for file in summary.files:
        print(f"  {file}{check_text(summary.checks.get(file.name, {}))}")
    for notice in summary.notices:
        print_note(notice)
