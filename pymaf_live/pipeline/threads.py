"""Threads of the pipeline and work in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from pymaf_live.system.bounded_queue import THREAD_PREFIX

T = TypeVar("T")

CLOSE_TIMEOUT_S = 2.0
"""Longest time that closing waits for a thread."""


def named_thread(name: str, target: Callable[[], None]) -> threading.Thread:
    """Return an unstarted daemon thread with the program's name prefix.

    It is a daemon so that a device that hangs in its driver does not keep the process alive.
    """
    return threading.Thread(target=target, name=THREAD_PREFIX + name, daemon=True)


def run_in_background(name: str, work: Callable[[], T]) -> Future[T]:
    """Run `work` in a thread of its own and return its future."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    named_thread(name, run).start()
    return future
