"""The commands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pymaf_live import __version__
from pymaf_live.cli.progress import ProgressDisplay, StopRequest, tell
from pymaf_live.errors import (
    InputError,
    Interrupted,
    ModelError,
    OutputError,
    PymafLiveError,
    UsageError,
)
from pymaf_live.resources import cache_folder
from pymaf_live.system.typer_errors import CommandGroup, RaisedError, is_output_closed

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.export.options import Exported, ExportOptions
    from pymaf_live.sources import Source
    from pymaf_live.streaming import Address, VmcStream
    from pymaf_live.types import FrameResult, Take
    from pymaf_live.workflows.process import ProcessOptions, Summary

PROGRAM = "pymaf-live"
COMMANDS = ("process", "export", "live", "bench", "doctor")

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A 3D body that follows a person in a video, and motion for other programs. "
    "Without a command the window opens.",
)

Model = Annotated[
    str,
    typer.Option(
        metavar="auto|lite|full|FILE",
        help="A shipped model, an ONNX file, or auto: the best that keeps up with the source.",
    ),
]
Backend = Annotated[
    Literal["auto", "openvino", "onnxruntime", "tensorrt", "tensorrt-rtx"],
    typer.Option(help="What runs the network."),
]
People = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=32,
        help="How many people to follow at most, the nearest first; live the one in front and in "
        "files 4 if not given.",
        show_default=False,
    ),
]
FieldOfView = Annotated[
    float | None,
    typer.Option(
        min=1, max=179, help="Field of view along the frame's diagonal, degrees; 53 if not given."
    ),
]
FootLock = Annotated[
    Literal["auto", "always", "never"],
    typer.Option(help="Hold feet still while they stand: those that surely do, all, or none."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace results that exist already.")]
Rate = Annotated[
    str,
    typer.Option(metavar="source|N|N/M", help="Frames a second of the motion, 30000/1001 exactly."),
]
LengthUnit = Annotated[
    Literal["m", "cm"] | None,
    typer.Option(help="Of lengths; what the format is used to if not given."),
]
RigName = Annotated[
    Literal["smpl", "mixamo", "unreal", "unity", "vrm"],
    typer.Option(help="Whose bone names, rest pose and bone axes."),
]
WorldFrame = Annotated[
    Literal["ground", "camera"],
    typer.Option(help="Upright with the ground at 0 and the start at the origin, or the camera's."),
]
InPlace = Annotated[bool, typer.Option("--in-place", help="Leave out the way over the ground.")]
RestFirst = Annotated[
    bool, typer.Option("--rest-first", help="Put the rest pose before the first frame.")
]
Mesh = Annotated[
    bool, typer.Option("--mesh/--no-mesh", help="The skinned body too, or the skeleton alone.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Options before a command; `main` has read --debug already, wherever it stood."""


@app.command()
def process(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Videos, pictures, folders, patterns.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; it is made.")],
    export: Annotated[
        str, typer.Option(metavar="NAME,...", help="Formats, by comma; docs/exports.md has them.")
    ] = "bvh,npz",
    overlay: Annotated[bool, typer.Option(help="Draw the body over the pictures.")] = True,
    boxes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where people are, instead of looking for them. JSON: "
            '{"a.jpg" or frame index: [[x0, y0, x1, y1], ...]}, pixels.',
        ),
    ] = None,
    people: People = None,
    fov: FieldOfView = None,
    smooth: Annotated[
        Literal["offline", "live", "off"],
        typer.Option(help="offline smooths the finished take, with all of it in sight."),
    ] = "live",
    foot_lock: FootLock = "auto",
    model: Model = "auto",
    backend: Backend = "auto",
    rate: Rate = "source",
    unit: LengthUnit = None,
    rig: RigName = "smpl",
    world: WorldFrame = "ground",
    in_place: InPlace = False,
    rest_first: RestFirst = False,
    mesh: Mesh = True,
    force: Force = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="local|ADDRESS",
            help="Process inputs side by side: on this machine's cores, or on a Ray cluster.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Turn videos, pictures and folders into overlays, takes (npz) and BVH files."""
    from pymaf_live.pipeline.model_selection import given_model
    from pymaf_live.pipeline.pipeline import PipelineOptions
    from pymaf_live.sources import expand
    from pymaf_live.workflows.boxes_file import read_boxes
    from pymaf_live.workflows.process import ProcessOptions, require_free, result_names

    kinds = _formats(export)
    wanted = _export_options(
        kinds,
        rate=rate,
        unit=unit,
        rig=rig,
        world=world,
        in_place=in_place,
        rest_first=rest_first,
        mesh=mesh,
    )
    texts = [text for given in inputs for text in expand(given)]
    names = result_names(texts)
    options = ProcessOptions(
        out=out,
        pipeline=PipelineOptions(
            model=given_model(model),
            backend=backend,
            people=people,
            fov=fov,
            boxes=None if boxes is None else read_boxes(boxes),
            cache=cache_folder(),
        ),
        overlay=overlay,
        exports=kinds,
        export_options=wanted,
        smoothing=smooth,
        foot_lock=foot_lock,
        force=force,
    )
    if boxes is not None:
        _require_boxes_of_inputs(options, boxes, texts)
    require_free(names, options)
    work = list(zip(texts, names, strict=True))
    if cluster is None:
        done, errors, interrupted = _process_all(work, options)
    else:
        done, errors, interrupted = _process_side_by_side(work, options, cluster)
    failures = [failure for summary in done for failure in summary.failures]
    code = 0
    if interrupted:
        code = Interrupted.exit_code
    elif errors and not done:
        code = InputError.exit_code
    elif errors or failures:
        code = 1
    if as_json:
        print(json.dumps(_report(code, done, errors), indent=2))
    else:
        for summary in done:
            _print_summary(summary)
        for name, why in failures:
            tell(f"{PROGRAM}: left out {name}: {why}")
    left = len(texts) - len(done) - len(errors)
    if interrupted and left:
        tell(f"{PROGRAM}: stopped; {left} input(s) not begun")
    elif errors and len(texts) > 1:
        tell(f"{PROGRAM}: {len(errors)} of {len(texts)} inputs failed: {', '.join(errors)}")
    return code


@app.command()
def export(
    paths: Annotated[
        list[Path], typer.Argument(metavar="TAKE.npz", help="A take that was recorded before.")
    ],
    to: Annotated[
        list[Path], typer.Option(metavar="FILE...", help="Files to write; the suffix says what.")
    ],
    rate: Rate = "source",
    unit: LengthUnit = None,
    rig: RigName = "smpl",
    world: WorldFrame = "ground",
    in_place: InPlace = False,
    rest_first: RestFirst = False,
    mesh: Mesh = True,
    foot_lock: FootLock = "never",
    onto: Annotated[
        str | None,
        typer.Option(
            "--body",
            metavar="NAME",
            help="Carry it over to another body first: open, one of yours, or its file.",
        ),
    ] = None,
    force: Force = False,
) -> int:
    """Write a take in other formats, or on another body."""
    from pymaf_live.body.registry import body_of
    from pymaf_live.export.formats import format_of
    from pymaf_live.motion import lock_feet
    from pymaf_live.takes import read_take, trimmed

    # `--to a.bvh b.npz` reads as one option and one argument more
    take_path, targets = paths[0], [*to, *paths[1:]]
    for target in targets:
        format_of(target)
        if target.resolve() == take_path.resolve():
            raise UsageError(f"{target} is the take itself")
    options = _export_options(
        tuple(format_of(target).name for target in targets),
        rate=rate,
        unit=unit,
        rig=rig,
        world=world,
        in_place=in_place,
        rest_first=rest_first,
        mesh=mesh,
    )
    existing = [target for target in targets if target.exists()]
    if existing and not force:
        raise OutputError(f"{existing[0]} exists already; add --force to replace it")
    take = trimmed(read_take(take_path))
    body = body_of(take.body_sha256)
    if onto is not None:
        take, body = _carried_over(take, body, onto)
    if foot_lock != "never":
        take = lock_feet(take, body, foot_lock)
    for target in targets:
        _write(take, body, target, options, force=force)
    return 0


@app.command()
def live(
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What to record into: take.npz or motion.bvh."),
    ] = None,
    vmc: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Stream as VMC, such as to 127.0.0.1:39539 (this machine). Given several times, "
            "each address gets a person of its own.",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(help="A camera's number or device, an address, or a file played live.")
    ] = "0",
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long; without it until Ctrl-C.")
    ] = None,
    people: People = None,
    fov: FieldOfView = None,
    smooth: Annotated[Literal["live", "off"], typer.Option(help="Filter the motion.")] = "live",
    model: Model = "auto",
    backend: Backend = "auto",
    force: Force = False,
) -> int:
    """Record or stream a camera without a window; Ctrl-C stops and saves."""
    from pymaf_live.pipeline.model_selection import body_of_model, given_model
    from pymaf_live.pipeline.pipeline import Pipeline, PipelineOptions
    from pymaf_live.sources import open_source, paced
    from pymaf_live.streaming import VmcStream
    from pymaf_live.workflows.take_collector import Recording

    if record is None and not vmc:
        raise UsageError("nothing to do: give --record FILE, --vmc HOST:PORT or both")
    if record is not None:
        _require_recordable(record, force=force)
    addresses = _addresses(vmc or ())
    if len(addresses) > 1:
        people = max(people or 1, len(addresses))
    options = PipelineOptions(
        model=given_model(model),
        backend=backend,
        people=people,
        fov=fov,
        smoothing=smooth,
        cache=cache_folder(),
    )
    with StopRequest() as stop, ExitStack() as stack:
        opened = paced(open_source(source))
        stack.callback(opened.close)
        body = body_of_model(options.model)
        passed = _Passed()
        recording = Recording(body, opened.facts, smooth)
        pipeline = Pipeline(opened, options)
        pipeline.follow(passed.add)
        if record is not None:  # a stream may last for days, and what is recorded is in memory
            pipeline.listen(lambda result: recording.add(result, pipeline.model))
        streams = [VmcStream(body, address) for address in addresses]
        for number, stream in enumerate(streams):
            stack.callback(stream.close)
            stream.choose(number if len(streams) > 1 else None)
            pipeline.follow(stream.send)
        stack.callback(pipeline.close)
        pipeline.start()
        cause: PymafLiveError | None = None
        try:
            with ProgressDisplay(source, stop) as display:
                _until(pipeline, passed, display, seconds)
        except PymafLiveError as error:
            # what was recorded before the camera went is worth as much as before
            cause = error
        pipeline.close()
        health = pipeline.health
    _tell_of(streams)
    take = recording.take()
    if record is not None and take is not None:
        _write(take, body, record, force=force)
        print(
            f"{len(take.frame_time)} frames, {len(set(take.person.tolist()))} people, "
            f"{health.fps:.1f} frames/s, {health.dropped} dropped, model {take.model}"
        )
    for notice in health.notices:
        tell(f"note: {notice}")
    if cause is not None:
        raise cause
    if not passed.frames:
        raise InputError(f"nothing came from {source}; nothing was recorded or sent")
    return 0


@app.command()
def doctor(as_json: Json = False) -> int:
    """Say what works on this machine, and how to mend what does not."""
    from pymaf_live.diagnostics.doctor import examine, exit_code

    checks = examine()
    code = exit_code(checks)
    if as_json:
        print(
            json.dumps({"exit_code": code, "checks": [asdict(check) for check in checks]}, indent=2)
        )
        return code
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{check.state:<7} {check.name:<{width}}  {check.detail}")
        if check.mend:
            print(f"{'':<7} {'':<{width}}  -> {check.mend}")
    return code


@app.command()
def bench(
    clip: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A video; the demo if not given.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Run MediaPipe's pose landmarker on it as well, and torch's network."
        ),
    ] = False,
    mediapipe_task: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A bundle of it (.task) for --compare, beside the lite one here.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What --json printed before, to compare with."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=99, help="Medians are of so many runs.")] = 3,
    model: Model = "auto",
    backend: Backend = "auto",
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test", help="Compare a back-end's every output and its speed with OpenVINO's."
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Measure this machine: time of each stage, frames a second, first result, memory."""
    if self_test:
        return _self_test(model, backend, as_json)
    from pymaf_live.diagnostics.benchmark import (
        changes,
        measure,
        print_changes,
        print_figures,
        read_figures,
    )
    from pymaf_live.pipeline.model_selection import given_model
    from pymaf_live.resources import resource

    if mediapipe_task and not compare:
        raise UsageError("--mediapipe-task is for --compare")
    for path in (clip, against, *(mediapipe_task or ())):
        if path is not None and not path.is_file():
            raise InputError(f"there is no file {path}")
    before = None if against is None else read_figures(against)
    figures = measure(
        clip or resource("demo.mp4"),
        given_model(model),
        backend,
        cache_folder(),
        runs,
        [resource("detector/person.task"), *(mediapipe_task or ())] if compare else None,
    )
    if before is not None:
        figures["against"] = changes(figures, before)
    if as_json:
        print(json.dumps(figures, indent=2))
        return 0
    print_figures(figures)
    if before is not None:
        print_changes(figures["against"])
    return 0


def _self_test(model: str, backend: str, as_json: bool) -> int:
    from pymaf_live.diagnostics.backend_check import check_backend, print_findings
    from pymaf_live.pipeline.model_selection import AUTO, model_path, shipped_models

    models = list(shipped_models().values()) if model == AUTO else [model_path(model)]
    findings = [check_backend(path, backend, cache_folder()) for path in models]
    if as_json:
        print(json.dumps(findings, indent=2))
    else:
        print_findings(findings)
    return 0 if all(each["agrees"] for each in findings) else ModelError.exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and tell what went wrong in one line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; the process's own by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 some inputs failed, 2 wrong usage, 3 input unusable, 4 output
        unusable, 5 model or back-end unusable, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [text for text in given if text != "--debug"]
    command = typer.main.get_command(app)
    try:
        code = command.main(given or ["--help"], prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except PymafLiveError as error:
        if debug:
            raise
        tell(f"{PROGRAM}: {error}")
        return error.exit_code
    except Exception as error:
        cause = error.__cause__ if isinstance(error, RaisedError) else error
        if is_output_closed(cause or error):
            # nobody is left to be told
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        if debug:
            raise
        return _tell_unforeseen(cause if isinstance(cause, Exception) else error)
    return code if isinstance(code, int) else 0


def _tell_unforeseen(error: Exception) -> int:
    if isinstance(error, (typer.Exit, typer.Abort)):
        return int(getattr(error, "exit_code", 1))
    # wrong usage, in typer's own words
    told = getattr(error, "format_message", None)
    if callable(told):
        tell(f"{PROGRAM}: {str(told()).rstrip(chr(46))}; see {PROGRAM} --help")
        return UsageError.exit_code
    if isinstance(error, MemoryError):
        tell(f"{PROGRAM}: out of memory; try smaller pictures or fewer people")
        return 1
    if isinstance(error, ImportError) and ".so" in str(error):
        # a bare server lacks what OpenCV's wheel links (libGL)
        tell(f"{PROGRAM}: a system library is missing ({error}); {PROGRAM} doctor says what to do")
        return ModelError.exit_code
    tell(f"{PROGRAM}: unforeseen: {type(error).__name__}: {error}; --debug shows where")
    return 1


def _process_all(
    work: Sequence[tuple[str, str]], options: ProcessOptions
) -> tuple[list[Summary], dict[str, str], bool]:
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.process import process_input

    done: list[Summary] = []
    errors: dict[str, str] = {}
    with StopRequest() as stop:
        for text, name in work:
            try:
                source = open_source(text)
                with ProgressDisplay(name, stop) as display:
                    summary = process_input(source, text, name, options, display)
            except InputError as error:
                errors[text] = str(error)
                tell(f"{PROGRAM}: {error}")
                continue
            done.append(summary)
            if stop.asked_to_stop():
                break
    return done, errors, stop.asked_to_stop()


def _process_side_by_side(
    work: Sequence[tuple[str, str]], options: ProcessOptions, address: str
) -> tuple[list[Summary], dict[str, str], bool]:
    from pymaf_live.cli.progress import SideBySide
    from pymaf_live.workflows.cluster import process_on_cluster

    with StopRequest() as stop, SideBySide(len(work), stop) as display:
        outcome = process_on_cluster(work, options, address, display)
    for reason in outcome.errors.values():
        tell(f"{PROGRAM}: {reason}")
    return outcome.done, outcome.errors, stop.asked_to_stop()


def _require_boxes_of_inputs(options: ProcessOptions, path: Path, texts: Sequence[str]) -> None:
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.boxes_file import require_known_names

    names: set[str] = set()
    counts: list[int | None] = []
    for text in texts:
        try:
            source = open_source(text)
        except InputError:
            # told when its turn comes
            continue
        names.update(_picture_names(source))
        counts.append(source.facts.frame_count)
        source.close()
    longest = None if None in counts else max((c for c in counts if c is not None), default=0)
    if counts:
        require_known_names(options.pipeline.boxes or {}, path, names, longest)


def _picture_names(source: Source) -> list[str]:
    from pymaf_live.sources.pictures import PicturesSource

    return source.names if isinstance(source, PicturesSource) else []


def _formats(text: str) -> tuple[str, ...]:
    from pymaf_live.export.formats import FORMATS

    kinds = tuple(dict.fromkeys(kind.strip().lower() for kind in text.split(",") if kind.strip()))
    for kind in kinds:
        if kind not in FORMATS:
            raise UsageError(f"--export knows {', '.join(FORMATS)}, not {kind!r}")
    return kinds


def _export_options(kinds: tuple[str, ...], *, rate: str, **given: Any) -> ExportOptions:
    from pymaf_live.export.formats import FORMATS, require_taken
    from pymaf_live.export.options import ExportOptions, parse_rate

    options = ExportOptions(rate=parse_rate(rate), **given)
    require_taken(options, tuple(FORMATS[kind] for kind in kinds))
    return options


def _carried_over(take: Take, body: Body, onto: str) -> tuple[Take, Body]:
    """The take on another body; tells how far the joints are off."""
    from pymaf_live.body.registry import body_named
    from pymaf_live.takes.retarget import retargeted_take

    target = body_named(onto)
    found, error = retargeted_take(take, body, target)
    if len(error):
        mean, worst = 1000 * error.mean(), 1000 * error.max()
        print(f"carried over to {onto}: joints within {mean:.1f} mm, {worst:.1f} at worst")
    return found, target


def _write(
    take: Take, body: Any, target: Path, options: ExportOptions | None = None, *, force: bool
) -> None:
    """Write a take and tell how far that is and what was written."""
    from pymaf_live.export.formats import format_of

    # no StopRequest at work: Ctrl-C interrupts at once, and half a file is not left behind
    with ProgressDisplay("", StopRequest()) as display:

        def watch(fraction: float) -> None:
            display.exporting(target.name, fraction)

        files = format_of(target).write(take, body, target, options, force=force, watch=watch)
    for file in files:
        print(_line_of(file))
        if file.note:
            tell(f"note: {file.path.name}: {file.note}")
    if not files:
        tell(f"note: nobody was seen in {take.source}; {target} was not written")


def _line_of(file: Exported) -> str:
    found = {"joint_error_mm": file.joint_error, "rate": file.rate}
    if file.joint_error is not None:
        found["joint_error_mm"] = file.joint_error * 1000
    return f"{file.path}{_figures({k: v for k, v in found.items() if v is not None})}"


def _figures(found: dict[str, float]) -> str:
    """What reading a file again showed, to stand behind its name."""
    words = []
    if "joint_error_mm" in found:
        words.append(f"joints within {found['joint_error_mm']:.3f} mm")
    if "rate" in found:
        words.append(f"{found['rate']:.6g} frames/s")
    return f"  ({', '.join(words)})" if words else ""


def _require_recordable(record: Path, *, force: bool) -> None:
    from pymaf_live.export.formats import format_of

    format_of(record)
    if record.exists() and not force:
        raise OutputError(f"{record} exists already; add --force to replace it")
    if not record.parent.is_dir():
        raise OutputError(f"there is no folder {record.parent} to record into")


def _addresses(texts: Sequence[str]) -> list[Address]:
    from pymaf_live.streaming import parse_address

    addresses = [parse_address(text) for text in texts]
    if len(set(addresses)) < len(addresses):
        raise UsageError("two people cannot be streamed to one address; give each a port")
    return addresses


def _tell_of(streams: Sequence[VmcStream]) -> None:
    for stream in streams:
        print(f"{stream.sent} poses sent to {stream.address}")
        if stream.failure:
            tell(f"note: the last packets could not be sent: {stream.failure}")


class _Passed:
    """What has gone through so far."""

    def __init__(self) -> None:
        self.frames = 0
        self.seconds = 0.0
        self._first = 0.0

    def add(self, result: FrameResult) -> None:
        self._first = self._first if self.frames else result.frame.time
        self.frames += 1
        self.seconds = result.frame.time - self._first


def _until(pipeline: Any, passed: _Passed, display: ProgressDisplay, seconds: float | None) -> None:
    while not display.asked_to_stop():
        result: FrameResult | None = pipeline.next_result(0.1)
        if result is None and pipeline.ended:
            return
        if seconds is not None and passed.seconds >= seconds:
            return
        fraction = None if seconds is None else min(1.0, passed.seconds / seconds)
        display.advance(passed.frames, fraction)


def _report(code: int, done: Sequence[Summary], errors: dict[str, str]) -> dict[str, Any]:
    def of(summary: Summary) -> dict[str, Any]:
        report = asdict(replace(summary, failures=[]))
        report["files"] = [str(file) for file in summary.files]
        report["failures"] = dict(summary.failures)
        return report

    return {
        "exit_code": code,
        "inputs": [of(summary) for summary in done],
        "errors": errors,
    }


def _print_summary(summary: Summary) -> None:
    if summary.frames:
        rate = summary.frames / summary.seconds if summary.seconds else 0.0
        who = f"{summary.people} people" if summary.people != 1 else "1 person"
        seen = (
            f"{who} in {summary.frames_with_people} of {summary.frames} frames"
            if summary.rows
            else f"nobody in {summary.frames} frames"
        )
        print(
            f"{summary.name}: {seen}, {summary.seconds:.1f} s ({rate:.1f} frames/s), "
            f"model {summary.model}"
        )
    elif summary.interrupted:
        print(f"{summary.name}: stopped before the first frame; nothing written")
    for file in summary.files:
        print(f"  {file}{_figures(summary.checks.get(file.name, {}))}")
    for notice in summary.notices:
        tell(f"note: {notice}")
