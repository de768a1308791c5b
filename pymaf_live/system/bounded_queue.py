"""Bounded queue between two threads that also carries the end of the stream or an error."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

THREAD_PREFIX = "pymaf-live "
"""Prefix of the names of this program's own threads."""


class BoundedQueue(Generic[T]):
    """First-in, first-out queue of bounded length between one producer and one consumer.

    Parameters
    ----------
    capacity : int
        Largest number of items in the queue.
    drop_oldest : bool
        Policy of a full queue: block the producer (False, for files) or drop and count the oldest
        item (True, for live sources).
    """

    def __init__(self, capacity: int, *, drop_oldest: bool = False) -> None:
        if capacity < 1:
            raise ValueError("the capacity must be at least 1")
        self._capacity = capacity
        self._drop_oldest = drop_oldest
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._finished = False
        self._closed = False
        self._error: BaseException | None = None
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Number of items dropped because the consumer was too slow."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """True after `close`; queued items were discarded."""
        return self._closed

    @property
    def ended(self) -> bool:
        """True if no more items will come out."""
        with self._changed:
            return self._closed or (self._finished and not self._items)

    def put(self, item: T) -> bool:
        """Append an item; block while the queue is full, unless it drops the oldest.

        Returns
        -------
        bool
            False if the queue is closed or finished: the item was not taken and no later one will
            be.
        """
        with self._changed:
            while not self._closed and not self._finished and len(self._items) >= self._capacity:
                if self._drop_oldest:
                    self._items.popleft()
                    self._dropped += 1
                else:
                    self._changed.wait()
            if self._closed or self._finished:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self, timeout: float | None = None) -> T | None:
        """Remove and return the oldest item; block until there is one.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default wait until an item or the end arrives.

        Returns
        -------
        T or None
            None at the end (see `ended`) and after the timeout.

        Raises
        ------
        BaseException
            Error that the producer passed to `finish`, once all items before it are taken.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._items and not self._finished and not self._closed:
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    return None
                self._changed.wait(remaining)
            return self._pop()

    def snapshot(self) -> tuple[T, ...]:
        """Return the queued items, oldest first, without removing them."""
        with self._changed:
            return tuple(self._items)

    def take_newest(self) -> T | None:
        """Empty the queue and return its newest item, None if it was empty; never block.

        Raises
        ------
        BaseException
            See `get`.
        """
        with self._changed:
            while len(self._items) > 1:
                self._items.popleft()
            return self._pop()

    def __iter__(self) -> Iterator[T]:
        """Yield items until the end; raises like `get`."""
        while True:
            item = self.get()
            if item is None:
                return
            yield item

    def finish(self, error: BaseException | None = None) -> None:
        """Mark the end of the stream, with the error that caused it; only the first call counts."""
        with self._changed:
            if not self._finished:
                self._finished = True
                self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """Discard all items and wake both ends; callable from any thread, repeatedly."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def _pop(self) -> T | None:
        if self._closed:
            return None
        if self._items:
            item = self._items.popleft()
            self._changed.notify_all()
            return item
        if self._error is not None:
            raise self._error
        return None
