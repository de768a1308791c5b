"""With a lookahead, a crop is known some frames before it is cut."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

from pymaf_live.tracking import PersonTracker, TrackedCrop, TrackerConfig
from pymaf_live.tracking.crop import crop_from_points
from tests.tracking.fakes import FakeDetector, is_shown, make_frame, person_at, track_frame


def tracker_with(lookahead: int) -> PersonTracker:
    detector = FakeDetector(person_at(200))
    return PersonTracker(detector, 256, TrackerConfig(lookahead_frames=lookahead))


def walk(tracker: PersonTracker, frames: int, step: float = 60.0) -> list[TrackedCrop]:
    """Return the crops of a walking person whom the network estimates correctly."""
    crops = []
    for index in range(frames):
        crops += tracker.begin_frame(make_frame(index))
        assert is_shown(tracker, crops[-1], person_at(200 + step * index), 0.9)
    return crops


@pytest.mark.parametrize("lookahead", [1, 2])
def test_upcoming_crops_are_the_next_frames_crops(lookahead: int) -> None:
    crops = walk(tracker_with(lookahead), 8)
    assert crops[0].upcoming_crops == ()  # the crop of a new person may still change
    for number, current in enumerate(crops[1:], 1):
        assert len(current.upcoming_crops) == lookahead
        for predicted, later in zip(current.upcoming_crops, crops[number + 1 :], strict=False):
            assert predicted is later.crop


@pytest.mark.parametrize("lookahead", [1, 2])
def test_a_crop_comes_from_the_result_that_many_frames_earlier(lookahead: int) -> None:
    crops = walk(tracker_with(lookahead), 8)
    for index in range(1, 8):
        source = max(0, index - 1 - lookahead)
        expected = crop_from_points(person_at(200 + 60 * source), 0.0, 256)
        assert_allclose(crops[index].crop.frame_from_crop, expected.frame_from_crop, atol=1e-9)


def test_a_still_person_keeps_one_crop() -> None:
    crops = walk(tracker_with(2), 8, step=0.5)
    assert all(each.crop is crops[1].crop for each in crops[1:])


def test_there_are_no_upcoming_crops_without_lookahead() -> None:
    assert all(each.upcoming_crops == () for each in walk(tracker_with(0), 5))


def test_a_missing_person_has_no_upcoming_crops_until_they_are_seen_again() -> None:
    tracker = tracker_with(2)
    for index in range(3):
        assert track_frame(tracker, index, [person_at(200)]) == {1: True}
    assert track_frame(tracker, 3, []) == {1: False}
    hidden = tracker.begin_frame(make_frame(4))[0]
    assert hidden.upcoming_crops == ()
    assert is_shown(tracker, hidden, person_at(205), 0.9)
    back = tracker.begin_frame(make_frame(5))[0]
    assert back.upcoming_crops == (back.crop, back.crop)


def test_predicted_crops_are_the_crops_that_will_be_cut() -> None:
    tracker = tracker_with(2)
    predicted: list[TrackedCrop] = []
    for index in range(6):
        current = tracker.begin_frame(make_frame(index))[0]
        if index:
            assert predicted[0].upcoming_crops == (current.crop, *current.upcoming_crops)
        assert is_shown(tracker, current, person_at(200 + 60 * index), 0.9)
        predicted = tracker.predicted_crops()
        assert len(predicted) == 1
        assert len(predicted[0].upcoming_crops) == 3


@pytest.mark.parametrize("lookahead", [0, 2])
def test_no_crops_are_predicted_for_missing_people_or_without_lookahead(lookahead: int) -> None:
    tracker = tracker_with(lookahead)
    assert track_frame(tracker, 0, [person_at(200)]) == {1: True}
    assert len(tracker.predicted_crops()) == (1 if lookahead else 0)
    assert track_frame(tracker, 1, []) == {1: False}
    assert tracker.predicted_crops() == []
