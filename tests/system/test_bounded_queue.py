"""The hand-over between two threads."""

from __future__ import annotations

import threading
import time

import pytest

from pymaf_live.system.bounded_queue import HandOver


def test_what_goes_in_comes_out_in_order_and_the_end_comes_last() -> None:
    hand: HandOver[int] = HandOver(3)
    producer = threading.Thread(target=lambda: ([hand.put(i) for i in range(100)], hand.finish()))
    producer.start()
    assert list(hand) == list(range(100))
    producer.join(1)
    assert hand.ended
    assert hand.dropped == 0


def test_a_full_one_makes_the_producer_wait() -> None:
    hand: HandOver[int] = HandOver(2)
    done: list[int] = []
    producer = threading.Thread(target=lambda: [done.append(i) for i in range(5) if hand.put(i)])
    producer.start()
    time.sleep(0.1)
    assert done == [0, 1]
    assert hand.get() == 0
    time.sleep(0.1)
    assert done == [0, 1, 2]
    hand.close()
    producer.join(1)
    assert not producer.is_alive()


def test_a_live_one_lets_the_oldest_go_and_counts() -> None:
    hand: HandOver[int] = HandOver(2, drop_oldest=True)
    assert all(hand.put(i) for i in range(7))
    assert hand.dropped == 5
    assert [hand.get(), hand.get()] == [5, 6]


def test_an_error_comes_behind_the_items_before_it_and_the_first_one_counts() -> None:
    hand: HandOver[int] = HandOver(4)
    hand.put(1)
    hand.finish(ValueError("first"))
    hand.finish(KeyError("second"))
    assert not hand.put(2)
    assert hand.get() == 1
    with pytest.raises(ValueError, match="first"):
        hand.get()
    with pytest.raises(ValueError, match="first"):
        hand.newest()


def test_newest_takes_all_and_never_waits() -> None:
    hand: HandOver[int] = HandOver(4)
    assert hand.newest() is None
    for i in range(3):
        hand.put(i)
    assert hand.newest() == 2
    assert hand.newest() is None


def test_get_gives_up_when_its_time_is_over() -> None:
    hand: HandOver[int] = HandOver(1)
    start = time.monotonic()
    assert hand.get(timeout=0.05) is None
    assert 0.04 < time.monotonic() - start < 1
    assert not hand.ended


def test_close_wakes_both_ends() -> None:
    full: HandOver[int] = HandOver(1)
    empty: HandOver[int] = HandOver(1)
    full.put(0)
    outcome: list[object] = []
    waiting = [
        threading.Thread(target=lambda: outcome.append(full.put(1))),
        threading.Thread(target=lambda: outcome.append(empty.get())),
    ]
    for thread in waiting:
        thread.start()
    time.sleep(0.05)
    full.close()
    empty.close()
    for thread in waiting:
        thread.join(1)
    assert sorted(map(str, outcome)) == ["False", "None"]
