"""Reading a source that may stall in a thread that may be left behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from pymaf_live.sources.base import Source
from pymaf_live.types import Frame, SourceFacts

LENGTH = 2


class ReadAhead:
    """A finite source read by a daemon thread, so that `close` need not wait for a stalled read.

    Like a live source's, this thread is an exception to the rule that only the pipeline makes
    threads: a network read cannot be interrupted, only left behind.

    Parameters
    ----------
    source : Source
        Belongs to this one.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._closed = threading.Event()
        self.facts: SourceFacts = source.facts

    @property
    def failures(self) -> list[tuple[str, str]]:
        """See `Source.failures`."""
        return self._source.failures

    @property
    def notices(self) -> list[str]:
        """See `Source.notices`."""
        return self._source.notices

    def frames(self) -> Iterator[Frame]:
        """See `Source.frames`."""
        # every iteration has a hand-over of its own: a thread left behind cannot mix into the next
        ready: queue.Queue[Frame | BaseException | None] = queue.Queue(LENGTH)
        threading.Thread(target=self._read, args=(ready,), name="read-ahead", daemon=True).start()
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
                if not self._hand_over(ready, frame):
                    return
        except Exception as error:  # it belongs to the thread that iterates
            last = error
        self._hand_over(ready, last)

    def _hand_over(
        self, ready: queue.Queue[Frame | BaseException | None], item: Frame | BaseException | None
    ) -> bool:
        while not self._closed.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
