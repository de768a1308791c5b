"""A bounded hand-over between two threads that carries an end or an error along with the items."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

THREAD_PREFIX = "pymaf-live "
"""How the names of the program's own threads begin."""


class HandOver(Generic[T]):
    """First in, first out, of bounded length; one end puts, the other gets.

    Parameters
    ----------
    capacity : int
        Items kept at most.
    drop_oldest : bool
        What a full hand-over does: wait for room (files), or let the oldest item go and count it
        (live).
    """

    def __init__(self, capacity: int, *, drop_oldest: bool = False) -> None:
        if capacity < 1:
            raise ValueError("a hand-over holds at least one item")
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
        """Items that were let go because nobody had taken them in time."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """Whether it was closed: what had waited is lost."""
        return self._closed

    @property
    def ended(self) -> bool:
        """Whether nothing more will come out."""
        with self._changed:
            return self._closed or (self._finished and not self._items)

    def put(self, item: T) -> bool:
        """Hand an item over, waiting for room where nothing may be dropped.

        Returns
        -------
        bool
            False if the hand-over was closed or finished: the item was not taken and no later one
            will be.
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
        """Take the oldest item, waiting for one.

        Parameters
        ----------
        timeout : float, optional
            Seconds; without it the wait lasts until an item or the end comes.

        Returns
        -------
        T or None
            None at the end (see `ended`) and when the time is up.

        Raises
        ------
        BaseException
            The error that the other end finished with, once all items before it are taken.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._items and not self._finished and not self._closed:
                left = None if limit is None else limit - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            return self._next()

    def waiting(self) -> tuple[T, ...]:
        """What waits, oldest first; it goes on waiting."""
        with self._changed:
            return tuple(self._items)

    def newest(self) -> T | None:
        """Take everything that waits, and give the last of it; None if nothing waits.

        Raises
        ------
        BaseException
            As `get`.
        """
        with self._changed:
            while len(self._items) > 1:
                self._items.popleft()
            return self._next()

    def __iter__(self) -> Iterator[T]:
        """Items until the end; raises as `get`."""
        while True:
            item = self.get()
            if item is None:
                return
            yield item

    def finish(self, error: BaseException | None = None) -> None:
        """Say that nothing more will come, and why if for an error; the first call counts."""
        with self._changed:
            if not self._finished:
                self._finished = True
                self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """Let everything go and wake both ends; from any thread, any number of times."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def _next(self) -> T | None:
        if self._closed:
            return None
        if self._items:
            item = self._items.popleft()
            self._changed.notify_all()
            return item
        if self._error is not None:
            raise self._error
        return None
