"""Run a function in a process of its own, with progress and cancellation.

The child has its own OpenGL state, its own threads and a lower priority, so that long work neither
disturbs nor slows down the program that started it. It ends with that program, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from pymaf_live.errors import Interrupted, PymafLiveError
from pymaf_live.system.reporter import Reporter

T = TypeVar("T")

_POLL_SECONDS = 0.1
_REPORT_SECONDS = 0.1
"""Time between two progress messages."""
_NICENESS = 5
_CANCEL = "cancel"


def run_in_child(
    function: Callable[[Any, Any, Reporter], T], first: Any, second: Any, reporter: Reporter
) -> T:
    """Run ``function(first, second, reporter)`` in a child process and return its result.

    Parameters
    ----------
    function : callable
        Function of a module, so that the child can import it.
    first, second : object
        Arguments; dataclasses and arrays can be passed.
    reporter : Reporter
        Receives the child's progress and messages. Cancelling it cancels the child's reporter; if
        it raises, the child is killed.

    Raises
    ------
    PymafLiveError
        Error of the function, or that its process ended without a result.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, function, first, second))
    process.start()
    theirs.close()
    try:
        result: T = _result(process, ours, reporter)
        return result
    finally:
        process.kill()
        process.join()
        ours.close()


def _result(process: BaseProcess, connection: Connection[Any, Any], reporter: Reporter) -> Any:
    cancelled = False
    while True:
        if not cancelled and reporter.cancelled():
            cancelled = True
            with suppress(OSError):
                connection.send(_CANCEL)
        if not connection.poll(_POLL_SECONDS):
            continue
        try:
            kind, content = connection.recv()
        except (EOFError, OSError):
            process.join(1.0)
            if cancelled:
                raise Interrupted("cancelled") from None
            raise PymafLiveError(
                f"the background process ended unexpectedly (code {process.exitcode})"
            ) from None
        if kind == "progress":
            reporter.progress(*content)
        elif kind == "message":
            reporter.message(content)
        elif kind == "error":
            raise content
        else:
            return content


class _ChildReporter:
    """Reporter in the child: sends progress, and listens for the cancellation."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._next_report = 0.0
        threading.Thread(target=self._listen, name="parent process", daemon=True).start()

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Send the progress, ten times per second at most."""
        now = time.monotonic()
        if now >= self._next_report:
            self._next_report = now + _REPORT_SECONDS
            self.send("progress", (fraction, detail))

    def message(self, text: str) -> None:
        """Send a message."""
        self.send("message", text)

    def cancelled(self) -> bool:
        """Return True once the parent has cancelled."""
        return self._cancelled.is_set()

    def send(self, kind: str, content: object) -> None:
        with self._lock:
            self._connection.send((kind, content))

    def _listen(self) -> None:
        try:
            while self._connection.recv() != _CANCEL:
                pass
            self._cancelled.set()
            self._connection.recv()  # nothing more is sent: waits for the end of the parent
        except (EOFError, OSError):
            os._exit(1)  # the parent is gone; what is in the journal can be recovered


def _child(
    connection: Connection[Any, Any],
    function: Callable[[Any, Any, Reporter], Any],
    first: Any,
    second: Any,
) -> None:
    # Ctrl-C in a terminal reaches all processes: the parent decides what happens then
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    reporter = _ChildReporter(connection)
    try:
        reporter.send("result", function(first, second, reporter))
    except Exception as error:
        try:
            pickle.dumps(error)
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        reporter.send("error", error)
    # a thread that still loads a model would delay the end; everything is on disk
    os._exit(0)
