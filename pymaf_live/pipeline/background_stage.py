"""Pipeline stage of a consumer, such as drawing or writing, in its own thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from pymaf_live.pipeline.threads import CLOSE_TIMEOUT_S, named_thread
from pymaf_live.system.bounded_queue import BoundedQueue

A = TypeVar("A")


class StageClosedError(Exception):
    """The stage was closed before all items were processed."""


class BackgroundStage(Generic[A]):
    """Applies a function to items in a thread of its own.

    Parameters
    ----------
    name : str
        Name of the thread.
    open_work : callable
        Called in the thread; returns a context manager whose value is applied to each item, in
        order. Resources bound to one thread (a GL context) are created and released there. The
        context exits normally after `finish`, and with an error after `close`, so that incomplete
        files are removed.
    capacity : int
        Maximum number of waiting items.
    """

    def __init__(
        self,
        name: str,
        open_work: Callable[[], AbstractContextManager[Callable[[A], object]]],
        *,
        capacity: int = 1,
    ) -> None:
        self._open_work = open_work
        self._inputs: BoundedQueue[A] = BoundedQueue(capacity)
        self._error: BaseException | None = None
        self._milliseconds = 0.0
        self._count = 0
        self._thread = named_thread(name, self._run)
        self._thread.start()

    def put(self, item: A) -> None:
        """Add an item, waiting for room in the queue.

        Raises
        ------
        BaseException
            The error that ended the stage early.
        """
        if not self._inputs.put(item):
            if self._error is not None:
                raise self._error
            raise StageClosedError

    def finish(self) -> None:
        """Wait until every item is processed and the context has exited.

        Raises
        ------
        BaseException
            The error that ended the stage early.
        """
        self._inputs.finish()
        while self._thread.is_alive():
            # wait in short steps, so that Ctrl-C is handled
            self._thread.join(0.2)
        if self._error is not None:
            raise self._error

    @property
    def milliseconds(self) -> float:
        """Mean processing time per item."""
        return self._milliseconds / max(self._count, 1)

    def close(self) -> None:
        """Stop within 2 s and discard waiting items; has no effect after `finish`."""
        self._inputs.close()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_TIMEOUT_S)

    def __enter__(self) -> BackgroundStage[A]:
        """Return the stage."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the stage."""
        self.close()

    def _run(self) -> None:
        try:
            with self._open_work() as work:
                for item in self._inputs:
                    start = time.perf_counter()
                    work(item)
                    self._milliseconds += 1000 * (time.perf_counter() - start)
                    self._count += 1
                if self._inputs.closed:
                    raise StageClosedError
        except StageClosedError as error:
            self._error = error if not self._inputs.closed else None
        except BaseException as error:
            self._error = error
        self._inputs.close()
