"""Progress of the one background task of a controller, as the window shows it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Generic, TypeVar

from ui.state.capture import CaptureProgress
from ui.state.export import ExportProgress
from ui.state.observable import Observable
from ui.system.task import Task

_Progress = TypeVar("_Progress", CaptureProgress, ExportProgress)


class TaskProgress(Generic[_Progress]):
    """A task and its progress in the state.

    Parameters
    ----------
    shown : Observable
        Progress in the state; None while no task is running.
    interval : float
        Seconds between two updates.
    """

    def __init__(self, shown: Observable[_Progress | None], interval: float) -> None:
        self._shown: Observable[_Progress | None] = shown
        self._interval = interval
        self._task = Task()
        self._next_update = 0.0

    @property
    def running(self) -> bool:
        """True from `start` to `end`."""
        return self._shown.value is not None

    def start(self, first: _Progress) -> Task:
        """Show a first progress and return the task to run with."""
        self._task = Task()
        self._shown.set(first)
        return self._task

    def end(self) -> None:
        """Show no progress: the task has ended, in whatever way."""
        self._shown.set(None)

    def cancel(self) -> None:
        """Cancel the task, and say so until it ends."""
        self._task.cancel()
        progress = self._shown.value
        if progress is not None:
            self._shown.set(replace(progress, text="Cancelling…", stopping=True))

    def due(self) -> tuple[Task, _Progress] | None:
        """Return the task and what is shown of it if that is to be updated now, else None."""
        progress, now = self._shown.value, time.monotonic()
        if progress is None or progress.stopping or now < self._next_update:
            return None
        self._next_update = now + self._interval
        return self._task, progress

    def close(self) -> None:
        """Cancel the task: the window is closing."""
        self._task.cancel()

    def abandon(self) -> None:
        """End the task at once: what it has done can be recovered."""
        self._task.abandon()
