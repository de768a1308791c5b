"""A value that tells those who watch it when it changes; knows no Qt."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Watcher = Callable[[T], None]


class Observable(Generic[T]):
    """One value with watchers, told in the thread that sets it (here always the GUI's).

    Parameters
    ----------
    value : T
        What it holds at first.
    same : callable, optional
        Whether two values are the same, so that nobody need be told; ``==`` by default. Records
        that hold arrays need ``operator.is_``, for arrays have no single truth value.
    """

    def __init__(self, value: T, same: Callable[[T, T], bool] = operator.eq) -> None:
        self._value = value
        self._same = same
        self._watchers: list[Watcher[T]] = []

    @property
    def value(self) -> T:
        """What it holds now."""
        return self._value

    def set(self, value: T) -> None:
        """Hold another value and tell the watchers, in the order in which they came."""
        if value is self._value or self._same(self._value, value):
            return
        self._value = value
        for watcher in tuple(self._watchers):
            watcher(value)

    def watch(self, watcher: Watcher[T]) -> Callable[[], None]:
        """Call `watcher` with the value now and after every change; returns what ends that."""
        self._watchers.append(watcher)
        watcher(self._value)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None
