"""Mixtures: shares, epochs, and a run that is taken up again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from pymaf_live.errors import UsageError
from trainer.data.mixture import Mixture


@dataclass
class Counted:
    name: str
    count: int

    def __len__(self) -> int:
        return self.count


SETS = [Counted("many", 700), Counted("few", 7), Counted("some", 50)]


def test_sets_come_by_their_ratios() -> None:
    mixture = Mixture(SETS, [5, 3, 2], seed=4)
    drawn = Counter(mixture.draw(place)[0] for place in range(10_000))
    assert abs(drawn[0] - 5000) < 60
    assert abs(drawn[1] - 3000) < 60
    assert abs(drawn[2] - 2000) < 60
    whole = Counter(mixture.draw(place)[0] for place in range(1024 * 5))
    assert [whole[0], whole[1], whole[2]] == pytest.approx([2560, 1536, 1024], abs=3)


def test_a_rare_set_still_comes() -> None:
    mixture = Mixture(SETS, [0.9998, 0.0001, 0.0001], seed=0)
    drawn = Counter(mixture.draw(place)[0] for place in range(1024 * 20))
    assert 1 <= drawn[1] <= 3
    assert 1 <= drawn[2] <= 3
    assert sum(drawn.values()) == 1024 * 20


def test_every_row_comes_once_before_any_comes_twice() -> None:
    mixture = Mixture(SETS, [1, 1, 1], seed=1)
    rows: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for place in range(4000):
        chosen, row = mixture.draw(place)
        rows[chosen].append(row)
    for chosen, people in enumerate(SETS):
        epochs = len(rows[chosen]) // len(people)
        assert epochs >= 1
        for epoch in range(epochs):
            part = rows[chosen][epoch * len(people) : (epoch + 1) * len(people)]
            assert sorted(part) == list(range(len(people)))
    assert rows[0][:700] != list(range(700))
    assert rows[1][:7] != rows[1][7:14]


def test_a_place_says_the_same_whatever_was_asked_before() -> None:
    places = [5000, 3, 1023, 1024, 77_777, 3, 0]
    one = Mixture(SETS, [1, 2, 3], seed=9)
    in_order = {place: one.draw(place) for place in sorted(set(places))}
    other = Mixture(SETS, [10, 20, 30], seed=9)
    assert [other.draw(place) for place in places] == [in_order[place] for place in places]
    third = Mixture(SETS, [1, 2, 3], seed=10)
    assert [third.draw(place) for place in range(50)] != [one.draw(place) for place in range(50)]


@pytest.mark.parametrize(
    ("sets", "ratios", "seed", "complaint"),
    [
        ([], [], 0, "at least one"),
        (SETS, [1, 1], 0, "as many ratios"),
        (SETS, [1, 0, 1], 0, "ratio of few"),
        (SETS, [1, 1, float("nan")], 0, "ratio of some"),
        (SETS, [-1, 1, 1], 0, "ratio of many"),
        ([Counted("void", 0)], [1], 0, "void is empty"),
        (SETS, [1, 1, 1], -1, "seed"),
    ],
)
def test_unsound_mixtures_are_refused(
    sets: list[Counted], ratios: list[float], seed: int, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        Mixture(sets, ratios, seed)
