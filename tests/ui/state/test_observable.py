from __future__ import annotations

import operator

import numpy as np

from ui.state.observable import Observable


def test_a_watcher_gets_the_value_now_and_every_change() -> None:
    seen: list[int] = []
    value = Observable(1)
    stop = value.watch(seen.append)
    value.set(2)
    value.set(2)
    value.set(3)
    stop()
    stop()  # harmless
    value.set(4)
    assert seen == [1, 2, 3]


def test_watchers_are_called_in_their_order_and_may_stop_meanwhile() -> None:
    calls: list[str] = []
    value = Observable("")
    stops = [value.watch(lambda text: calls.append(f"a{text}"))]
    value.watch(lambda text: stops[0]() if text else None)
    value.watch(lambda text: calls.append(f"b{text}"))
    calls.clear()
    value.set("1")
    value.set("2")
    assert calls == ["a1", "b1", "b2"]


def test_arrays_are_compared_by_identity() -> None:
    seen: list[object] = []
    first, second = np.zeros(3), np.zeros(3)
    value = Observable(first, operator.is_)
    value.watch(seen.append)
    value.set(first)
    value.set(second)
    assert len(seen) == 2
