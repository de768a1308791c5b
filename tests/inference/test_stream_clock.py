"""Run times of requests do not include waiting for a free stream."""

from __future__ import annotations

import pytest

from pymaf_live.inference.openvino_requests import StreamClock


@pytest.mark.parametrize(
    ("num_streams", "requests", "run_times"),
    [
        (1, [(0, 4), (5, 9)], [4, 4]),
        (1, [(0, 4), (1, 9)], [4, 5]),
        (2, [(0, 10), (0, 10), (0, 20), (0, 20)], [10, 10, 10, 10]),
        (2, [(0, 10), (5, 15), (6, 19), (30, 41)], [10, 10, 9, 11]),
        (2, [(0, 12), (0, 10), (0, 21), (0, 24)], [12, 10, 11, 12]),
    ],
    ids=[
        "one after the other",
        "one waits",
        "two wait",
        "one waits for the first",
        "waits for the earlier end",
    ],
)
def test_waiting_for_a_stream_does_not_count(
    num_streams: int, requests: list[tuple[float, float]], run_times: list[float]
) -> None:
    clock = StreamClock(num_streams)
    assert [clock.run_time(start, end) for start, end in requests] == run_times


def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    clock = StreamClock(2)
    for request in range(100):
        assert clock.run_time(request, request + 1.5) == 1.5
    assert len(clock._ends) == 2
