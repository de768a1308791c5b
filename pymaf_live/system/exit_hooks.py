"""Closing what is still open when a script ends.

Threads in native code must not live on while the interpreter shuts down: Python ends them where
they next ask for its lock, and C++ then aborts the process ("terminate called without an active
exception"). Thread pools are joined even earlier, and wait forever for work that is stuck in a
queue that has no reader any more.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class Closeable(Protocol):
    """Object whose threads end with `close`."""

    def close(self) -> None:
        """End the threads; may be called several times."""


_open: WeakSet[Closeable] = WeakSet()
_lock = threading.Lock()
_registered = False


def close_at_exit(closeable: Closeable) -> None:
    """Close an object at the end of the program unless it is gone by then.

    The object is not kept alive.
    """
    global _registered
    with _lock:
        _open.add(closeable)
        if not _registered:
            _registered = True
            _register(_close_all)


def _register(function: Callable[[], None]) -> None:
    # runs before the thread pools of concurrent.futures are joined, which registered themselves in
    # the same way; there is no public function for that moment (CPython 3.9 to 3.14 have this one)
    register = getattr(threading, "_register_atexit", atexit.register)
    register(function)


def _close_all() -> None:
    for closeable in list(_open):
        closeable.close()
