"""Retry opening a camera or stream that is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ui.state.source import SourceChoice
from ui.system.task_runner import TaskRunner

T = TypeVar("T")

_RETRY_INTERVAL = 0.7
"""Seconds between two attempts: frames arrive within 2 s of the device's return."""


@dataclass(frozen=True)
class _Target(Generic[T]):
    choice: SourceChoice
    open: Callable[[], T]


class Reconnector(Generic[T]):
    """Retries one source at a time.

    Parameters
    ----------
    tasks : TaskRunner
        Runs the attempts, never two at once.
    opened : callable
        Called with the choice and the result of an attempt that succeeded.
    failed : callable
        Called with the choice and the error of an attempt that failed.
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
        self._target: _Target[T] | None = None
        self._trying = False
        self._next_attempt = 0.0

    def start(self, choice: SourceChoice, open_source: Callable[[], T]) -> None:
        """Retry `choice` with `open_source`, which runs in a thread."""
        self._target = _Target(choice, open_source)
        self._next_attempt = time.monotonic() + _RETRY_INTERVAL

    def stop(self) -> None:
        """Stop retrying; the result of a running attempt is still passed on."""
        self._target = None

    def tick(self) -> None:
        """Start the next attempt when it is due."""
        target = self._target
        if target is None or self._trying or time.monotonic() < self._next_attempt:
            return
        self._trying = True

        def done(result: T) -> None:
            self._trying = False
            if self._target is target:
                self._target = None
            self._opened(target.choice, result)

        def failed(error: Exception) -> None:
            self._trying = False
            self._next_attempt = time.monotonic() + _RETRY_INTERVAL
            if self._target is target:
                self._failed(target.choice, error)

        self._tasks.submit("reconnect", target.open, done, failed)
