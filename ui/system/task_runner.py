"""Run slow work in threads and hand the outcomes to the window's thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pymaf_live.system.exit_hooks import NativeThread

T = TypeVar("T")

THREAD_PREFIX = "pymaf-live window"


class TaskRunner:
    """Runs functions in threads; `process_results` calls their callbacks in the caller's thread.

    Needs neither signals nor an event loop, only a timer that calls `process_results`.
    """

    def __init__(self) -> None:
        self._outcomes: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(
        self,
        name: str,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Start `work` in a thread.

        Parameters
        ----------
        name : str
            Part of the thread's name.
        work : callable
        done : callable
            Called with the result at the next `process_results`.
        failed : callable
            Called with the exception instead, if `work` raised one.
        """

        def run() -> None:
            try:
                result = work()
            except Exception as caught:
                error = caught
                self._outcomes.put(lambda: failed(error))
            else:
                self._outcomes.put(lambda: done(result))

        thread = NativeThread(f"{THREAD_PREFIX} {name}", run)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` at the next `process_results`; callable from any thread."""
        self._outcomes.put(callback)

    def process_results(self) -> None:
        """Call the callbacks of everything that has finished; never blocks."""
        while True:
            try:
                outcome = self._outcomes.get_nowait()
            except queue.Empty:
                return
            outcome()

    @property
    def busy(self) -> bool:
        """True while work is running or a callback is waiting to be called."""
        return not self._outcomes.empty() or any(each.is_alive() for each in self._threads)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for all threads; return True if all have ended."""
        limit = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
