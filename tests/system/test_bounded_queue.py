"""Tests of the bounded queue between two threads."""

from __future__ import annotations

import threading
import time

import pytest

from pymaf_live.system.bounded_queue import BoundedQueue


def test_items_keep_their_order_and_the_end_comes_last() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)
    producer = threading.Thread(target=lambda: ([queue.put(i) for i in range(100)], queue.finish()))
    producer.start()
    assert list(queue) == list(range(100))
    producer.join(1)
    assert queue.ended
    assert queue.dropped == 0


def test_full_queue_blocks_the_producer() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    done: list[int] = []
    producer = threading.Thread(target=lambda: [done.append(i) for i in range(5) if queue.put(i)])
    producer.start()
    time.sleep(0.1)
    assert done == [0, 1]
    assert queue.get() == 0
    time.sleep(0.1)
    assert done == [0, 1, 2]
    queue.close()
    producer.join(1)
    assert not producer.is_alive()


def test_live_queue_drops_and_counts_the_oldest_items() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, drop_oldest=True)
    assert all(queue.put(i) for i in range(7))
    assert queue.dropped == 5
    assert [queue.get(), queue.get()] == [5, 6]


def test_error_comes_after_the_items_before_it_and_the_first_error_counts() -> None:
    queue: BoundedQueue[int] = BoundedQueue(4)
    queue.put(1)
    queue.finish(ValueError("first"))
    queue.finish(KeyError("second"))
    assert not queue.put(2)
    assert queue.get() == 1
    with pytest.raises(ValueError, match="first"):
        queue.get()
    with pytest.raises(ValueError, match="first"):
        queue.take_newest()


def test_take_newest_empties_the_queue_and_never_blocks() -> None:
    queue: BoundedQueue[int] = BoundedQueue(4)
    assert queue.take_newest() is None
    for i in range(3):
        queue.put(i)
    assert queue.take_newest() == 2
    assert queue.take_newest() is None


def test_get_returns_none_after_its_timeout() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    start = time.monotonic()
    assert queue.get(timeout=0.05) is None
    assert 0.04 < time.monotonic() - start < 1
    assert not queue.ended


def test_close_wakes_both_ends() -> None:
    full: BoundedQueue[int] = BoundedQueue(1)
    empty: BoundedQueue[int] = BoundedQueue(1)
    full.put(0)
    outcome: list[object] = []
    blocked = [
        threading.Thread(target=lambda: outcome.append(full.put(1))),
        threading.Thread(target=lambda: outcome.append(empty.get())),
    ]
    for thread in blocked:
        thread.start()
    time.sleep(0.05)
    full.close()
    empty.close()
    for thread in blocked:
        thread.join(1)
    assert sorted(map(str, outcome)) == ["False", "None"]
