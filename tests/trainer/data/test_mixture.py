"""Tests of mixtures: ratios, epochs and resumed runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from pymaf_live.errors import UsageError
from trainer.data.mixture import Mixture


@dataclass
class FakeDataset:
    name: str
    count: int

    def __len__(self) -> int:
        return self.count


SETS = [FakeDataset("many", 700), FakeDataset("few", 7), FakeDataset("some", 50)]


def test_sets_are_drawn_by_their_ratios() -> None:
    mixture = Mixture(SETS, [5, 3, 2], seed=4)
    drawn = Counter(mixture.draw(step)[0] for step in range(10_000))
    assert abs(drawn[0] - 5000) < 60
    assert abs(drawn[1] - 3000) < 60
    assert abs(drawn[2] - 2000) < 60
    whole = Counter(mixture.draw(step)[0] for step in range(1024 * 5))
    assert [whole[0], whole[1], whole[2]] == pytest.approx([2560, 1536, 1024], abs=3)


def test_rare_set_is_still_drawn() -> None:
    mixture = Mixture(SETS, [0.9998, 0.0001, 0.0001], seed=0)
    drawn = Counter(mixture.draw(step)[0] for step in range(1024 * 20))
    assert 1 <= drawn[1] <= 3
    assert 1 <= drawn[2] <= 3
    assert sum(drawn.values()) == 1024 * 20


def test_no_row_repeats_within_an_epoch() -> None:
    mixture = Mixture(SETS, [1, 1, 1], seed=1)
    rows: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for step in range(4000):
        chosen, row = mixture.draw(step)
        rows[chosen].append(row)
    for chosen, people in enumerate(SETS):
        epochs = len(rows[chosen]) // len(people)
        assert epochs >= 1
        for epoch in range(epochs):
            part = rows[chosen][epoch * len(people) : (epoch + 1) * len(people)]
            assert sorted(part) == list(range(len(people)))
    assert rows[0][:700] != list(range(700))
    assert rows[1][:7] != rows[1][7:14]


def test_draw_depends_only_on_seed_and_step() -> None:
    steps = [5000, 3, 1023, 1024, 77_777, 3, 0]
    one = Mixture(SETS, [1, 2, 3], seed=9)
    in_order = {step: one.draw(step) for step in sorted(set(steps))}
    other = Mixture(SETS, [10, 20, 30], seed=9)
    assert [other.draw(step) for step in steps] == [in_order[step] for step in steps]
    third = Mixture(SETS, [1, 2, 3], seed=10)
    assert [third.draw(step) for step in range(50)] != [one.draw(step) for step in range(50)]


@pytest.mark.parametrize(
    ("sets", "ratios", "seed", "message"),
    [
        ([], [], 0, "at least one"),
        (SETS, [1, 1], 0, "as many ratios"),
        (SETS, [1, 0, 1], 0, "ratio of few"),
        (SETS, [1, 1, float("nan")], 0, "ratio of some"),
        (SETS, [-1, 1, 1], 0, "ratio of many"),
        ([FakeDataset("empty", 0)], [1], 0, "empty is empty"),
        (SETS, [1, 1, 1], -1, "seed"),
    ],
)
def test_invalid_mixtures_are_rejected(
    sets: list[FakeDataset], ratios: list[float], seed: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Mixture(sets, ratios, seed)
