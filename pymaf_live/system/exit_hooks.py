"""Ending the threads that are still in native code when a program ends.

Threads in native code must not live on while the interpreter shuts down: Python 3.11 to 3.13 end
them where they next ask for its lock, and C++ then aborts the process ("terminate called without an
active exception", exit code 134). Thread pools are joined even earlier, and wait forever for work
that is stuck in a queue that has no reader any more.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn, Protocol
from weakref import WeakSet

JOIN_TIMEOUT_S = 12.0
"""Longest time that the end of a script waits for threads in native code. OpenCV takes up to 8 s to
open a stream and 10 s to read a camera; a call that takes longer hangs in a driver, and does not
return while the interpreter shuts down."""
WORK_TIMEOUT_S = 60.0
"""Longest wait for threads that no device can hold up, such as one that loads a model."""


class Closeable(Protocol):
    """Object whose threads end with `close`."""

    def close(self) -> None:
        """End the threads; may be called several times."""


class NativeThread(threading.Thread):
    """Daemon thread that may spend a long time in native code.

    It is a daemon, so that a device that hangs in its driver does not keep the process alive. The
    end of a script waits for it, for `JOIN_TIMEOUT_S` at most if it has a `stop`, else for
    `WORK_TIMEOUT_S`.

    Parameters
    ----------
    name : str
    work : callable
        Runs in the thread.
    stop : callable, optional
        Called at the end of the program while the thread runs: makes `work` return. Without it,
        `work` must return by itself or because of `close_at_exit`.
    """

    def __init__(
        self, name: str, work: Callable[[], None], stop: Callable[[], None] | None = None
    ) -> None:
        super().__init__(target=work, name=name, daemon=True)
        self.stop = stop
        with _lock:
            _threads.add(self)
        _register()


_open: WeakSet[Closeable] = WeakSet()
_threads: WeakSet[NativeThread] = WeakSet()
_lock = threading.Lock()
_registered = False


def close_at_exit(closeable: Closeable) -> None:
    """Close an object at the end of the program unless it is gone by then.

    The object is not kept alive.
    """
    with _lock:
        _open.add(closeable)
    _register()


def end_process(code: int) -> NoReturn:
    """End the process of a command with its exit code, at once."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if _running():
        # waiting for a model that is being loaded or a camera's driver would take too long, and
        # the interpreter's shutdown would be aborted
        os._exit(code)
    sys.exit(code)


def _register() -> None:
    global _registered
    with _lock:
        if _registered:
            return
        _registered = True
    # runs before the thread pools of concurrent.futures are joined, which registered themselves in
    # the same way; there is no public function for that moment (CPython 3.9 to 3.14 have this one)
    register = getattr(threading, "_register_atexit", atexit.register)
    register(_end_threads)


def _end_threads() -> None:
    with _lock:
        left = list(_open)
    for closeable in left:
        closeable.close()
    start = time.monotonic()
    for thread in _running():
        if thread.stop is not None:
            thread.stop()
    for thread in _running():
        limit = WORK_TIMEOUT_S if thread.stop is None else JOIN_TIMEOUT_S
        thread.join(max(0.0, start + limit - time.monotonic()))


def _running() -> list[NativeThread]:
    with _lock:
        return [each for each in _threads if each.is_alive()]
