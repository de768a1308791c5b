"""What a run of the network takes is not what it waits for others."""

from __future__ import annotations

import pytest

from pymaf_live.inference.openvino_requests import StreamClock


@pytest.mark.parametrize(
    ("count", "runs", "own"),
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
        "by the sooner",
    ],
)
def test_waiting_for_a_lane_does_not_count(
    count: int, runs: list[tuple[float, float]], own: list[float]
) -> None:
    lanes = StreamClock(count)
    assert [lanes.run_time(begun, ended) for begun, ended in runs] == own


def test_a_long_film_is_not_remembered() -> None:
    lanes = StreamClock(2)
    for run in range(100):
        assert lanes.run_time(run, run + 1.5) == 1.5
    assert len(lanes._ends) == 2
