"""Record what plays, and recover recordings of interrupted runs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.takes.library import TakeEntry, UnfinishedRecording
from pymaf_live.types import SourceFacts
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from pymaf_live.workflows.pre_roll_recorder import LiveRecording, PreRollRecorder
from ui.controllers.messages import Messages
from ui.controllers.source_session import SourceSession
from ui.controllers.take_store import TakeStore
from ui.controllers.take_tasks import TakeTasks
from ui.state.commands import RecordingCommands
from ui.state.source import SourceChoice
from ui.state.window import TakePhase, TakeStatus, WindowState, take_status
from ui.system.task import Task
from ui.system.task_runner import TaskRunner

_STATUS_INTERVAL = 0.1
"""Seconds of recording between two updates of its length."""
_CLOSE_SECONDS = 1.5
"""Longest wait for a recording to be on disk before its recorder is closed."""


class RecordedTake:
    """A recording that is, or will become, a take of the library."""

    def __init__(self) -> None:
        self.id: str | None = None
        """Id in the library; None before the first frame."""
        self.ready = threading.Event()
        """Set once the take has been made, or has failed."""
        self.error: Exception | None = None


@dataclass(frozen=True)
class _RecordableSource:
    pipeline: Pipeline
    facts: SourceFacts
    choice: SourceChoice
    recorder: PreRollRecorder


class RecordingController(RecordingCommands):
    """Records the open source and makes takes of recordings.

    Parameters
    ----------
    state : WindowState
        Written here: `take`, and of `takes` the countdown and the interrupted recordings.
    tasks : TaskRunner
    take_tasks : TakeTasks
    store : TakeStore
    smoothing_strength : callable
        Returns the strength of the offline smoothing, 0..1.
    messages : Messages
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        take_tasks: TakeTasks,
        store: TakeStore,
        smoothing_strength: Callable[[], float],
        messages: Messages,
    ) -> None:
        self._window = state
        self._state = state.takes
        self._tasks = tasks
        self._take_tasks = take_tasks
        self._store = store
        self._smoothing_strength = smoothing_strength
        self._messages = messages
        self.latest: RecordedTake | None = None
        """The most recent recording of this run."""
        self._source: _RecordableSource | None = None
        self._recording: LiveRecording | None = None
        self._last_recording: LiveRecording | None = None
        self._starts_at = 0.0
        self._closing = threading.Event()
        state.people.names.watch(self._on_names_change)

    def source_opened(self, session: SourceSession) -> None:
        """Keep the pre-roll of a new source and allow recording it."""
        recorder = PreRollRecorder(session.facts, lambda: self._state.pre_roll.value)
        self._source = _RecordableSource(session.pipeline, session.facts, session.choice, recorder)
        session.pipeline.set_recorder(recorder.add)

    def source_closed(self) -> None:
        """Finish the recording of a source that is being closed."""
        self.stop()
        source, self._source = self._source, None
        if source is None:
            return
        source.pipeline.set_recorder(None)
        recorder, last = source.recorder, self._last_recording

        def close() -> None:
            if last is not None:
                last.finished.wait(_CLOSE_SECONDS)  # what is queued for writing comes first
            recorder.close()

        self._tasks.submit("close recorder", close, lambda _: None, lambda _: None)

    def record(self) -> None:
        """See `RecordingCommands.record`."""
        source = self._source
        if source is None or not source.pipeline.ready or self._recording is not None:
            return
        if self._state.count_down_left.value:
            self._state.count_down_left.set(0)
            return
        seconds = self._state.count_down.value
        if seconds:
            self._starts_at = time.monotonic() + seconds
            self._state.count_down_left.set(seconds)
        else:
            self._start(source)

    def stop(self) -> None:
        """See `RecordingCommands.stop`."""
        self._state.count_down_left.set(0)
        recording, self._recording = self._recording, None
        latest = self.latest
        if recording is None or latest is None:
            return
        if self._source is not None:
            self._source.recorder.end()
        self._window.take.set(
            TakeStatus(TakePhase.READY, recording.seconds, recording.rows, exported=False)
        )
        failure = recording.failure

        def work(task: Task) -> TakeEntry | None:
            try:
                recording.finish()
                if latest.id is None:
                    raise failure or InputError("nothing was recorded: no frame arrived")
                # the recording is safe on disk: if the program ends, the next run makes its take
                return None if self._closing.is_set() else self._finalize(latest.id, task)
            except Exception as error:
                latest.error = error
                raise
            finally:
                latest.ready.set()

        def done(entry: TakeEntry | None) -> None:
            if entry is None:
                return
            if self.latest is latest and self._window.take.value.phase is TakePhase.READY:
                self._window.take.set(take_status(entry.about))
            self._store.refresh()

        def failed(error: Exception) -> None:
            if self.latest is latest:
                self._window.take.set(TakeStatus())
            self._messages.error(error)

        self._take_tasks.submit(Task("Smoothing the take…"), work, done, failed)

    def find_interrupted(self) -> None:
        """List recordings of interrupted runs; make takes of those that were complete."""

        def found(recordings: tuple[UnfinishedRecording, ...]) -> None:
            for recording in recordings:
                if recording.complete:
                    self.recover(recording.id)
            self._state.interrupted.set(tuple(each for each in recordings if not each.complete))

        self._tasks.submit(
            "find recordings", self._store.library.unfinished, found, self._messages.error
        )

    def recover(self, take_id: str) -> None:
        """See `RecordingCommands.recover`."""
        self._remove_interrupted(take_id)

        def done(entry: TakeEntry) -> None:
            self._messages.done(f"The recording was saved as the take “{entry.about.name}”.")
            self._store.refresh()

        self._take_tasks.submit(
            Task("Recovering the recording…"),
            lambda task: self._finalize(take_id, task),
            done,
            self._messages.error,
        )

    def discard(self, take_id: str) -> None:
        """See `RecordingCommands.discard`."""
        self._remove_interrupted(take_id)
        self._tasks.submit(
            "discard recording",
            lambda: self._store.library.delete(take_id),
            lambda _: None,
            self._messages.error,
        )

    def take_deleted(self, take_id: str) -> None:
        """Forget the latest recording if its take has been deleted."""
        if self.latest is not None and self.latest.id == take_id:
            self.latest = None
            if self._window.take.value.phase is TakePhase.READY:
                self._window.take.set(TakeStatus())

    def latest_status(self) -> TakeStatus:
        """Return the status of the latest recording's take; empty if there is none."""
        take_id = self.latest.id if self.latest is not None else None
        entry = next((each for each in self._state.entries.value if each.id == take_id), None)
        return TakeStatus() if entry is None else take_status(entry.about)

    @property
    def is_idle(self) -> bool:
        """True while nothing is recorded and no countdown runs."""
        return self._recording is None and not self._state.count_down_left.value

    def tick(self) -> None:
        """Update countdown and status."""
        self._count_down()
        self._update_status()

    def close(self) -> None:
        """Make no more takes: the window is closing."""
        self._closing.set()

    def _start(self, source: _RecordableSource) -> None:
        latest = RecordedTake()

        def begin() -> Path:
            library = self._store.library
            latest.id = library.begin(source.choice.title, source.facts.path)
            return library.folder(latest.id)

        body = self._window.body.value
        recording = LiveRecording(begin, body, source.facts, source.pipeline.health.model)
        recording.set_names(self._window.people.names.value)
        self.latest, self._recording, self._last_recording = latest, recording, recording
        source.recorder.begin(recording)
        self._window.take.set(TakeStatus(TakePhase.RECORDING))

    def _finalize(self, take_id: str, task: Task) -> TakeEntry:
        options = FinalizeOptions(
            self._smoothing_strength(), legs=self._window.preferences.legs.value
        )
        return finalize(self._store.library, take_id, options, task)

    def _count_down(self) -> None:
        if not self._state.count_down_left.value:
            return
        left = self._starts_at - time.monotonic()
        self._state.count_down_left.set(max(0, math.ceil(left)))
        if left <= 0 and self._source is not None:
            self._start(self._source)

    def _update_status(self) -> None:
        recording, status = self._recording, self._window.take.value
        if recording is None:
            return
        if recording.failure is not None:
            failure = recording.failure
            self.stop()
            self._messages.error_line(f"The recording was stopped: {failure}.")
        elif recording.seconds - status.seconds >= _STATUS_INTERVAL or (
            recording.rows and not status.rows
        ):
            self._window.take.set(
                TakeStatus(TakePhase.RECORDING, recording.seconds, recording.rows)
            )

    def _on_names_change(self, names: dict[int, str]) -> None:
        if self._recording is not None:
            self._recording.set_names(names)

    def _remove_interrupted(self, take_id: str) -> None:
        self._state.interrupted.set(
            tuple(each for each in self._state.interrupted.value if each.id != take_id)
        )
