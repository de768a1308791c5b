"""Does what the window asks for; the only one here that speaks to the pipeline.

Knows no Qt: the window's timer calls `tick`, which takes the newest result and the outcomes of
errands and writes them into the state. Whatever may take its time (opening cameras, files and
models, closing them, exporting) runs as an errand in a thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from pymaf_live.body import Body
from pymaf_live.errors import InputError, PymafLiveError
from pymaf_live.export.options import ExportOptions
from pymaf_live.pipeline.estimator import EstimatorFactory
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.model_selection import body_for_model
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.resources import resource
from pymaf_live.settings import Settings
from pymaf_live.sources import Source, open_source, paced
from pymaf_live.sources.looping import Playback
from pymaf_live.streaming import VmcStream
from pymaf_live.types import FrameResult, SourceFacts
from ui.controllers.batch import Batch
from ui.controllers.cameras import camera_nodes, find_cameras
from ui.controllers.export import Exporting
from ui.controllers.live_out import LiveOut
from ui.controllers.models import Changed, Models
from ui.controllers.open_paths import choices_of
from ui.controllers.people import People
from ui.controllers.reconnect import Reconnector
from ui.controllers.smoothing import Smoothing
from ui.controllers.takes import Takes
from ui.state.source import FileQueue
from ui.state.window import (
    Figures,
    Message,
    Phase,
    SourceChoice,
    WindowState,
)
from ui.system.task_runner import TaskRunner

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 2.0
_FIGURES_EVERY = 0.25
"""Seconds between two readings of the figures: faster cannot be read by a person."""
_SPEED_OVER = 2.0
"""Seconds that frames a second are counted over."""
_CAMERAS_EVERY = 1.0
"""Seconds between two looks at whether a camera was plugged in, while nothing is open."""

OpenPipeline = Callable[[Source, PipelineOptions], Pipeline]


@dataclass(frozen=True)
class _Opened:
    """A source and its pipeline, running."""

    wish: int
    """Number of the wish that it answers."""
    choice: SourceChoice
    pipeline: Pipeline
    playback: Playback | None
    """Of files; None for cameras and streams."""
    facts: SourceFacts
    body: Body
    """Of its model."""


class Controller:
    """Opens, plays, records and exports.

    Parameters
    ----------
    state : WindowState
        Written here.
    options : PipelineOptions, optional
        How frames become people.
    open_pipeline : callable, optional
        Makes the pipeline of an opened source; not started yet.
    list_cameras : callable, optional
        The cameras of this machine; may take a second.
    open_estimator : callable, optional
        What measures parts of a take again.
    """

    def __init__(
        self,
        state: WindowState,
        options: PipelineOptions | None = None,
        *,
        open_pipeline: OpenPipeline = Pipeline,
        list_cameras: Callable[[], tuple[SourceChoice, ...]] | None = None,
        open_estimator: EstimatorFactory = open_estimator,
    ) -> None:
        self._state = state
        self._options = options or PipelineOptions()
        self._open_pipeline = open_pipeline
        self._list_cameras = list_cameras or find_cameras
        self._camera_nodes = camera_nodes()
        self._next_cameras = 0.0
        self._tasks = TaskRunner()
        self.batch = Batch(state.batch, self._tasks, lambda: self._options)
        self.live_out = LiveOut(
            state.live_out,
            self._tasks,
            lambda address: VmcStream(state.body.value, address),
        )
        self.models = Models(
            state.models,
            self._tasks,
            lambda: self._options,
            self._use_options,
            tell=lambda text: state.message.set(Message("done", text)),
        )
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._started_last: Pipeline | None = None
        self.smoothing = Smoothing(state.preferences, lambda: self._options, self._adjust)
        self._reconnector = Reconnector(self._tasks, self._on_come_back, self._on_still_away)
        self._opened: _Opened | None = None
        self._wanted = 0
        """Number of the last wish to open something; what an older wish brings is let go."""
        self.takes = Takes(
            state,
            self._tasks,
            self.close_source,
            lambda: self._options,
            lambda: self._options.smoothing_strength if self._options.smoothing == "live" else 0.0,
            lambda error: state.message.set(Message("error", _line(error))),
            open_estimator=open_estimator,
        )
        self.people = People(
            state,
            self.takes,
            self.live_out.choose,
            lambda: self._options,
            self._use_options,
        )
        self.exporting = Exporting(
            state,
            self._tasks,
            self.takes.current_take,
            lambda error: state.message.set(Message("error", _line(error))),
        )
        self._shown_times: deque[float] = deque()
        self._shown_count = 0
        self._next_figures = 0.0
        state.loop.watch(self._on_loop_change)
        state.mirror.watch(self._on_mirror_change)
        state.view.inside.watch(self._on_inside_change)
        state.body.watch(self._on_body_change)

    # -- deeds --------------------------------------------------------------------------------

    def find_cameras(self) -> None:
        """Look for cameras; the state's list is None until they are known."""
        self._state.cameras.set(None)
        self._tasks.submit(
            "cameras", self._list_cameras, self._state.cameras.set, self._on_no_cameras
        )

    def find_demo(self) -> None:
        """Offer the demo if the installation has it."""
        try:
            path = resource("demo.mp4")
        except PymafLiveError:
            self._state.demo.set(None)
        else:
            self._state.demo.set(SourceChoice("demo", str(path), "Demo"))

    def find_last(self) -> None:
        """Offer what was open last, if it is still there; a camera is offered as one anyway."""
        text = self._state.sources.remembered.value

        def look() -> SourceChoice | None:
            if "://" in text:
                return SourceChoice("stream", text, text)
            path = Path(text)
            return choices_of([path])[0] if path.is_absolute() and path.exists() else None

        if text:
            self._tasks.submit("last source", look, self._state.sources.last.set, lambda _: None)

    def open_files(self, paths: Sequence[Path]) -> None:
        """Open the first of several files and folders; the others come after it."""

        def opened(choices: tuple[SourceChoice, ...]) -> None:
            self.open(choices[0])
            self._state.sources.queue.set(FileQueue(choices))

        def failed(error: Exception) -> None:
            self._state.message.set(Message("error", _line(error)))

        self._tasks.submit("look at files", lambda: choices_of(paths), opened, failed)

    def go_through_files(self, step: int) -> None:
        """Open the next (1) or the last (-1) of the files that were given together."""
        queue = self._state.sources.queue.value
        choice = queue.following if step > 0 else queue.before
        if choice is not None:
            self.open(choice)
            self._state.sources.queue.set(replace(queue, at=queue.at + step))

    def stop_waiting(self) -> None:
        """Wait no more for a camera or stream that is away."""
        if self._opened is not None:
            self.close_source()
        else:
            self._reconnector.end()
            self._state.sources.trouble.set("")

    def open(self, choice: SourceChoice) -> None:
        """Open a source in place of the one that plays; a take in the making is kept.

        A camera or stream that is not there or busy is waited for.
        """
        if self._closed.is_set():
            return
        before = self._leave()
        self._state.sources.queue.set(FileQueue())
        wish = self._wanted
        self._state.message.set(None)
        self._state.source.set(choice)
        self._state.phase.set(Phase.OPENING)

        def work() -> _Opened | None:
            if before is not None:
                before.pipeline.close()  # a camera can be opened once only
            return self._started(choice, wish)

        self._tasks.submit(
            "open", work, self._on_opened, lambda error: self._on_open_failed(choice, error, wish)
        )

    def close_source(self) -> None:
        """Back to the start; a take in the making is kept."""
        before = self._leave()
        self._state.sources.queue.set(FileQueue())
        self._state.phase.set(Phase.EMPTY)
        self._state.source.set(None)
        self._let_go(before)

    def pause(self) -> None:
        """Hold a file's picture, or that of the take that is looked at."""
        self.takes.pause()
        if self._opened is not None and self._opened.playback is not None:
            self._opened.playback.hold()
            self._state.phase.set(Phase.PAUSED)

    def go_on(self) -> None:
        """Play on after a pause, or again after the end."""
        phase, source = self._state.phase.value, self._state.source.value
        if self._state.takes.opened.value is not None:
            self.takes.play()
        elif phase is Phase.ENDED and source is not None:
            self.open(source)
        elif phase is Phase.PAUSED and self._opened is not None:
            if self._opened.playback is not None:
                self._opened.playback.release()
            self._state.phase.set(Phase.PLAYING)

    def record(self) -> None:
        """Begin a new take of what plays, after the count-down; again, end the count-down."""
        self.takes.record()

    def stop_recording(self) -> None:
        """End the take; it is kept and waits to be exported."""
        self.takes.cancel_count()
        self.takes.stop()

    def export(
        self,
        stem: Path,
        formats: tuple[str, ...],
        force: bool,
        options: ExportOptions | None = None,
    ) -> None:
        """Write the take as `stem` with each format's ending."""
        self.exporting.start(stem, formats, options or ExportOptions(), force)

    def cancel_export(self) -> None:
        """Write no further."""
        self.exporting.cancel()

    @property
    def is_idle(self) -> bool:
        """Whether nothing goes on that the next tick would have to follow soon."""
        still = self._state.phase.value not in (Phase.OPENING, Phase.PLAYING)
        return still and not self._tasks.busy and self.takes.is_idle

    def tick(self) -> None:
        """Bring the state up to date; up to 60 times a second, never blocks."""
        self._tasks.process_results()
        self._reconnector.tick()
        self._look_for_cameras()
        self.live_out.tick()
        self.models.tick()
        self.batch.tick()
        self.exporting.tick()
        self.takes.tick()
        opened = self._opened
        if opened is None:
            return
        phase = self._state.phase.value
        if phase is Phase.OPENING and opened.playback is not None and opened.pipeline.ready:
            opened.playback.release()  # not before: it would play to nobody
        try:
            ended = opened.pipeline.ended  # asked first: what came until then is taken below
            result = opened.pipeline.latest_result()
        except Exception as error:
            self._on_broken(error)
            return
        if result is not None:
            self._show(result)
        elif ended:
            self._on_end()
        self._read_figures()

    def close(self) -> bool:
        """End all threads within 2 s; whether all have ended."""
        limit = time.monotonic() + _CLOSE_SECONDS
        with self._starting:
            self._closed.set()
            on_its_way = self._started_last
        self.takes.close()
        before = self._leave()
        self.batch.close()
        self.live_out.close()
        self.models.close()
        self.exporting.close()
        if before is not None:
            before.pipeline.close()
        elif on_its_way is not None:
            on_its_way.close()  # it runs, but its news was not collected yet
        return self._tasks.wait(limit - time.monotonic())

    # -- what comes back ----------------------------------------------------------------------

    def _started(self, choice: SourceChoice, wish: int) -> _Opened | None:
        """Open a source and start its pipeline; in an errand's thread."""
        playback: Playback | None = None
        source: Source
        if _is_stream(choice):
            source = open_source(choice.text, for_ever=True)
        else:
            text = choice.text
            playback = Playback(lambda: open_source(text), repeat=self._state.loop.value)
            source = paced(playback)
        try:
            pipeline = self._open_pipeline(source, self._options)
        except BaseException:
            source.close()
            raise
        with self._starting:  # against a `close` that would look for it too early
            wanted = not self._closed.is_set() and wish == self._wanted
            if wanted:
                pipeline.start()
                self._started_last = pipeline
        if not wanted:
            pipeline.close()  # nobody waits for it any more
            return None
        body = body_for_model(pipeline.options.model)
        return _Opened(wish, choice, pipeline, playback, source.facts, body)

    def _on_opened(self, opened: _Opened | None) -> None:
        if opened is None:
            return
        if opened.wish != self._wanted:
            self._let_go(opened)
            return
        self._opened = opened
        self._state.body.set(opened.body)
        self.live_out.attach(opened.pipeline)
        self.takes.source_opened(opened.pipeline, opened.facts, opened.choice)
        begun, now = opened.pipeline.options, self._options
        asked = (now.model, now.backend, now.people)
        if (begun.model, begun.backend, begun.people) != asked:  # while it was being opened
            opened.pipeline.reconfigure(now)
        self._on_loop_change(self._state.loop.value)
        self._on_inside_change(self._state.view.inside.value)
        self._state.live.set(opened.playback is None)
        is_camera = opened.choice.kind == "camera"
        self._state.mirror.set(is_camera and self._state.mirror_cameras.value)

    def _on_open_failed(self, choice: SourceChoice, error: Exception, wish: int) -> None:
        if wish != self._wanted:
            return
        self._state.phase.set(Phase.EMPTY)
        self._state.source.set(None)
        if choice.live and isinstance(error, InputError):
            self._reconnector.begin(choice, lambda: self._started(choice, wish))
            self._on_still_away(choice, error)
        else:
            self._state.message.set(Message("error", _line(error)))

    def _on_still_away(self, choice: SourceChoice, error: Exception) -> None:
        if isinstance(error, InputError):
            text = f"{_sentence(_line(error))} {choice.title} opens by itself as soon as it can."
            self._state.sources.trouble.set(text)
        else:
            self._reconnector.end()
            self._state.sources.trouble.set("")
            self._state.message.set(Message("error", _line(error)))

    def _on_come_back(self, choice: SourceChoice, opened: _Opened | None) -> None:
        if opened is not None and opened.wish == self._wanted:
            self._state.sources.trouble.set("")
            self._state.source.set(choice)
            self._state.phase.set(Phase.OPENING)
        self._on_opened(opened)

    def _on_broken(self, error: Exception) -> None:
        """The pipeline ended with an error."""
        shown = self._state.result.value is not None
        before = self._leave(keep_picture=shown)
        self._state.phase.set(Phase.ENDED if shown else Phase.EMPTY)
        if not shown:
            self._state.source.set(None)
        self._state.message.set(Message("error", _line(error)))
        self._let_go(before)

    def _on_end(self) -> None:
        if self._state.sources.queue.value.following is not None:
            self.go_through_files(1)
            return
        before = self._leave(keep_picture=True)
        if self._state.result.value is None:
            self._state.phase.set(Phase.EMPTY)
            self._state.message.set(Message("error", "There was no picture in it."))
        else:
            self._state.phase.set(Phase.ENDED)
        self._let_go(before)

    def _on_no_cameras(self, error: Exception) -> None:
        self._state.cameras.set(())
        self._state.message.set(Message("error", _line(error)))

    def _on_loop_change(self, loop: bool) -> None:
        if self._opened is not None and self._opened.playback is not None:
            self._opened.playback.repeat = loop

    def _on_inside_change(self, inside: bool) -> None:
        if self._opened is not None:
            self._opened.pipeline.inspect = inside

    def _on_body_change(self, _: Body) -> None:
        if self._state.live_out.status.value.on:
            self.live_out.start()  # a stream is of one body

    def _on_mirror_change(self, mirror: bool) -> None:
        if self._opened is not None and self._opened.choice.kind == "camera":
            self._state.mirror_cameras.set(mirror)

    def _show(self, result: FrameResult) -> None:
        if self._state.phase.value is Phase.OPENING:
            self._state.phase.set(Phase.PLAYING)
        self._shown_times.append(time.monotonic())
        self._shown_count += 1
        self.smoothing.follow(result)
        self._state.result.set(result)

    def _look_for_cameras(self) -> None:
        now = time.monotonic()
        if self._state.phase.value is not Phase.EMPTY or now < self._next_cameras:
            return
        self._next_cameras = now + _CAMERAS_EVERY
        nodes = camera_nodes()
        if nodes != self._camera_nodes:
            self._camera_nodes = nodes
            self.find_cameras()

    def _read_figures(self) -> None:
        now = time.monotonic()
        if now < self._next_figures or self._opened is None:
            return
        self._next_figures = now + _FIGURES_EVERY
        times = self._shown_times
        while times and now - times[0] > _SPEED_OVER:
            times.popleft()
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        health = self._opened.pipeline.health
        self._state.sources.trouble.set(_goes_on(health.trouble))
        self.smoothing.tell()
        result = self._state.result.value
        drawn = self._state.drawn.value
        timed = drawn.milliseconds if drawn is not None else None
        drawing = () if timed is None else (("draw", timed),)
        self._state.figures.set(
            Figures(
                frames_per_second=(len(times) - 1) / span if span > 0 else 0.0,
                delay=drawn.delay if drawn is not None else None,
                dropped=health.dropped,
                unshown=max(0, health.frames - self._shown_count),
                backend=health.backend,
                model=health.model,
                precision=health.precision,
                detector=health.detector,
                stages=(*health.milliseconds.items(), *drawing),
                people=len(result.people) if result is not None else 0,
                notices=health.notices,
            )
        )

    def _leave(self, *, keep_picture: bool = False) -> _Opened | None:
        """Forget the open source and give it back for closing; ends the recording."""
        self.takes.source_closed()
        self.live_out.detach()
        self.models.settle()
        self._wanted += 1
        self._reconnector.end()
        self.smoothing.forget()
        self._state.sources.trouble.set("")
        opened, self._opened = self._opened, None
        self._shown_times.clear()
        self._shown_count = 0
        if not keep_picture:
            self._state.result.set(None)
            self._state.drawn.set(None)
            self._state.figures.set(Figures())
        return opened

    def _use_options(self, options: PipelineOptions, changed: Changed | None) -> None:
        """Open what comes with other options; with `changed`, go on with them at once."""
        self._options = options
        if changed is None:
            return
        opened = self._opened
        if opened is None:
            changed(None)
            return

        def found(body: Body) -> None:
            if self._opened is not opened:
                changed(None)
            elif body.sha256 == opened.body.sha256:
                opened.pipeline.reconfigure(options, changed)
            else:
                # recording, smoothing and stream are of one body: all begins anew
                changed(None)
                queue = self._state.sources.queue.value
                self.open(opened.choice)
                self._state.sources.queue.set(queue)

        self._tasks.submit("find body", lambda: body_for_model(options.model), found, changed)

    def _adjust(self, options: PipelineOptions) -> None:
        self._options = options
        if self._opened is not None:
            self._opened.pipeline.update_parameters(options)

    def _let_go(self, opened: _Opened | None) -> None:
        if opened is not None:
            self._tasks.submit("close", opened.pipeline.close, lambda _: None, _log_failure)


def options_from(
    settings: Settings, model: str | None = None, backend: str | None = None
) -> PipelineOptions:
    """How frames become people: the settings, and what was asked for this time."""
    return PipelineOptions(
        model=model or settings.model,
        backend=backend or settings.backend,
        people=settings.people,
        fov=settings.fov,
        smoothing="live" if settings.smoothing > 0 else "off",
        smoothing_strength=settings.smoothing,
        cache=platformdirs.user_cache_path("pymaf-live", appauthor=False) / "models",
    )


def _goes_on(trouble: str) -> str:
    """What a person reads while a running camera gives nothing."""
    if not trouble:
        return ""
    said = _sentence(f"{trouble[:1].upper()}{trouble[1:]}")
    return f"{said} It goes on by itself, and a recording with it."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _is_stream(choice: SourceChoice) -> bool:
    return choice.kind in ("camera", "stream")


def _line(error: Exception) -> str:
    """One line for a person; what is not meant for one goes to the log as well."""
    if isinstance(error, PymafLiveError):
        text = str(error)
        return text[:1].upper() + text[1:]
    _log_failure(error)
    return f"Something went wrong inside PyMAF Live ({type(error).__name__}: {error})."


def _log_failure(error: Exception) -> None:
    _log.error("an errand failed", exc_info=error)
