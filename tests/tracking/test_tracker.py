"""The tracker on a fake detector and a fake network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pymaf_live.tracking import (
    Detector,
    PersonTracker,
    TrackedCrop,
    TrackerConfig,
    TrackObservation,
)
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.tracking.crop_placement import ALTERNATIVE_BOX_SIDES, USER_BOX_SIDE
from pymaf_live.tracking.overlap import same_person
from pymaf_live.tracking.trunk_orientation import TrunkOrientation
from pymaf_live.types import Array, Detection, Frame, Image

CONFIG = TrackerConfig()
TWO_PEOPLE = TrackerConfig(people=2)

# LSP's 14 key points of a standing person of height 1, feet at the origin
STANDING = np.array(
    [
        [-0.08, -0.03], [-0.08, -0.27], [-0.08, -0.5], [0.08, -0.5], [0.08, -0.27], [0.08, -0.03],
        [-0.2, -0.45], [-0.17, -0.62], [-0.11, -0.8], [0.11, -0.8], [0.17, -0.62], [0.2, -0.45],
        [0, -0.83], [0, -1.0],
    ]
)  # fmt: skip


def person_at(x: float, y: float = 400.0, height: float = 300.0, turn: float = 0.0) -> Array:
    c, s = np.cos(turn), np.sin(turn)
    return STANDING @ np.array([[c, s], [-s, c]]) * height + (x, y)


def detection(points: Array, score: float = 0.9) -> Detection:
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    trunk = np.stack([points[[2, 3]].mean(axis=0), points[[8, 9]].mean(axis=0)])
    return Detection(box, score, trunk)


class FakeDetector(Detector):
    """Detects the people that the test sets, and counts its runs."""

    name = "fake"

    def __init__(self, *people: Array) -> None:
        self.people = list(people)
        self.runs = 0

    def detect(self, image: Image) -> list[Detection]:
        self.runs += 1
        return [detection(points) for points in self.people]


class FakeOrientation:
    """Estimates the trunk orientation that the test sets."""

    def __init__(self, turn: float | None) -> None:
        self.turn = turn

    def estimate(self, image: Image, box: Array) -> TrunkOrientation | None:
        return None if self.turn is None else TrunkOrientation(self.turn, 0.9)


def box_tracker(turn: float | None, *, scored: bool = True) -> PersonTracker:
    """Return a tracker for user-drawn boxes with a known trunk orientation."""
    orientation = FakeOrientation(turn)
    return PersonTracker(None, 256, orientation=orientation, scored=scored)  # type: ignore[arg-type]


def make_frame(index: int, rate: float = 30.0, image: Image | None = None) -> Frame:
    grey = np.full((480, 640, 3), 90, np.uint8) if image is None else image
    return Frame(index, index / rate, grey)


def is_shown(
    tracker: PersonTracker,
    crop: TrackedCrop,
    points: Array,
    score: float,
    joint_score: float = 1.0,
) -> bool:
    """Update the tracker with the only crop of a frame; return True if its person is shown."""
    return tracker.update([TrackObservation(crop, points, score, joint_score)]) == [crop.person]


def track_frame(
    tracker: PersonTracker,
    index: int,
    people: list[Array],
    score: float = 0.9,
    joint_score: float = 1.0,
) -> dict[int, bool]:
    """Track one frame in which each crop shows the nearest person; return who is shown by id."""
    crops = tracker.begin_frame(make_frame(index))
    observations = []
    for crop in crops:
        if people:
            nearest = min(people, key=lambda p: np.hypot(*(p.mean(axis=0) - crop.crop.centre)))
            observations.append(TrackObservation(crop, nearest, score, joint_score))
        else:
            points = person_at(*crop.crop.centre)
            observations.append(TrackObservation(crop, points, 0.0, joint_score))
    shown = tracker.update(observations)
    return {crop.person: crop.person == who for crop, who in zip(crops, shown, strict=True)}


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


@pytest.mark.parametrize(
    ("joint_score", "scored", "runs"), [(0.9, True, 2), (0.4, True, 4), (0.9, False, 12)]
)
def test_the_detector_runs_once_a_second_and_half_as_often_for_confident_people(
    joint_score: float, scored: bool, runs: int
) -> None:
    detector = FakeDetector(person_at(200))
    tracker = PersonTracker(detector, 256, scored=scored)
    for index in range(91):
        person = person_at(200 + index)
        assert track_frame(tracker, index, [person], joint_score=joint_score) == {0: True}
        detector.people = [person]
    assert detector.runs == runs


def test_the_detector_runs_where_a_looping_video_restarts() -> None:
    detector = FakeDetector(person_at(200))
    tracker = PersonTracker(detector, 256)
    for index in range(20):
        current = replace(make_frame(index), file_time=(index % 10) / 30)
        if index == 10:
            detector.people = [person_at(480)]
        crops = tracker.begin_frame(current)
        assert len(crops) == 1
        assert is_shown(tracker, crops[0], detector.people[0], 0.9)
        assert crops[0].is_new == (index in (0, 10))
    assert detector.runs == 2


def test_an_empty_scene_is_searched_ten_times_a_second() -> None:
    detector = FakeDetector()
    tracker = PersonTracker(detector, 256)
    for index in range(30):
        assert tracker.begin_frame(make_frame(index)) == []
    assert detector.runs <= 11
    detector.people = [person_at(300)]
    found = [index for index in range(30, 40) if tracker.begin_frame(make_frame(index))]
    assert found[0] <= 33


def test_a_new_track_that_the_network_does_not_confirm_ends_at_once() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    crop = tracker.begin_frame(make_frame(0))[0]
    assert not is_shown(tracker, crop, person_at(200), CONFIG.new_track_score - 0.01)
    assert tracker.begin_frame(make_frame(1)) == []


def test_a_person_may_be_missing_briefly_and_is_found_again_after_being_lost() -> None:
    detector = FakeDetector(person_at(200))
    tracker = PersonTracker(detector, 256)
    assert track_frame(tracker, 0, [person_at(200)]) == {0: True}
    assert track_frame(tracker, 1, [person_at(200)], CONFIG.keep_score + 0.01) == {0: True}
    assert track_frame(tracker, 2, []) == {0: False}
    assert track_frame(tracker, 3, [person_at(205)]) == {0: True}
    for index in (4, 5, 6):
        assert track_frame(tracker, index, []) == {0: False}
    detector.people = []
    assert track_frame(tracker, 7, []) == {}
    detector.people = [person_at(230)]
    found = [index for index in range(8, 20) if track_frame(tracker, index, [person_at(230)])]
    assert found
    assert tracker.begin_frame(make_frame(20))[0].person == 0


def uncertain_frame(tracker: PersonTracker, index: int, rate: float = 4.0) -> list[bool]:
    """Track one frame in which the network is certain of a person, but not of the joints."""
    return [
        is_shown(tracker, crop, person_at(200), 0.9, CONFIG.min_joint_score - 0.01)
        for crop in tracker.begin_frame(make_frame(index, rate))
    ]


def test_a_person_who_left_is_not_shown_at_a_low_frame_rate() -> None:
    detector = FakeDetector(person_at(200))
    tracker = PersonTracker(detector, 256)
    for index in range(3):
        (crop,) = tracker.begin_frame(make_frame(index, rate=4.0))
        assert is_shown(tracker, crop, person_at(200), 0.9, 0.8)
    detector.people = []
    assert not any(any(uncertain_frame(tracker, index)) for index in range(3, 12))
    assert tracker.begin_frame(make_frame(12, rate=4.0)) == []


def test_a_half_occluded_person_is_shown_while_the_detector_sees_them() -> None:
    detector = FakeDetector(person_at(200))
    tracker = PersonTracker(detector, 256)
    assert all(uncertain_frame(tracker, index) == [True] for index in range(12))
    # four runs a second at most, whatever the frame rate
    detector.runs = 0
    assert all(uncertain_frame(tracker, index, rate=30.0) == [True] for index in range(90, 180))
    assert detector.runs <= 14


def test_joint_scores_of_a_network_without_scores_are_ignored() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256, scored=False)
    assert all(uncertain_frame(tracker, index) == [True] for index in range(12))


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
        assert is_shown(tracker, crop, person_at(150), 0.9)
    detector.people = [person_at(480)]
    crop = tracker.begin_frame(make_frame(3, image=shots[1].astype(np.uint8)))[0]
    assert crop.is_new
    assert crop.crop.centre[0] == pytest.approx(480, abs=5)
    assert detector.runs == 2


def test_two_tracks_never_show_the_same_person() -> None:
    detector = FakeDetector(person_at(150), person_at(450))
    tracker = PersonTracker(detector, 256, TWO_PEOPLE)
    assert track_frame(tracker, 0, [person_at(150), person_at(450)]) == {0: True, 1: True}
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
    assert ids == {0, 1}


def test_a_jump_to_a_neighbour_is_rejected() -> None:
    tracker = PersonTracker(FakeDetector(person_at(200)), 256)
    assert track_frame(tracker, 0, [person_at(200)]) == {0: True}
    assert track_frame(tracker, 1, [person_at(220)]) == {0: True}
    assert track_frame(tracker, 2, [person_at(330)]) == {0: False}
    assert track_frame(tracker, 3, [person_at(240)]) == {0: True}


def test_newcomers_are_tracked_up_to_the_maximum_number() -> None:
    detector = FakeDetector(person_at(100))
    tracker = PersonTracker(detector, 256, TWO_PEOPLE)
    everybody = [person_at(100), person_at(320), person_at(540)]
    assert track_frame(tracker, 0, everybody) == {0: True}
    detector.people = everybody
    for index in range(1, 35):
        shown = track_frame(tracker, index, everybody)
    assert shown == {0: True, 1: True}
    assert [crop.person for crop in tracker.begin_frame(make_frame(35))] == [0, 1]


def test_a_newcomer_gets_a_lost_persons_id_once_it_is_free() -> None:
    here, leaving, newcomer = person_at(60, height=150), person_at(200, height=150), person_at(580)
    detector = FakeDetector(here, leaving)
    tracker = PersonTracker(detector, 256, TWO_PEOPLE)
    for index in range(30):
        track_frame(tracker, index, [here, leaving])
    detector.people = [here, newcomer]
    started = None
    for index in range(30, 160):
        crops = tracker.begin_frame(make_frame(index))
        if any(crop.crop.centre[0] > 400 for crop in crops):
            started = index
            break
        # the network sees nobody where the other person was
        scores = [0.9 if crop.crop.centre[0] < 130 else 0.0 for crop in crops]
        tracker.update(
            [TrackObservation(c, here, score) for c, score in zip(crops, scores, strict=True)]
        )
    assert started is not None
    # two seconds after the last frame with the lost person, plus a quarter for the detector
    assert 60 < started - 29 <= 60 + 8


def test_a_single_tracked_person_is_kept_though_others_come() -> None:
    detector = FakeDetector(person_at(450, height=200))
    tracker = PersonTracker(detector, 256)
    both = [person_at(150, height=380), person_at(450, height=200)]
    for index in range(200):
        assert track_frame(tracker, index, [both[1]]) == {0: True}
        detector.people = both
    assert tracker.begin_frame(make_frame(200))[0].crop.centre[0] == pytest.approx(450, abs=5)


def test_a_track_that_lost_its_person_moves_to_a_detected_one() -> None:
    detector = FakeDetector(person_at(150))
    tracker = PersonTracker(detector, 256)
    background = person_at(150)
    for index in range(150):
        # the network keeps seeing a person on the background, though not with all joints; the
        # detector sees the person elsewhere
        track_frame(
            tracker,
            index,
            [background, person_at(450)],
            joint_score=CONFIG.confident_joint_score - 0.1,
        )
        detector.people = [person_at(450)]
    assert tracker.begin_frame(make_frame(150))[0].crop.centre[0] == pytest.approx(450, abs=5)


@pytest.mark.parametrize("people", [1, 3])
def test_a_confident_track_is_kept_though_the_detector_sees_only_others(people: int) -> None:
    detector = FakeDetector(person_at(150))
    tracker = PersonTracker(detector, 256, TrackerConfig(people=people))
    both = [person_at(150), person_at(450)]
    for index in range(300):
        shown = track_frame(tracker, index, both, joint_score=CONFIG.confident_joint_score)
        assert shown[0]
        detector.people = both[1:]
    first = tracker.begin_frame(make_frame(300))[0]
    assert (first.person, first.is_new) == (0, False)
    assert first.crop.centre[0] == pytest.approx(150, abs=5)
    assert len(shown) == min(people, 2)


def test_the_detector_runs_half_as_often_while_everybody_is_tracked() -> None:
    both = [person_at(150), person_at(450)]
    runs = {}
    for people in (2, 3):
        detector = FakeDetector(*both)
        tracker = PersonTracker(detector, 256, TrackerConfig(people=people))
        for index in range(301):
            track_frame(tracker, index, both)
        runs[people] = detector.runs
    assert runs == {2: 6, 3: 11}


def test_a_user_drawn_box_is_rotated_by_the_trunk_inside_it() -> None:
    tracker = box_tracker(2.5)
    boxes = np.array([[100.0, 50, 200, 350], [300, 60, 500, 160]])
    crops = tracker.begin_frame(make_frame(0), boxes)
    assert [crop.person for crop in crops] == [0, 1]
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
    assert shown == [None, 1]


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


def test_the_nearest_people_of_a_crowd_are_tracked_with_a_notice() -> None:
    crowd = [person_at(20 + 20 * n, 470, height=60 + 8 * (n * 7 % 30)) for n in range(30)]
    tracker = PersonTracker(FakeDetector(*crowd), 256, TrackerConfig(people=3))
    assert tracker.notice == ""
    heights = sorted(float(np.ptp(points[:, 1])) for points in crowd)
    sides = [crop.crop.side for crop in tracker.begin_frame(make_frame(0))]
    assert len(sides) == 3
    assert min(sides) >= 1.75 * heights[-8]
    assert "the nearest 3 are tracked" in tracker.notice


def test_the_person_in_front_is_the_large_one_in_the_middle() -> None:
    edge, middle = person_at(60, height=310), person_at(330, height=290)
    small = person_at(320, height=120)
    tracker = PersonTracker(FakeDetector(small, edge, middle), 256)
    (crop,) = tracker.begin_frame(make_frame(0))
    assert crop.crop.centre[0] == pytest.approx(330, abs=5)
    assert "the one in front is tracked" in tracker.notice
