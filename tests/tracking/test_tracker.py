"""The tracker on a fake detector: crops, credible results, refinement, user-drawn boxes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pymaf_live.tracking import PersonTracker, TrackerConfig, TrackObservation
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.tracking.crop_placement import ALTERNATIVE_BOX_SIDES, USER_BOX_SIDE
from pymaf_live.tracking.overlap import same_person
from pymaf_live.types import Array
from tests.tracking.fakes import (
    CONFIG,
    TWO_PEOPLE,
    FakeDetector,
    box_tracker,
    is_shown,
    make_frame,
    person_at,
    track_frame,
)


def test_the_next_crop_follows_the_crop_rule_around_the_last_result() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    first = tracker.begin_frame(make_frame(0))[0]
    assert first.is_new
    assert first.is_upright
    leaning = person_at(230, turn=0.6)
    assert is_shown(tracker, first, leaning, 0.9)
    second = tracker.begin_frame(make_frame(1))[0]
    assert not second.is_new
    assert second.person == first.person
    expected = crop_from_points(leaning, 0.6, 256)
    assert_allclose(second.crop.frame_from_crop, expected.frame_from_crop, atol=1e-9)
    trunk = second.crop.to_crop(np.stack([leaning[[2, 3]].mean(0), leaning[[8, 9]].mean(0)]))
    assert trunk[0, 0] == pytest.approx(trunk[1, 0])
    assert trunk[1, 1] < trunk[0, 1]


def test_calls_in_the_wrong_order_raise() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    with pytest.raises(RuntimeError, match="begin_frame"):
        tracker.update([])
    crop = tracker.begin_frame(make_frame(0))[0]
    assert is_shown(tracker, crop, person_at(200), 0.9)
    with pytest.raises(RuntimeError, match="begin_frame"):
        tracker.update([])
    with pytest.raises(RuntimeError, match="begin_frame"):
        tracker.refine_crop(crop, person_at(200))
    ahead = PersonTracker(FakeDetector(person_at(200)), 256, TrackerConfig(lookahead_frames=1))
    ahead.begin_frame(make_frame(0))
    with pytest.raises(RuntimeError, match="after update"):
        ahead.predicted_crops()


def test_a_new_track_that_the_network_does_not_confirm_ends_at_once() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    crop = tracker.begin_frame(make_frame(0))[0]
    assert not is_shown(tracker, crop, person_at(200), CONFIG.new_track_score - 0.01)
    assert tracker.begin_frame(make_frame(1)) == []


def test_a_person_may_be_missing_briefly_and_is_found_again_after_being_lost() -> None:
    detector = FakeDetector(person_at(200))
    tracker = PersonTracker(detector, 256)
    assert track_frame(tracker, 0, [person_at(200)]) == {1: True}
    assert track_frame(tracker, 1, [person_at(200)], CONFIG.keep_score + 0.01) == {1: True}
    assert track_frame(tracker, 2, []) == {1: False}
    assert track_frame(tracker, 3, [person_at(205)]) == {1: True}
    for index in (4, 5, 6):
        assert track_frame(tracker, index, []) == {1: False}
    detector.people = []
    assert track_frame(tracker, 7, []) == {}
    detector.people = [person_at(230)]
    found = [index for index in range(8, 20) if track_frame(tracker, index, [person_at(230)])]
    assert found
    assert tracker.begin_frame(make_frame(20))[0].person == 1


@pytest.mark.parametrize(
    "points",
    [np.full((14, 2), np.nan), person_at(5000), person_at(200, height=2.0), person_at(200) * 40],
    ids=["not finite", "outside", "tiny", "huge"],
)
def test_implausible_key_points_do_not_move_the_crop(points: Array) -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    track_frame(tracker, 0, [person_at(200)])
    before = tracker.begin_frame(make_frame(1))[0]
    assert not is_shown(tracker, before, points, 0.99)
    after = tracker.begin_frame(make_frame(2))[0]
    assert_allclose(after.crop.frame_from_crop, before.crop.frame_from_crop)


def test_a_trunk_seen_end_on_keeps_the_last_orientation() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    first = tracker.begin_frame(make_frame(0))[0]
    assert is_shown(tracker, first, person_at(200, turn=0.5), 0.9)
    end_on = person_at(200, turn=0.5)
    end_on[[8, 9]] = end_on[[2, 3]] + (3, 2)
    second = tracker.begin_frame(make_frame(1))[0]
    assert is_shown(tracker, second, end_on, 0.9)
    assert tracker.begin_frame(make_frame(2))[0].crop.turn == pytest.approx(0.5)


def test_a_shot_cut_restarts_tracking() -> None:
    rng = np.random.default_rng(4)
    shots = [
        np.repeat(np.repeat(rng.integers(low, low + 110, (8, 12, 3)), 60, 0), 54, 1)
        for low in (0, 140)
    ]
    detector = FakeDetector(person_at(150))
    tracker = PersonTracker(detector, 256)
    for index in range(3):
        crop = tracker.begin_frame(make_frame(index, image=shots[0].astype(np.uint8)))[0]
        assert crop.is_new == (index == 0)
        assert not tracker.starts_shot
        assert is_shown(tracker, crop, person_at(150), 0.9)
    detector.people = [person_at(480)]
    crop = tracker.begin_frame(make_frame(3, image=shots[1].astype(np.uint8)))[0]
    assert crop.is_new
    assert tracker.starts_shot  # so that the smoothing starts anew as well
    assert crop.crop.centre[0] == pytest.approx(480, abs=5)
    assert detector.runs == 2


def test_two_tracks_never_show_the_same_person() -> None:
    detector = FakeDetector(person_at(150), person_at(450))
    tracker = PersonTracker(detector, 256, TWO_PEOPLE)
    assert track_frame(tracker, 0, [person_at(150), person_at(450)]) == {1: True, 2: True}
    # the second walks behind the first; the network then sees only the first in both crops
    for index in range(1, 40):
        x = 450 - 10 * index
        people = [person_at(150)] if x < 210 else [person_at(150), person_at(x)]
        detector.people = people
        crops = tracker.begin_frame(make_frame(index))
        nearest = [
            min(people, key=lambda p: abs(p.mean(axis=0)[0] - crop.crop.centre[0]))
            for crop in crops
        ]
        observations = [
            TrackObservation(crop, points, 0.9) for crop, points in zip(crops, nearest, strict=True)
        ]
        shown = [
            points
            for points, who in zip(nearest, tracker.update(observations), strict=True)
            if who is not None
        ]
        for number, points in enumerate(shown):
            assert not any(same_person(points, other) for other in shown[:number])
        assert len(shown) == len(people)
    # reappearing on the other side within two seconds, the second has an id again
    detector.people = [person_at(150), person_at(380)]
    ids = set()
    for index in range(40, 80):
        ids |= set(track_frame(tracker, index, detector.people))
    assert ids == {1, 2}


def test_a_jump_to_a_neighbour_is_rejected() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    assert track_frame(tracker, 0, [person_at(200)]) == {1: True}
    assert track_frame(tracker, 1, [person_at(220)]) == {1: True}
    assert track_frame(tracker, 2, [person_at(330)]) == {1: False}
    assert track_frame(tracker, 3, [person_at(240)]) == {1: True}


def test_a_user_drawn_box_is_rotated_by_the_trunk_inside_it() -> None:
    tracker = box_tracker(2.5)
    boxes = np.array([[100.0, 50, 200, 350], [300, 60, 500, 160]])
    crops = tracker.begin_frame(make_frame(0), boxes)
    assert [crop.person for crop in crops] == [1, 2]
    for crop, box in zip(crops, boxes, strict=True):
        assert crop.is_upright
        assert crop.is_new
        assert crop.crop.turn == pytest.approx(2.5)
        assert_allclose(crop.crop.centre, box.reshape(2, 2).mean(axis=0))
        sides = [candidate.crop.side for candidate in crop.candidates()]
        expected = (USER_BOX_SIDE, *ALTERNATIVE_BOX_SIDES)
        assert_allclose(sides, np.multiply(expected, (box[2:] - box[:2]).max()))
        assert all(each.crop.turn == pytest.approx(2.5) for each in crop.candidates())
        # always refined, to see which result scores higher
        assert crop.from_user_box
        refined = tracker.refine_crop(crop, person_at(150))
        assert refined is not None
        assert refined.from_user_box
    # the box says that a person is there, whatever the network's score
    shown = tracker.update(
        [
            TrackObservation(crops[0], np.full((14, 2), np.nan), 0.9),
            TrackObservation(crops[1], person_at(400), 0.01),
        ]
    )
    assert shown == [None, 2]


def test_without_scores_a_user_drawn_box_has_one_size() -> None:
    # nothing would tell which size is best
    tracker = box_tracker(0.0, scored=False)
    (crop,) = tracker.begin_frame(make_frame(0), np.array([[100.0, 50, 200, 350]]))
    assert crop.crop.side == pytest.approx(USER_BOX_SIDE * 300)
    assert crop.candidates() == [crop]


def test_without_a_known_trunk_the_first_result_rotates_the_refined_crop() -> None:
    tracker = box_tracker(None)
    first = tracker.begin_frame(make_frame(0), np.array([[100.0, 50, 200, 350]]))[0]
    assert not first.is_upright
    assert first.crop.turn == 0
    lying = person_at(60, 200, turn=np.pi / 2)
    refined = tracker.refine_crop(first, lying)
    assert refined is not None
    assert refined.is_upright
    assert refined.crop.turn == pytest.approx(np.pi / 2)
    assert is_shown(tracker, refined, lying, 0.2)


def test_only_a_badly_placed_first_crop_is_refined() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    first = tracker.begin_frame(make_frame(0))[0]
    assert tracker.refine_crop(first, person_at(205, turn=0.2)) is None
    refined = tracker.refine_crop(first, person_at(330))
    assert refined is not None
    assert refined.crop.centre[0] == pytest.approx(330, abs=1)
    assert tracker.refine_crop(first, np.full((14, 2), np.inf)) is None
    assert is_shown(tracker, refined, person_at(330), 0.9)
    later = tracker.begin_frame(make_frame(1))[0]
    assert tracker.refine_crop(later, person_at(100)) is None


def test_same_person_separates_people_side_by_side() -> None:
    assert same_person(person_at(200), person_at(210, 405))
    assert not same_person(person_at(200), person_at(290))
    assert not same_person(person_at(200), person_at(200, height=120))
