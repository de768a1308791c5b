"""Work that would make the window wait, done in threads and its outcome fetched on a timer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TaskRunner:
    """Runs work in threads; `collect` calls what follows in the thread that collects.

    No signals and no event loop: whoever has a timer collects on it.
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
        """Start `work`; `done` gets its result, or `failed` its error, at the next `collect`."""

        def errand() -> None:
            try:
                result = work()
            except Exception as caught:
                error = caught
                self._outcomes.put(lambda: failed(error))
            else:
                self._outcomes.put(lambda: done(result))

        # daemon: a camera that hangs in its driver is left behind, not waited for
        thread = threading.Thread(target=errand, name=f"pymaf-live window {name}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def post(self, outcome: Callable[[], None]) -> None:
        """Have `outcome` called at the next `collect`; from any thread."""
        self._outcomes.put(outcome)

    def process_results(self) -> None:
        """Hand over the outcomes that are there; never blocks."""
        while True:
            try:
                outcome = self._outcomes.get_nowait()
            except queue.Empty:
                return
            outcome()

    @property
    def busy(self) -> bool:
        """Whether work goes on, or an outcome waits to be collected."""
        return not self._outcomes.empty() or any(each.is_alive() for each in self._threads)

    def wait(self, seconds: float) -> bool:
        """Wait for all threads, `seconds` at most; whether all have ended."""
        limit = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
