"""Background work on takes, shown in the status line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ui.state.take import TakesState, TaskStatus
from ui.system.task import Task
from ui.system.task_runner import TaskRunner

T = TypeVar("T")


class TakeTasks:
    """Runs work on takes in threads and shows the progress of the latest.

    Parameters
    ----------
    state : TakesState
        Its `task` is written here.
    tasks : TaskRunner
    """

    def __init__(self, state: TakesState, tasks: TaskRunner) -> None:
        self._state = state
        self._tasks = tasks
        self._running: list[Task] = []

    def submit(
        self,
        task: Task,
        work: Callable[[Task], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `work` with its task as the reporter; see `TaskRunner.submit`."""
        self._running.append(task)

        def finish(callback: Callable[[], None]) -> None:
            self._running.remove(task)
            callback()

        self._tasks.submit(
            task.title,
            lambda: work(task),
            lambda result: finish(lambda: done(result)),
            lambda error: finish(lambda: failed(error)),
        )

    @property
    def has_cancellable(self) -> bool:
        """True while work is running that the user can cancel."""
        return any(task.can_cancel for task in self._running)

    def cancel(self) -> None:
        """Cancel the work that the user can cancel."""
        for task in self._running:
            if task.can_cancel:
                task.cancel()

    def tick(self) -> None:
        """Update the progress in the state."""
        if not self._running:
            self._state.task.set(None)
            return
        task = self._running[-1]
        self._state.task.set(
            TaskStatus(
                task.title,
                None if task.fraction is None else round(task.fraction, 2),
                task.can_cancel,
            )
        )

    def close(self) -> None:
        """Cancel all work: the window is closing."""
        for task in self._running:
            task.cancel()
