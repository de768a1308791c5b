"""People of a take: names, merging and removal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import UsageError
from pymaf_live.takes import read_take, write_take
from pymaf_live.takes.people import merged, names_of, people_of, with_name, without_people
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, standing, walking_past


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    """Person 0 in frames 0 to 5 (5 predicted), 1 in 4 to 9 (4 predicted), 2 in all ten."""
    frames = {0: np.arange(6), 1: np.arange(4, 10), 2: np.arange(10)}
    take = make_take(
        body,
        np.arange(10) / 10,
        {number: standing(body, len(which)) for number, which in frames.items()},
        {number: walking_past(which / 10, 0.3 * number) for number, which in frames.items()},
        frames=frames,
    )
    predicted = ((take.person == 0) & (take.frame == 5)) | ((take.person == 1) & (take.frame == 4))
    return replace(take, predicted=predicted)


def test_two_numbers_of_one_person_are_merged(take: Take) -> None:
    one = merged(take, 1, into=0)
    assert people_of(one) == (0, 2)
    assert one.frame[one.person == 0].tolist() == list(range(10))
    assert one.frame.tolist() == sorted(one.frame.tolist())
    # where both have a row the measured one stays: that of 0 in frame 4, of 1 in frame 5
    for frame, who in ((3, 0), (4, 0), (5, 1), (9, 1)):
        of = take.translation[(take.person == who) & (take.frame == frame)]
        np.testing.assert_array_equal(one.translation[(one.person == 0) & (one.frame == frame)], of)
    assert not one.predicted.any()
    np.testing.assert_array_equal(
        one.translation[one.person == 2], take.translation[take.person == 2]
    )
    assert people_of(take) == (0, 1, 2)


def test_merging_keeps_the_measured_rows_of_the_target(take: Take) -> None:
    both = merged(take, 0, into=2)
    expected = take.translation[take.person == 2]
    np.testing.assert_array_equal(both.translation[both.person == 2], expected)
    assert people_of(both) == (1, 2)


def test_names_are_stored_and_follow_their_people(take: Take, tmp_path: Path) -> None:
    named = with_name(with_name(take, 2, "  Ann\n Lee "), 1, "Bo")
    assert names_of(named) == {1: "Bo", 2: "Ann Lee"}
    write_take(tmp_path / "t.npz", named)
    assert names_of(read_take(tmp_path / "t.npz")) == {1: "Bo", 2: "Ann Lee"}
    assert names_of(merged(named, 1, into=0)) == {0: "Bo", 2: "Ann Lee"}
    assert names_of(merged(named, 1, into=2)) == {2: "Ann Lee"}
    assert names_of(with_name(named, 1, "")) == {2: "Ann Lee"}
    assert names_of(without_people(named, {2})) == {1: "Bo"}


def test_removed_people_have_no_rows(take: Take) -> None:
    assert people_of(without_people(take, {0, 1})) == (2,)
    assert people_of(without_people(take, {0, 1, 2})) == ()
    assert len(without_people(take, {0, 1, 2}).frame_time) == 10


def test_unknown_people_are_refused(take: Take) -> None:
    for change in (
        lambda: merged(take, 7, into=0),
        lambda: merged(take, 0, into=7),
        lambda: merged(take, 1, into=1),
        lambda: with_name(take, 9, "x"),
    ):
        with pytest.raises(UsageError):
            change()


def test_people_of_takes_of_the_first_version_are_numbered_from_1(
    take: Take, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    write_take(path, with_name(take, 2, "Ann"))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **(arrays | {"version": np.array(1)}))
    old = read_take(path)
    np.testing.assert_array_equal(old.person, take.person + 1)
    assert names_of(old) == {3: "Ann"}
    write_take(path, old, force=True)
    np.testing.assert_array_equal(read_take(path).person, old.person)
