"""With foresight a crop is known some frames before it is cut."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

from pymaf_live.tracking import FollowedCrop, Following
from pymaf_live.tracking.crop import crop_from_points
from tests.tracking.test_tracker import SeenPeople, accepted, follow, frame, person_at


def walk(following: Following, frames: int, step: float = 60.0) -> list[FollowedCrop]:
    """The crops of one who walks, whom the network sees as she is."""
    crops = []
    for index in range(frames):
        crops += following.crops(frame(index))
        assert accepted(following, crops[-1], person_at(200 + step * index), 0.9)
    return crops


FAR = [1, 2]


@pytest.mark.parametrize("frames", FAR)
def test_the_next_crops_are_told_and_come_true(frames: int) -> None:
    crops = walk(Following(SeenPeople(person_at(200)), 256, foresight=frames), 8)
    assert crops[0].coming == ()  # whoever is new may still lie elsewhere
    for number, before in enumerate(crops[1:], 1):
        assert len(before.coming) == frames
        for told, after in zip(before.coming, crops[number + 1 :], strict=False):
            assert told is after.crop


@pytest.mark.parametrize("frames", FAR)
def test_the_crop_lies_about_the_result_so_many_frames_ago(frames: int) -> None:
    crops = walk(Following(SeenPeople(person_at(200)), 256, foresight=frames), 8)
    for index in range(1, 8):
        told_from = max(0, index - 1 - frames)
        expected = crop_from_points(person_at(200 + 60 * told_from), 0.0, 256)
        assert_allclose(crops[index].crop.frame_from_crop, expected.frame_from_crop, atol=1e-9)


def test_who_stands_still_keeps_one_crop() -> None:
    crops = walk(Following(SeenPeople(person_at(200)), 256, foresight=2), 8, step=0.5)
    assert all(one.crop is crops[1].crop for one in crops[1:])


def test_nothing_is_told_without_foresight() -> None:
    assert all(one.coming == () for one in walk(Following(SeenPeople(person_at(200)), 256), 5))


def test_nothing_is_told_of_one_who_is_missing_until_she_is_there_again() -> None:
    following = Following(SeenPeople(person_at(200)), 256, foresight=2)
    for index in range(3):
        assert follow(following, index, [person_at(200)]) == {0: True}
    assert follow(following, 3, []) == {0: False}
    hidden = following.crops(frame(4))[0]
    assert hidden.coming == ()
    assert accepted(following, hidden, person_at(205), 0.9)
    back = following.crops(frame(5))[0]
    assert back.coming == (back.crop, back.crop)


def test_the_plan_is_what_will_be_cut() -> None:
    following = Following(SeenPeople(person_at(200)), 256, foresight=2)
    planned: list[FollowedCrop] = []
    for index in range(6):
        now = following.crops(frame(index))[0]
        if index:
            assert planned[0].coming == (now.crop, *now.coming)
        assert accepted(following, now, person_at(200 + 60 * index), 0.9)
        planned = following.planned()
        assert len(planned) == 1
        assert len(planned[0].coming) == 3


@pytest.mark.parametrize("frames", [0, 2])
def test_nothing_is_planned_of_who_is_missing_nor_without_foresight(frames: int) -> None:
    following = Following(SeenPeople(person_at(200)), 256, foresight=frames)
    assert follow(following, 0, [person_at(200)]) == {0: True}
    assert len(following.planned()) == (1 if frames else 0)
    assert follow(following, 1, []) == {0: False}
    assert following.planned() == []
