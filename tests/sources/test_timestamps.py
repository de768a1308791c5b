"""Presentation times from good and bad time stamps."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.sources.timestamps import PresentationClock, describe_corrections

STEP = 0.04


def times(stamps: list[float | None], clock: PresentationClock | None = None) -> list[float]:
    clock = clock or PresentationClock(STEP)
    result = list(clock.times((index, stamp) for index, stamp in enumerate(stamps)))
    assert [index for index, _ in result] == list(range(len(stamps)))
    return [time for _, time in result]


def steady(count: int, start: float = 0.0) -> list[float | None]:
    return [start + STEP * k for k in range(count)]


def test_stamps_in_order_stay_as_they_are() -> None:
    stamps = [0.5, 0.7, 0.701, 0.9, 9.0, 18.9]
    clock = PresentationClock(STEP)
    assert times(stamps, clock) == stamps
    assert describe_corrections(clock) == ""


def test_frames_without_a_stamp_follow_at_the_nominal_rate() -> None:
    assert times([None] * 5) == pytest.approx(steady(5))
    assert times([0.5, None, 0.58]) == pytest.approx([0.5, 0.54, 0.58])


def test_stamps_in_the_order_of_decoding_are_sorted() -> None:
    order = [1, 3, 4, 2, 7, 6, 8, 5, 10, 11, 9]
    clock = PresentationClock(STEP)
    assert times([STEP * k for k in order], clock) == pytest.approx(
        [STEP * k for k in sorted(order)]
    )
    assert clock.corrections == 0


@pytest.mark.parametrize("jump", [10.5, 2000.0, 95_443.7])
def test_a_jump_is_closed_up(jump: float) -> None:
    clock = PresentationClock(STEP)
    stamps = [*steady(10), *steady(10, 9 * STEP + jump)]
    assert times(stamps, clock) == pytest.approx(steady(20))
    assert clock.corrections == 1
    assert clock.closed_seconds == pytest.approx(jump - STEP)
    assert f"{jump - STEP:.0f} s" in describe_corrections(clock)


@pytest.mark.parametrize("start", [0.0, 0.2, 0.38, 0.41, -50.0])
def test_stamps_that_start_again_continue(start: float) -> None:
    """Steps back under a second too: squeezing them together would lose their motion."""
    stamps = [*steady(12), *steady(12, start)]
    assert times(stamps) == pytest.approx(steady(24), abs=STEP / 4)


@pytest.mark.parametrize("spike", [0.9, 5.0, 922.0])
def test_one_stamp_far_off_moves_no_other(spike: float) -> None:
    stamps = steady(20)
    stamps[8] = spike
    assert times(stamps) == pytest.approx(steady(20))


def test_a_stamp_that_stands_still_continues_at_the_nominal_rate() -> None:
    assert times([*steady(5), *[0.2] * 10]) == pytest.approx(steady(15))
    creeping = [0.2 + 0.001 * k for k in range(60)]
    # the first few may be meant; all others get a frame's time of their own
    assert np.median(np.diff(times([*steady(5), *creeping]))) == pytest.approx(STEP)


@pytest.mark.parametrize("seed", range(20))
def test_any_stamps_give_increasing_times_of_a_bounded_length(seed: int) -> None:
    random = np.random.default_rng(seed)
    stamps: list[float | None] = [
        None if random.random() < 0.1 else float(random.normal(0, 10.0 ** random.integers(-3, 9)))
        for _ in range(200)
    ]
    found = np.array(times(stamps))
    assert (np.diff(found) > 0).all()
    assert (np.diff(found) < 10.0 + 2 * STEP).all()


def test_passes_follow_each_other() -> None:
    clock = PresentationClock(STEP)
    first = times([0.3, 0.34], clock)
    clock.restart(0.3)
    assert [*first, *times([0.3, 0.34], clock)] == pytest.approx([0.3, 0.34, 0.38, 0.42])
