"""Source that is read in a thread which can be left behind when a read stalls."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from pymaf_live.sources.base import Source
from pymaf_live.system.exit_hooks import NativeThread
from pymaf_live.types import Frame, SourceFacts

QUEUE_LENGTH = 2


class ReadAheadSource:
    """Finite source read by a daemon thread, so that `close` need not wait for a stalled read.

    The thread is an exception to the rule that only the pipeline creates threads: a network read
    cannot be interrupted, only left behind.

    Parameters
    ----------
    source : Source
        Closed with this one.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._closed = threading.Event()
        self.facts: SourceFacts = source.facts

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Failures of the source; see `Source.failures`."""
        return self._source.failures

    @property
    def notices(self) -> list[str]:
        """Notices of the source; see `Source.notices`."""
        return self._source.notices

    def frames(self) -> Iterator[Frame]:
        """Yield frames; see `Source.frames`."""
        # one queue per iteration: a thread that was left behind cannot disturb the next one
        ready: queue.Queue[Frame | BaseException | None] = queue.Queue(QUEUE_LENGTH)
        NativeThread("read-ahead", lambda: self._read(ready), self._closed.set).start()
        while not self._closed.is_set():
            try:
                item = ready.get(timeout=0.1)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """End `frames()`; the thread ends when its read returns."""
        self._closed.set()
        self._source.close()

    def _read(self, ready: queue.Queue[Frame | BaseException | None]) -> None:
        last: BaseException | None = None
        try:
            for frame in self._source.frames():
                if not self._put(ready, frame):
                    return
        except Exception as error:  # raised in the thread that iterates
            last = error
        self._put(ready, last)

    def _put(
        self, ready: queue.Queue[Frame | BaseException | None], item: Frame | BaseException | None
    ) -> bool:
        """Add an item to the queue, waiting for room; return False if the source was closed."""
        while not self._closed.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
