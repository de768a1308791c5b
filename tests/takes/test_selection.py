"""Selection of people and of a time range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import UsageError
from pymaf_live.takes import trimmed
from pymaf_live.takes.people import people_of
from pymaf_live.takes.selection import TakeSelection, select
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, standing, walking_past


@pytest.fixture(scope="module")
def take() -> Take:
    """Return two seconds at 10 frames per second, from 5 s of the source on.

    Person 1 is in the first half, 2 in the second, 3 in three frames and 4 in all.
    """
    body = default_body()
    frames = {1: np.arange(10), 2: np.arange(10, 20), 3: np.arange(4, 7), 4: np.arange(20)}
    return make_take(
        body,
        5 + np.arange(20) / 10,
        {person: standing(body, len(each)) for person, each in frames.items()},
        {person: walking_past(each / 10, 0.5 * person) for person, each in frames.items()},
        rate=Fraction(10),
        frames=frames,
    )


def test_everything_is_selected_by_default(take: Take) -> None:
    selected = select(take, TakeSelection())
    assert selected.take is take
    assert selected.too_short == ()


def test_people_are_merged_before_they_are_chosen(take: Take) -> None:
    selected = select(take, TakeSelection(people=(1, 4), merge=((1, 2),)))
    assert people_of(selected.take) == (1, 4)
    assert selected.take.frame[selected.take.person == 1].tolist() == list(range(20))


def test_people_seen_too_briefly_are_left_out_and_named(take: Take) -> None:
    selected = select(take, TakeSelection(min_seen=0.5))
    assert people_of(selected.take) == (1, 2, 4)
    assert selected.too_short == (3,)
    # three frames at 10 per second are 0.3 s
    assert select(take, TakeSelection(min_seen=0.3)).too_short == ()


def test_time_counts_from_the_first_frame(take: Take) -> None:
    part = trimmed(select(take, TakeSelection(start=0.5, end=1.2)).take)
    np.testing.assert_allclose(part.frame_time, 5 + np.arange(5, 13) / 10)
    assert trimmed(select(take, TakeSelection(start=1.9)).take).frame_time.tolist() == [6.9]


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        (TakeSelection(people=(5,)), "no person 5; it has 1, 2, 3, 4"),
        (TakeSelection(merge=((1, 9),)), "no person 9"),
        (TakeSelection(start=2.5), "lasts from 0 to 1.9 s"),
        (TakeSelection(start=1.0, end=0.5), "no frame"),
    ],
)
def test_what_is_not_in_the_take_is_a_usage_error(
    take: Take, selection: TakeSelection, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        select(take, selection)
