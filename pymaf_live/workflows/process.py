"""From an input to its results on disk: overlay, take and exports."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pymaf_live.errors import Interrupted, OutputError, UsageError
from pymaf_live.export.options import ExportOptions
from pymaf_live.pipeline.background_stage import BackgroundStage
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline, queue_capacity
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes.take import Take
from pymaf_live.types import FrameResult, Image, SourceFacts

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.sources import Source

_POLL_SECONDS = 0.1
_JPEG_QUALITY = 92
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})


@dataclass(frozen=True)
class ProcessOptions:
    """What to make of an input, and where."""

    out: Path
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    overlay: bool = True
    exports: tuple[str, ...] = ("bvh", "npz")
    export_options: ExportOptions = field(default_factory=ExportOptions)
    smoothing: Literal["offline", "live", "off"] = "live"
    foot_lock: Literal["auto", "always", "never"] = "auto"
    """Of smoothed takes; 'always' of those that are not, too."""
    force: bool = False
    drawing: Literal["auto", "gl", "cpu"] = "auto"
    told: Callable[[FrameResult], None] | None = None
    """Told every result as it comes."""


@dataclass
class Summary:
    """What became of one input."""

    input: str
    name: str
    """Under which its results stand."""
    frames: int = 0
    frames_with_people: int = 0
    people: int = 0
    rows: int = 0
    """A person in a frame."""
    seconds: float = 0.0
    """Of work, with the loading of the models."""
    first_result_seconds: float | None = None
    """From the start of the work on this input."""
    files: list[Path] = field(default_factory=list)
    checks: dict[str, dict[str, float]] = field(default_factory=dict)
    """By the name of an exported file what reading it again showed: joint_error_mm, rate."""
    notices: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Pictures that could not be read, and why."""
    interrupted: bool = False
    model: str = ""
    """Name and version of the network that ran; empty where none did."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Mean a frame of each stage; 'draw' and 'write' too."""


class Watcher(Protocol):
    """Is told how far the work is, and tells whether to stop."""

    def advance(self, frames: int, fraction: float | None) -> None:
        """`frames` are done; `fraction` of the input, where its length is known."""

    def exporting(self, file: str, fraction: float) -> None:
        """`fraction` of the work on an exported file of this name is done."""

    def asked_to_stop(self) -> bool:
        """Whether to finish with what is there."""


def result_names(inputs: Sequence[str]) -> list[str]:
    """A name for the results of each input; no two are the same on any file system.

    The first of several inputs with one stem keeps it, the others get ``_2``, ``_3`` and so on.
    """
    names: list[str] = []
    taken: set[str] = set()
    for text in inputs:
        stem = _stem(text)
        name, number = stem, 1
        # name_person3.bvh may be the third person of an input called 'name'
        while name.casefold() in taken or _person_owner(name) in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def existing_results(names: Sequence[str], options: ProcessOptions) -> list[Path]:
    """Results of earlier runs that a run with these options would replace."""
    from pymaf_live.export.formats import FORMATS

    found: list[Path] = []
    for name in names:
        candidates: list[Path] = []
        if options.overlay:
            candidates += [
                options.out / f"{name}_overlay{suffix}" for suffix in (".mp4", ".jpg", ".png", "")
            ]
        found += [path for path in candidates if path.exists()]
        for kind in options.exports:
            found += FORMATS[kind].existing(options.out / name)
    return found


def require_free(names: Sequence[str], options: ProcessOptions) -> None:
    """Refuse to start where results stand already, or where nothing can be written.

    Raises
    ------
    OutputError
    """
    existing = [] if options.force else existing_results(names, options)
    if existing:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise OutputError(
            f"{existing[0]}{more} exists already; add --force to replace, or choose another --out"
        )
    make_folder(options.out)
    probe = options.out / f".{names[0][:40] if names else 'x'}.probe"
    try:
        probe.write_bytes(b"0")
    except OSError as error:
        raise OutputError(
            f"cannot write to the folder {options.out}: {error.strerror or error}"
        ) from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def process_input(
    source: Source, text: str, name: str, options: ProcessOptions, watcher: Watcher
) -> Summary:
    """Process one input: overlay while it streams, then the take and its exports.

    Parameters
    ----------
    source : Source
        Closed at the end.
    text : str
        What the user called it.
    name : str
        From `result_names`.
    options : ProcessOptions
    watcher : Watcher
        When it asks to stop, what was done so far becomes complete files. When it begins to ask
        while files are exported, those that are complete stay and no other is written.

    Returns
    -------
    Summary

    Raises
    ------
    UsageError
        If the source is live and so has no end.
    InputError, OutputError, ModelError
        The first cause that ended the work; no partial file is left under a final name.
    """
    from pymaf_live.motion import lock_feet
    from pymaf_live.pipeline.model_selection import body_of_model
    from pymaf_live.workflows.take_collector import Recording

    started = time.perf_counter()
    facts = source.facts
    summary = Summary(text, name)
    with ExitStack() as stack:
        stack.callback(source.close)
        if facts.live:
            raise UsageError(f"{text} is live and has no end; record it with `live` instead")
        pipeline = stack.enter_context(Pipeline(source, _pipeline_options(facts, options)))
        body = body_of_model(options.pipeline.model)
        overlay = _OverlayWriter(facts, body, name, options) if options.overlay else None
        if overlay is not None:
            stack.callback(overlay.close)
        recording = Recording(body, facts, options.smoothing)
        for result in _results(pipeline, watcher, summary):
            if summary.first_result_seconds is None:
                summary.first_result_seconds = time.perf_counter() - started
            if options.told is not None:
                options.told(result)
            recording.add(result, pipeline.model)
            if overlay is not None:
                overlay.add(result)
            watcher.advance(recording.frames, _fraction(facts, result, recording.frames))
        if recording.frames and overlay is not None:
            summary.files += overlay.finish()
        health = pipeline.health
    summary.model = health.model
    summary.milliseconds = dict(health.milliseconds)
    summary.notices += [*health.notices, *([] if overlay is None else overlay.notices)]
    summary.failures += source.failures
    if overlay is not None:
        summary.milliseconds |= overlay.milliseconds
    take = recording.take()
    if take is not None and (options.smoothing != "off" or options.foot_lock == "always"):
        take = lock_feet(take, body, options.foot_lock)
    if take is not None:
        export_take(take, body, name, options, watcher, summary)
        summary.frames = len(take.frame_time)
        summary.rows = len(take.frame)
        summary.people = len(set(take.person.tolist()))
        summary.frames_with_people = len(set(take.frame.tolist()))
    summary.seconds = time.perf_counter() - started
    return summary


def _pipeline_options(facts: SourceFacts, options: ProcessOptions) -> PipelineOptions:
    # a take smoothed off-line is made of the measurements; its overlay, which is drawn while the
    # film streams, shows the live filter's
    live = options.smoothing == "live" or (options.smoothing == "offline" and options.overlay)
    return replace(options.pipeline, smoothing="live" if live else "off")


def _results(pipeline: Pipeline, watcher: Watcher, summary: Summary) -> Iterator[FrameResult]:
    while True:
        if watcher.asked_to_stop() and not summary.interrupted:
            summary.interrupted = True
            pipeline.stop()
            if not pipeline.ready:
                return
        result = pipeline.next_result(_POLL_SECONDS)
        if result is not None:
            yield result
        elif pipeline.ended:
            return


def _fraction(facts: SourceFacts, result: FrameResult, frames: int) -> float | None:
    if facts.duration:
        return min(1.0, max(0.0, result.frame.time / facts.duration))
    return min(1.0, frames / facts.frame_count) if facts.frame_count else None


def export_take(
    take: Take,
    body: Body,
    name: str,
    options: ProcessOptions,
    watcher: Watcher,
    summary: Summary,
) -> None:
    """Write a take in the formats of `options` and put into `summary` what was written.

    Who asks `watcher` to stop keeps the files that are complete.
    """
    from pymaf_live.export.formats import FORMATS

    # who stopped the film wants what was seen of it in files
    stopped_before = watcher.asked_to_stop()
    kinds = [kind for kind in options.exports if kind == "npz" or len(take.frame)]
    targets = [FORMATS[kind].target(options.out / name) for kind in kinds]
    for index, (kind, target) in enumerate(zip(kinds, targets, strict=True)):
        reporter = _FileReporter(watcher, target.name, cancellable=not stopped_before)
        try:
            done = FORMATS[kind].write(
                take, body, target, options.export_options, force=options.force, reporter=reporter
            )
        except Interrupted:
            left = ", ".join(each.name for each in targets[index:])
            summary.interrupted = True
            summary.notices.append(f"stopped; not written: {left}")
            return
        for file in done:
            summary.files.append(file.path)
            figures = {}
            if file.joint_error is not None:
                figures["joint_error_mm"] = file.joint_error * 1000
            if file.rate is not None:
                figures["rate"] = file.rate
            if figures:
                summary.checks[file.path.name] = figures
            # the same holds for every format of a take: told once
            summary.notices += [note for note in [file.note] if note not in ["", *summary.notices]]


class _FileReporter(SilentReporter):
    """Reporter of one exported file's progress to a watcher."""

    def __init__(self, watcher: Watcher, file: str, *, cancellable: bool) -> None:
        self._watcher, self._file, self._cancellable = watcher, file, cancellable

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Pass the fraction on."""
        self._watcher.exporting(self._file, fraction or 0.0)

    def cancelled(self) -> bool:
        """Return True once the watcher wants to stop."""
        return self._cancellable and self._watcher.asked_to_stop()


class _OverlayWriter:
    """Draws in one thread and writes in another, while the next frames are estimated."""

    def __init__(self, facts: SourceFacts, body: Body, name: str, options: ProcessOptions) -> None:
        self._facts = facts
        self._body = body
        self._name = name
        self._options = options
        self.notices: list[str] = []
        self._files: list[Path] = []
        self._picture_names: set[str] = set()
        capacity = queue_capacity(facts)
        write = self._video if facts.kind != "pictures" else self._pictures
        self._writing: BackgroundStage[tuple[FrameResult, Image]] = BackgroundStage(
            "write overlay", write, capacity=capacity
        )
        self._drawing: BackgroundStage[FrameResult] = BackgroundStage(
            "draw overlay", self._draw, capacity=capacity
        )

    def add(self, result: FrameResult) -> None:
        self._drawing.put(result)

    def finish(self) -> list[Path]:
        self._drawing.finish()
        self._writing.finish()
        return self._files

    def close(self) -> None:
        # the writer first: the drawing may be waiting for it
        self._writing.close()
        self._drawing.close()

    @property
    def milliseconds(self) -> dict[str, float]:
        return {"draw": self._drawing.milliseconds, "write": self._writing.milliseconds}

    @contextmanager
    def _draw(self) -> Iterator[Callable[[FrameResult], None]]:
        from pymaf_live.rendering import open_overlay

        # pictures of other sizes may follow; only buffers are made for the first
        overlay = open_overlay(self._body, self._facts.size or (16, 16), self._options.drawing)

        def draw(result: FrameResult) -> None:
            image = result.frame.image
            if result.people and result.camera is not None:
                image = overlay.draw(image, result.people, result.camera)
            if overlay.notice and overlay.notice not in self.notices:
                self.notices.append(overlay.notice)
            self._writing.put((result, image))

        try:
            yield draw
        finally:
            overlay.close()

    @contextmanager
    def _video(self) -> Iterator[Callable[[tuple[FrameResult, Image]], None]]:
        from pymaf_live.export.video import OverlayVideo

        facts = self._facts
        assert facts.size is not None
        target = self._options.out / f"{self._name}_overlay.mp4"
        with OverlayVideo(
            target,
            facts.size,
            facts.frame_rate,
            facts.path if facts.has_audio else None,
            force=self._options.force,
        ) as video:
            yield lambda drawn: video.add(drawn[1], drawn[0].frame.time)
        if video.notice:
            self.notices.append(video.notice)
        self._files.append(target)

    @contextmanager
    def _pictures(self) -> Iterator[Callable[[tuple[FrameResult, Image]], None]]:
        folder = self._options.out
        several = self._facts.frame_count != 1
        if several:
            folder = folder / f"{self._name}_overlay"
            make_folder(folder)

        def write(drawn: tuple[FrameResult, Image]) -> None:
            result, image = drawn
            picture = Path(result.frame.name)
            suffix = ".jpg" if picture.suffix.lower() in _JPEG_SUFFIXES else ".png"
            stem, number = picture.stem if several else self._name, 1
            name = stem
            while (name + suffix).casefold() in self._picture_names:
                number += 1
                name = f"{stem}_{number}"
            self._picture_names.add((name + suffix).casefold())
            target = folder / f"{name}_overlay{suffix}"
            _write_picture(target, image, force=self._options.force)
            self._files.append(target)

        yield write


def _write_picture(target: Path, image: Image, *, force: bool) -> None:
    import cv2

    done, content = cv2.imencode(
        target.suffix, image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not done:
        raise OutputError(f"cannot write {target}: the picture cannot be encoded")
    with atomic_write(target, force=force) as temporary:
        temporary.write_bytes(content.tobytes())


def _person_owner(name: str) -> str:
    found = re.fullmatch(r"(.+)_person\d+", name.casefold())
    return found.group(1) if found else ""


def _stem(text: str) -> str:
    """What an input's results are called: the file's stem, a folder's name."""
    if "://" in text:
        address = re.sub(r"[?#].*", "", text.partition("://")[2]).rstrip("/")
        stem = Path(address.rpartition("/")[2] or address).stem
    else:
        path = Path(text)
        if any(sign in text for sign in "*?[") and not path.exists():
            # a pattern is called after the folder that it looks in
            while any(sign in path.name for sign in "*?["):
                path = path.parent
            stem = path.resolve().name
        else:
            stem = path.resolve().name if path.is_dir() else path.stem
    # as a name it must stand on every system
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", stem).strip(" .") or "input"
