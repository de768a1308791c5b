"""With foresight a crop is known a frame before it is cut."""

from __future__ import annotations

from itertools import pairwise

from numpy.testing import assert_allclose

from pymaf_live.people import FollowedCrop, Following
from pymaf_live.people.crop import crop_from_points
from tests.people.test_following import SeenPeople, accepted, follow, frame, person_at


def walk(following: Following, frames: int, step: float = 60.0) -> list[FollowedCrop]:
    """The crops of one who walks, whom the network sees as she is."""
    crops = []
    for index in range(frames):
        crops += following.crops(frame(index))
        assert accepted(following, crops[-1], person_at(200 + step * index), 0.9)
    return crops


def test_the_next_crop_is_told_and_comes_true() -> None:
    crops = walk(Following(SeenPeople(person_at(200)), 256, foresight=True), 8)
    assert crops[0].coming is None  # whoever is new may still lie elsewhere
    for before, after in pairwise(crops[1:]):
        assert before.coming is after.crop


def test_the_crop_lies_about_the_result_before_the_last() -> None:
    crops = walk(Following(SeenPeople(person_at(200)), 256, foresight=True), 8)
    for index in range(2, 8):
        expected = crop_from_points(person_at(200 + 60 * (index - 2)), 0.0, 256)
        assert_allclose(crops[index].crop.frame_from_crop, expected.frame_from_crop, atol=1e-9)


def test_who_stands_still_keeps_one_crop() -> None:
    crops = walk(Following(SeenPeople(person_at(200)), 256, foresight=True), 8, step=0.5)
    assert all(one.crop is crops[1].crop for one in crops[1:])


def test_nothing_is_told_without_foresight() -> None:
    assert all(one.coming is None for one in walk(Following(SeenPeople(person_at(200)), 256), 5))


def test_nothing_is_told_of_one_who_is_missing_until_she_is_there_again() -> None:
    following = Following(SeenPeople(person_at(200)), 256, foresight=True)
    for index in range(3):
        assert follow(following, index, [person_at(200)]) == {0: True}
    assert follow(following, 3, []) == {0: False}
    hidden = following.crops(frame(4))[0]
    assert hidden.coming is None
    assert accepted(following, hidden, person_at(205), 0.9)
    back = following.crops(frame(5))[0]
    assert back.coming is back.crop
