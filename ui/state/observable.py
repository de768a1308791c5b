"""Values that notify their watchers when they change."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Watcher = Callable[[T], None]


class Observable(Generic[T]):
    """One value with watchers, which are called in the thread that sets it.

    Parameters
    ----------
    value : T
        Initial value.
    equal : callable, optional
        Returns True for two values between which no watcher needs to be called; ``==`` by default.
        Records that hold arrays need ``operator.is_``, because arrays have no single truth value.
    """

    def __init__(self, value: T, equal: Callable[[T, T], bool] = operator.eq) -> None:
        self._value = value
        self._equal = equal
        self._watchers: list[Watcher[T]] = []

    @property
    def value(self) -> T:
        """Current value."""
        return self._value

    def set(self, value: T) -> None:
        """Change the value and call the watchers in the order in which they were added."""
        if value is self._value or self._equal(self._value, value):
            return
        self._value = value
        for watcher in tuple(self._watchers):
            watcher(value)

    def watch(self, watcher: Watcher[T]) -> Callable[[], None]:
        """Call `watcher` now and after every change; return the function that ends it."""
        self._watchers.append(watcher)
        watcher(self._value)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None
