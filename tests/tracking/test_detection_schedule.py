"""When the detector runs, and how its detections start, confirm, move and end tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.tracking import PersonTracker, TrackerConfig, TrackObservation
from tests.tracking.fakes import (
    CONFIG,
    TWO_PEOPLE,
    FakeDetector,
    is_shown,
    make_frame,
    person_at,
    track_frame,
)


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
        assert track_frame(tracker, index, [person], joint_score=joint_score) == {1: True}
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


def test_newcomers_are_tracked_up_to_the_maximum_number() -> None:
    detector = FakeDetector(person_at(100))
    tracker = PersonTracker(detector, 256, TWO_PEOPLE)
    everybody = [person_at(100), person_at(320), person_at(540)]
    assert track_frame(tracker, 0, everybody) == {1: True}
    detector.people = everybody
    for index in range(1, 35):
        shown = track_frame(tracker, index, everybody)
    assert shown == {1: True, 2: True}
    assert [crop.person for crop in tracker.begin_frame(make_frame(35))] == [1, 2]


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
        # the network sees no one where the other person was
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
        assert track_frame(tracker, index, [both[1]]) == {1: True}
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
        assert shown[1]
        detector.people = both[1:]
    first = tracker.begin_frame(make_frame(300))[0]
    assert (first.person, first.is_new) == (1, False)
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
