"""Waits for a camera or stream that cannot be opened now, and opens it when it is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ui.state.source import SourceChoice
from ui.system.task_runner import TaskRunner

T = TypeVar("T")

_EVERY = 0.7
"""Seconds between two tries: with the opening, pictures come within 2 s of the device's return."""


@dataclass(frozen=True)
class _Wait(Generic[T]):
    choice: SourceChoice
    attempt: Callable[[], T]


class Reconnector(Generic[T]):
    """One source at a time that is tried again and again.

    Parameters
    ----------
    tasks : TaskRunner
        Tries run as tasks, never two at once.
    opened : callable
        Gets the choice and what a try gave, at the tick that found it.
    failed : callable
        Gets the choice and why a try failed.
    """

    def __init__(
        self,
        tasks: TaskRunner,
        opened: Callable[[SourceChoice, T], None],
        failed: Callable[[SourceChoice, Exception], None],
    ) -> None:
        self._tasks = tasks
        self._opened = opened
        self._failed = failed
        self._wait: _Wait[T] | None = None
        self._trying = False
        self._next = 0.0

    def begin(self, choice: SourceChoice, attempt: Callable[[], T]) -> None:
        """Wait for `choice`; `attempt` opens it, in a thread."""
        self._wait = _Wait(choice, attempt)
        self._next = time.monotonic() + _EVERY

    def end(self) -> None:
        """Wait no more; what a try that is under way brings is handed on all the same."""
        self._wait = None

    def tick(self) -> None:
        """Try again when it is time."""
        wait = self._wait
        if wait is None or self._trying or time.monotonic() < self._next:
            return
        self._trying = True

        def done(result: T) -> None:
            self._trying = False
            if self._wait is wait:
                self._wait = None
            self._opened(wait.choice, result)

        def failed(error: Exception) -> None:
            self._trying = False
            self._next = time.monotonic() + _EVERY
            if self._wait is wait:
                self._failed(wait.choice, error)

        self._tasks.submit("open again", wait.attempt, done, failed)
