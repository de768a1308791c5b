"""Threads of the pipeline and work in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from pymaf_live.system.bounded_queue import THREAD_PREFIX
from pymaf_live.system.exit_hooks import NativeThread
from pymaf_live.types import SourceFacts

T = TypeVar("T")

_POLL_S = 0.1
CLOSE_TIMEOUT_S = 2.0
"""Longest time that closing waits for a thread."""


def named_thread(name: str, target: Callable[[], None]) -> threading.Thread:
    """Return an unstarted `NativeThread` with the program's name prefix."""
    return NativeThread(THREAD_PREFIX + name, target)


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


def wait_to_start(facts: SourceFacts, ready: threading.Event, stop: threading.Event) -> None:
    """Wait until a source may start: a file that is played live at once loses no frame.

    Parameters
    ----------
    facts : SourceFacts
        A camera or stream cannot wait, and another file waits in its queues.
    ready : threading.Event
        Set when the models are loaded.
    stop : threading.Event
        Ends the waiting.
    """
    if facts.live and facts.kind in ("video", "images"):
        while not ready.wait(_POLL_S) and not stop.is_set():
            pass
