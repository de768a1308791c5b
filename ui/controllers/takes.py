"""What is done with takes: recording, keeping, looking at them, editing and measuring again.

Belongs to the controller and is called in the GUI's thread; whatever takes its time is an errand.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.registry import body_by_hash
from pymaf_live.errors import BodyMismatchError, InputError, Interrupted
from pymaf_live.pipeline.estimator import EstimatorFactory
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.takes import trimmed
from pymaf_live.takes.editing import (
    trim_of,
    with_marker,
    with_moved_marker,
    with_trim,
    without_marker,
)
from pymaf_live.takes.library import (
    AboutTake,
    StoredTake,
    TakeEntry,
    TakeLibrary,
    UnfinishedRecording,
    clean_name,
)
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, SourceFacts
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from pymaf_live.workflows.pre_roll_recorder import LiveRecording, PreRollRecorder
from pymaf_live.workflows.reestimate import ReestimateOptions, ReestimateResult, reestimate
from pymaf_live.workflows.take_images import open_take_images
from ui.controllers.take_player import TakeReview
from ui.controllers.undo import History
from ui.state.take import OpenTake, Playhead, Task
from ui.state.window import Message, Phase, SourceChoice, TakePhase, TakeStatus, WindowState
from ui.system.task_runner import TaskRunner

T = TypeVar("T")

_SAVE_AFTER = 1.0
"""Seconds after the last edit: a take is not written anew for each of many steps."""
_KEEP_SECONDS = 120.0
"""How long an export waits for a take that is being smoothed."""
_CLOSE_SECONDS = 1.5


class _Work:
    """An errand whose progress is shown; told in its thread, read in the GUI's."""

    def __init__(self, text: str, *, can_cancel: bool = False) -> None:
        self.text = text
        self.can_cancel = can_cancel
        self.fraction = 0.0
        self.cancel = threading.Event()

    def progress(self, fraction: float | None, detail: str = "") -> None:
        self.fraction = fraction or 0.0

    def message(self, text: str) -> None:
        pass

    def cancelled(self) -> bool:
        return self.cancel.is_set()


class _Made:
    """A take in the library, or on its way there."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.ready = threading.Event()
        self.error: Exception | None = None


@dataclass(frozen=True)
class _Playing:
    """The source that can be recorded."""

    pipeline: Pipeline
    facts: SourceFacts
    choice: SourceChoice
    recorder: PreRollRecorder


class Takes:
    """Records, keeps, shows and edits takes.

    Parameters
    ----------
    state : WindowState
        Written here: `take`, `takes` and, while a take is looked at, `phase` and `result`.
    tasks : TaskRunner
    leave : callable
        Closes the source or take that is open; the phase is EMPTY then.
    options : callable
        Gives how frames become people now.
    strength : callable
        Gives the strength of the smoothing, 0..1.
    tell : callable
        Shows a person what went wrong.
    library : TakeLibrary, optional
    open_estimator : callable, optional
        For measuring again.
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        leave: Callable[[], None],
        options: Callable[[], PipelineOptions],
        strength: Callable[[], float],
        tell: Callable[[Exception], None],
        library: TakeLibrary | None = None,
        open_estimator: EstimatorFactory = open_estimator,
    ) -> None:
        self._window = state
        self._state = state.takes
        self._tasks = tasks
        self._leave = leave
        self._options = options
        self._strength = strength
        self._tell_error = tell
        self._open_estimator = open_estimator
        self.library = library or TakeLibrary()
        self.history = History()
        self._playing: _Playing | None = None
        self._recording: LiveRecording | None = None
        self._last_recording: LiveRecording | None = None
        self._made: _Made | None = None
        self._begin_at = 0.0
        self._works: list[_Work] = []
        self._review: TakeReview | None = None
        self._opening = 0
        self._save_at: float | None = None
        self._save_numbers = itertools.count(1)
        self._saved: dict[str, int] = {}
        self._save_lock = threading.Lock()
        self._closed = threading.Event()
        state.people.names.watch(self._on_names_change)

    # -- recording ----------------------------------------------------------------------------

    def source_opened(self, pipeline: Pipeline, facts: SourceFacts, choice: SourceChoice) -> None:
        """A source plays from now on."""
        recorder = PreRollRecorder(facts, lambda: self._state.pre_roll.value)
        self._playing = _Playing(pipeline, facts, choice, recorder)
        pipeline.set_recorder(recorder.add)

    def source_closed(self) -> None:
        """It plays no more: a recording ends and is kept, a take is put away."""
        self.cancel_count()
        self.stop()
        playing, self._playing = self._playing, None
        if playing is not None:
            playing.pipeline.set_recorder(None)
            recorder, last = playing.recorder, self._last_recording

            def close() -> None:
                if last is not None:
                    last.finished.wait(_CLOSE_SECONDS)  # what waits to be written comes first
                recorder.close()

            self._tasks.submit("close recorder", close, lambda _: None, lambda _: None)
        self._put_away()

    def record(self) -> None:
        """Begin a recording of what plays, after the count-down; called again, end that."""
        playing = self._playing
        if playing is None or not playing.pipeline.ready or self._recording is not None:
            return
        if self._state.counting.value:
            self.cancel_count()
            return
        seconds = self._state.count_down.value
        if seconds:
            self._begin_at = time.monotonic() + seconds
            self._state.counting.set(seconds)
        else:
            self._begin(playing)

    def cancel_count(self) -> None:
        """Do not record after all."""
        self._state.counting.set(0)

    def stop(self) -> None:
        """End the recording; it is kept, and smoothed knowing what came later."""
        recording, self._recording = self._recording, None
        made = self._made
        if recording is None or made is None:
            return
        if self._playing is not None:
            self._playing.recorder.end()
        self._window.take.set(
            TakeStatus(TakePhase.READY, recording.seconds, recording.rows, exported=False)
        )
        failure = recording.failure

        def work(task: _Work) -> TakeEntry | None:
            try:
                recording.finish()
                if made.id is None:
                    raise failure or InputError("nothing was recorded: no frame came")
                # when the program ends the recording is safe as it is; the next run makes its take
                return None if self._closed.is_set() else self._kept(made.id, task)
            except Exception as error:
                made.error = error
                raise
            finally:
                made.ready.set()

        def done(entry: TakeEntry | None) -> None:
            if entry is None:
                return
            if self._made is made and self._window.take.value.phase is TakePhase.READY:
                exported = self._window.take.value.exported
                self._window.take.set(_status(entry.about, exported))
            self.refresh()

        def failed(error: Exception) -> None:
            if self._made is made:
                self._window.take.set(TakeStatus())
            self._tell(error)

        self._run("keep take", "Smoothing the take…", work, done, failed)

    # -- the library --------------------------------------------------------------------------

    def find(self) -> None:
        """List what is kept, and what an earlier run left behind."""
        self.refresh()

        def found(recordings: tuple[UnfinishedRecording, ...]) -> None:
            for recording in recordings:
                if recording.complete:
                    self.keep_found(recording.id)
            self._state.found.set(tuple(each for each in recordings if not each.complete))

        self._tasks.submit("find recordings", self.library.unfinished, found, self._tell)

    def refresh(self) -> None:
        """List what is kept."""
        self._tasks.submit("list takes", self.library.entries, self._state.entries.set, self._tell)

    def keep_found(self, take: str) -> None:
        """Make a take of a recording that was left behind."""
        self._forget_found(take)

        def done(entry: TakeEntry) -> None:
            self._window.message.set(Message("done", f"Kept as “{entry.about.name}”."))
            self.refresh()

        self._run(
            "keep found", "Making a take…", lambda task: self._kept(take, task), done, self._tell
        )

    def discard_found(self, take: str) -> None:
        """Throw a recording away that was left behind."""
        self._forget_found(take)
        self._tasks.submit(
            "discard found", lambda: self.library.delete(take), lambda _: None, self._tell
        )

    def rename(self, take: str, name: str) -> None:
        """Give a take another name; can be undone."""
        name = clean_name(name)
        before = next((e.about.name for e in self._state.entries.value if e.id == take), None)
        if not name or before is None or name == before:
            return
        self._rename(take, name)
        self.history.note(
            "rename", lambda: self._rename(take, before), lambda: self._rename(take, name)
        )

    def delete(self, take: str) -> None:
        """Remove a take for good."""
        opened = self._state.opened.value
        if opened is not None and opened.id == take:
            self._save_at = None
            self._leave()
        self.history.clear()
        if self._made is not None and self._made.id == take:
            self._made = None
            if self._window.take.value.phase is TakePhase.READY:
                self._window.take.set(TakeStatus())

        def work() -> None:
            with self._save_lock:
                self._saved[take] = next(self._save_numbers)  # what waits to be saved is void
                self.library.delete(take)

        self._tasks.submit("delete take", work, lambda _: self.refresh(), self._tell_and_refresh)

    def open(self, take: str) -> None:
        """Look at a take; what plays is closed."""
        self._save()
        self._opening += 1
        wish = self._opening

        def work() -> tuple[OpenTake, Body]:
            with self._save_lock:
                stored = self.library.load(take)
            file = stored.about.file
            full_size = file is not None and file.exists()
            some = full_size or self.library.image_copies(take) is not None
            opened = OpenTake(take, stored, full_size, some)
            return opened, body_by_hash(stored.take.body_sha256)

        def done(found: tuple[OpenTake, Body]) -> None:
            if wish == self._opening and not self._closed.is_set():
                self._show(*found)

        self._tasks.submit("open take", work, done, self._tell)

    def open_last(self) -> None:
        """Look at the take that was recorded last."""
        made = self._made
        if made is not None and made.ready.is_set() and made.id is not None:
            self.open(made.id)
        elif self._state.entries.value:
            self.open(self._state.entries.value[0].id)

    def current_take(self) -> Take:
        """What an export writes: the take that is looked at, else the one recorded last; trimmed.

        For an errand's thread: waits until the take is smoothed.

        Raises
        ------
        InputError
            If there is none.
        """
        opened = self._state.opened.value
        if opened is not None:
            return trimmed(opened.stored.take)
        made = self._made
        if made is None:
            raise InputError("there is no take; record one, or open one from the list")
        if not made.ready.wait(_KEEP_SECONDS):
            raise InputError("the take is still being smoothed")
        if made.error is not None:
            raise made.error
        if made.id is None:
            raise InputError("there is no take; record one, or open one from the list")
        with self._save_lock:
            return trimmed(self.library.load(made.id).take)

    def current_name(self) -> str:
        """What the take of `current_take` is called; empty where it has no name yet."""
        opened = self._state.opened.value
        if opened is not None:
            return opened.stored.about.name
        made = self._made.id if self._made is not None else None
        return next((e.about.name for e in self._state.entries.value if e.id == made), "")

    # -- the open take ------------------------------------------------------------------------

    def play(self) -> None:
        """Let it go on."""
        if self._review is not None:
            self._review.play()
            self._window.phase.set(Phase.PLAYING)

    def pause(self) -> None:
        """Hold it."""
        if self._review is not None:
            self._review.pause()
            self._window.phase.set(Phase.PAUSED)

    def go_to(self, frame: int) -> None:
        """Show a frame."""
        if self._review is not None:
            self._review.go_to(frame)

    def step(self, frames: int) -> None:
        """Hold it and go some frames forward or, below 0, back."""
        if self._review is not None:
            self.pause()
            self._review.go_to(self._review.frame + frames)

    def trim(self, first: int, last: int) -> None:
        """Leave out what is before and after; can be undone."""
        opened = self._state.opened.value
        if opened is not None:
            take = with_trim(opened.stored.take, first, last)
            if take.trim != opened.stored.take.trim:
                self._edit("trim", replace(opened.stored, take=take))

    def begin_here(self) -> None:
        """Leave out what comes before the frame that is shown."""
        opened = self._state.opened.value
        if opened is not None:
            frame = self._state.playhead.value.frame
            self.trim(frame, max(frame, trim_of(opened.stored.take)[1]))

    def end_here(self) -> None:
        """Leave out what comes after the frame that is shown."""
        opened = self._state.opened.value
        if opened is not None:
            frame = self._state.playhead.value.frame
            self.trim(min(frame, trim_of(opened.stored.take)[0]), frame)

    def trim_nothing(self) -> None:
        """Have the whole take again."""
        opened = self._state.opened.value
        if opened is not None:
            self.trim(0, len(opened.stored.take.frame_time) - 1)

    def mark(self, name: str) -> None:
        """Set a marker at the frame that is shown; can be undone."""
        opened = self._state.opened.value
        if opened is not None:
            take = with_marker(opened.stored.take, self._state.playhead.value.frame, name)
            self._edit("marker", replace(opened.stored, take=take))

    def unmark(self, frame: int) -> None:
        """Remove the marker of a frame; can be undone."""
        opened = self._state.opened.value
        if opened is not None and frame in opened.stored.take.marker_frame:
            take = without_marker(opened.stored.take, frame)
            self._edit("removed marker", replace(opened.stored, take=take))

    def change_people(self, text: str, change: Callable[[Take], Take]) -> None:
        """Do something to the people of the open take and of its measurement; can be undone."""
        opened = self._state.opened.value
        if opened is not None:
            stored = opened.stored
            self._edit(text, replace(stored, take=change(stored.take), raw=change(stored.raw)))

    def move_marker(self, frame: int, to: int) -> None:
        """Put the marker of a frame at another; can be undone."""
        opened = self._state.opened.value
        if opened is not None and frame in opened.stored.take.marker_frame:
            take = with_moved_marker(opened.stored.take, frame, to)
            if take.marker_frame != opened.stored.take.marker_frame:
                self._edit("moved marker", replace(opened.stored, take=take))

    def correct(self, box: Array) -> None:
        """Measure again from the frame that is shown on, beginning in a box; can be undone.

        Parameters
        ----------
        box : (4,) array
            x0, y0, x1, y1 frame pixels.
        """
        opened = self._state.opened.value
        if opened is None or not opened.pictures or any(w.can_cancel for w in self._works):
            return
        self.pause()
        frame = self._state.playhead.value.frame
        stored = opened.stored
        pipeline, strength = self._options(), self._strength()
        copies = self.library.image_copies(opened.id)

        def work(task: _Work) -> ReestimateResult:
            options = ReestimateOptions(
                frame,
                np.asarray(box, np.float64),
                pipeline=pipeline,
                smoothing_strength=strength,
                image_copies=copies,
                open_estimator=self._open_estimator,
            )
            try:
                return reestimate(stored, options, task)
            except BodyMismatchError as error:
                raise InputError(f"{error}; select a model with that body on the Model page") from (
                    error
                )

        def done(result: ReestimateResult) -> None:
            now = self._state.opened.value
            if now is None or now.id != opened.id:
                return
            edited = now.stored.take  # trim and markers may have changed in the meantime
            take = replace(
                result.stored.take,
                trim=edited.trim,
                marker_frame=edited.marker_frame,
                marker_name=edited.marker_name,
            )
            corrections = result.stored.about.corrections
            about = now.stored.about.model_copy(update={"corrections": corrections})
            self._edit("correction", StoredTake(about, take, result.stored.raw))

        self._run("correct take", "Measuring again…", work, done, self._tell, can_cancel=True)

    def cancel_work(self) -> None:
        """End the work that can be cancelled."""
        for task in self._works:
            if task.can_cancel:
                task.cancel.set()

    # -- the timer, and the end ---------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether nothing is recorded, counted down to or about to be shown."""
        recording = self._recording is not None or self._state.counting.value > 0
        return not recording and (self._review is None or self._review.settled)

    def tick(self) -> None:
        """Bring the state up to date; never blocks."""
        self._count()
        self._follow_recording()
        shown = self._works[-1] if self._works else None
        self._state.task.set(
            None if shown is None else Task(shown.text, round(shown.fraction, 2), shown.can_cancel)
        )
        if self._review is not None and self._review.tick(self._window.loop.value):
            self._window.phase.set(Phase.PAUSED)
        if self._save_at is not None and time.monotonic() >= self._save_at:
            self._save()

    def close(self) -> None:
        """Nothing more will be asked; the errands that this leaves are quick."""
        self._closed.set()
        for task in self._works:
            task.cancel.set()
        self.source_closed()

    # -- within -------------------------------------------------------------------------------

    def _begin(self, playing: _Playing) -> None:
        made = _Made()

        def begin() -> Path:
            made.id = self.library.begin(playing.choice.title, playing.facts.path)
            return self.library.folder(made.id)

        body = self._window.body.value
        recording = LiveRecording(begin, body, playing.facts, playing.pipeline.health.model)
        recording.set_names(self._window.people.names.value)
        self._made, self._recording, self._last_recording = made, recording, recording
        playing.recorder.begin(recording)
        self._window.take.set(TakeStatus(TakePhase.RECORDING))

    def _on_names_change(self, names: dict[int, str]) -> None:
        if self._recording is not None:
            self._recording.set_names(names)

    def _count(self) -> None:
        if not self._state.counting.value:
            return
        left = self._begin_at - time.monotonic()
        self._state.counting.set(max(0, int(np.ceil(left))))
        if left <= 0 and self._playing is not None:
            self._begin(self._playing)

    def _follow_recording(self) -> None:
        recording, status = self._recording, self._window.take.value
        if recording is None:
            return
        if recording.failure is not None:
            failure = recording.failure
            self.stop()
            self._window.message.set(Message("error", f"The recording was ended: {failure}"))
        elif recording.seconds - status.seconds >= 0.1 or (recording.rows and not status.rows):
            self._window.take.set(
                TakeStatus(TakePhase.RECORDING, recording.seconds, recording.rows)
            )

    def _kept(self, take: str, task: _Work) -> TakeEntry:
        return finalize(self.library, take, FinalizeOptions(self._strength()), task)

    def _show(self, opened: OpenTake, body: Body) -> None:
        self._leave()
        self._window.body.set(body)
        self.history.clear()
        stored, library = opened.stored, self.library
        copy = library.image_copies(opened.id)
        self._window.mirror.set(False)
        self._window.live.set(False)
        self._state.opened.set(opened)
        self._window.phase.set(Phase.PAUSED)
        self._review = TakeReview(
            stored.take,
            stored.raw,
            lambda: open_take_images(stored.raw, stored.about.file, copy),
            self._window.result.set,
            lambda frame, playing: self._state.playhead.set(Playhead(frame, playing)),
        )
        self._window.take.set(_status(stored.about, exported=False))

    def _put_away(self) -> None:
        if self._review is None:
            return
        self._save()
        review, self._review = self._review, None
        self.history.clear()
        for task in self._works:
            if task.can_cancel:
                task.cancel.set()
        self._state.boxing.set(False)
        self._state.opened.set(None)
        self._state.playhead.set(Playhead())
        self._tasks.submit("close take", review.close, lambda _: None, lambda _: None)
        made = self._made.id if self._made is not None else None
        last = next((e for e in self._state.entries.value if e.id == made), None)
        self._window.take.set(TakeStatus() if last is None else _status(last.about, exported=False))

    def _edit(self, text: str, after: StoredTake) -> None:
        opened = self._state.opened.value
        if opened is None:
            return
        before = opened.stored
        self._put(after)
        self.history.note(text, lambda: self._put(before), lambda: self._put(after))

    def _put(self, stored: StoredTake) -> None:
        opened = self._state.opened.value
        if opened is None or self._review is None:
            return
        # a name is changed beside the edits, and is not undone by undoing them
        about = stored.about.model_copy(update={"name": opened.stored.about.name})
        stored = replace(stored, about=about)
        self._state.opened.set(replace(opened, stored=stored))
        self._review.replace(stored.take, stored.raw)
        first, last = trim_of(stored.take)
        seconds = float(stored.take.frame_time[last] - stored.take.frame_time[first])
        rows = int(np.diff(np.searchsorted(stored.take.frame, [first, last + 1]))[0])
        self._window.take.set(TakeStatus(TakePhase.READY, seconds, rows))
        self._save_at = time.monotonic() + _SAVE_AFTER

    def _save(self) -> None:
        """Write the open take if it was edited."""
        opened = self._state.opened.value
        if self._save_at is None or opened is None:
            return
        self._save_at = None
        number = next(self._save_numbers)

        def work() -> None:
            with self._save_lock:
                if self._saved.get(opened.id, 0) < number:
                    self.library.save(opened.id, opened.stored)
                    self._saved[opened.id] = number

        self._tasks.submit("save take", work, lambda _: self.refresh(), self._tell)

    def _rename(self, take: str, name: str) -> None:
        opened = self._state.opened.value
        if opened is not None and opened.id == take:
            about = opened.stored.about.model_copy(update={"name": name})
            self._state.opened.set(replace(opened, stored=replace(opened.stored, about=about)))
            self._save_at = time.monotonic()
            return

        def work() -> None:
            with self._save_lock:
                self.library.rename(take, name)

        self._tasks.submit("rename take", work, lambda _: self.refresh(), self._tell_and_refresh)

    def _forget_found(self, take: str) -> None:
        self._state.found.set(tuple(each for each in self._state.found.value if each.id != take))

    def _run(
        self,
        name: str,
        text: str,
        work: Callable[[_Work], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
        *,
        can_cancel: bool = False,
    ) -> None:
        """An errand with progress."""
        task = _Work(text, can_cancel=can_cancel)
        self._works.append(task)

        def after(then: Callable[[], None]) -> None:
            self._works.remove(task)
            then()

        self._tasks.submit(
            name,
            lambda: work(task),
            lambda result: after(lambda: done(result)),
            lambda error: after(lambda: failed(error)),
        )

    def _tell(self, error: Exception) -> None:
        if not isinstance(error, Interrupted):
            self._tell_error(error)
        elif not self._closed.is_set():
            text = str(error)
            self._window.message.set(Message("note", text[:1].upper() + text[1:]))

    def _tell_and_refresh(self, error: Exception) -> None:
        self._tell(error)
        self.refresh()


def _status(about: AboutTake, exported: bool) -> TakeStatus:
    return TakeStatus(TakePhase.READY, about.seconds, about.rows, exported)
