"""Capture a whole video in a process of its own, and open the take that comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.system.reporter import Reporter
from pymaf_live.takes.library import TakeEntry
from pymaf_live.workflows.background import capture_in_background
from pymaf_live.workflows.capture import CaptureOptions
from ui.controllers.messages import Messages
from ui.controllers.take_store import TakeStore
from ui.controllers.task_progress import TaskProgress
from ui.state.capture import CaptureProgress
from ui.state.commands import CaptureCommands
from ui.state.window import TakePhase, WindowState, video_of
from ui.system.task_runner import TaskRunner

_UPDATE_INTERVAL = 0.2
"""Seconds between two updates of the progress."""

Capture = Callable[[Path, CaptureOptions, Reporter], TakeEntry]


class CaptureController(CaptureCommands):
    """Captures one video at a time.

    Parameters
    ----------
    state : WindowState
        Its `capture` is written here.
    tasks : TaskRunner
    store : TakeStore
    pause : callable
        Pauses the playback, which would take processor time from the capture.
    open_take : callable
        Opens a take by its id.
    options : callable
        Returns the current pipeline options.
    smoothing_strength : callable
        Returns the strength of the offline smoothing, 0..1.
    messages : Messages
    find_interrupted : callable
        Lists the interrupted recordings anew.
    capture : Capture, optional
        Captures a video; blocks.
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        store: TakeStore,
        pause: Callable[[], None],
        open_take: Callable[[str], None],
        options: Callable[[], PipelineOptions],
        smoothing_strength: Callable[[], float],
        messages: Messages,
        find_interrupted: Callable[[], None],
        capture: Capture = capture_in_background,
    ) -> None:
        self._window = state
        self._state = state.capture
        self._tasks = tasks
        self._store = store
        self._pause = pause
        self._open_take = open_take
        self._options = options
        self._smoothing_strength = smoothing_strength
        self._messages = messages
        self._find_interrupted = find_interrupted
        self._capture = capture
        self._progress = TaskProgress(state.capture.progress, _UPDATE_INTERVAL)

    def start(self) -> None:
        """See `CaptureCommands.start`."""
        video = video_of(self._window)
        if video is not None:
            self._start(video)

    def resume(self, video: Path) -> None:
        """See `CaptureCommands.resume`."""
        self._start(video)

    def _start(self, video: Path) -> None:
        if self._progress.running:
            return
        self._pause()
        interrupted, path = self._window.takes.interrupted, Path(os.path.realpath(video))
        interrupted.set(
            tuple(
                each
                for each in interrupted.value
                if not (each.about.captured and each.about.file == path)
            )
        )
        task = self._progress.start(CaptureProgress(video, "Starting…"))
        options = CaptureOptions(
            self._options(), self._smoothing_strength() or 0.5, self._store.library
        )

        def done(entry: TakeEntry) -> None:
            self._progress.end()
            self._store.refresh()
            recording = self._window.take.value.phase is TakePhase.RECORDING
            if video_of(self._window) == video and not recording:
                self._open_take(entry.id)
            else:
                self._messages.take(f"{video.name} was captured.", entry.id)

        def failed(error: Exception) -> None:
            self._progress.end()
            self._messages.error(error)
            self._store.refresh()
            self._find_interrupted()

        self._tasks.submit("capture", lambda: self._capture(video, options, task), done, failed)

    def cancel(self) -> None:
        """See `CaptureCommands.cancel`."""
        self._progress.cancel()

    def tick(self) -> None:
        """Update the progress when it is due; never blocks."""
        due = self._progress.due()
        if due is None:
            return
        task, progress = due
        self._state.progress.set(
            replace(
                progress,
                text=task.detail[:1].upper() + task.detail[1:] or progress.text,
                fraction=task.fraction,
                seconds_left=task.seconds_left,
            )
        )

    def close(self) -> None:
        """End the capture: the window is closing. What was captured can be recovered."""
        self._progress.abandon()
