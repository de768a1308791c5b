from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pymaf_live.tracking import FollowedCrop, Following, Seen
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.tracking.crop_placement import GIVEN_BOX_SIDE, OTHER_BOX_SIDES
from pymaf_live.tracking.detector import Detector
from pymaf_live.tracking.overlap import same_person
from pymaf_live.tracking.tracker import _SURELY_SOMEBODY, KEPT_SCORE, NEW_SCORE, SURE_JOINTS
from pymaf_live.tracking.trunk_orientation import TrunkOrientation
from pymaf_live.types import Array, Detection, Frame, Image

# LSP's 14 of a person of height 1 who stands, feet at the origin
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


def detection(points: Array, score: float = 0.9, *, trunk: bool = True) -> Detection:
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    line = np.stack([points[[2, 3]].mean(axis=0), points[[8, 9]].mean(axis=0)])
    return Detection(box, score, line if trunk else None)


class SeenPeople(Detector):
    """A stand-in for a detector: says what the test says, and counts."""

    name, notice = "stand-in", ""

    def __init__(self, *people: Array) -> None:
        self.people = list(people)
        self.asked = 0

    def detect(self, image: Image) -> list[Detection]:
        self.asked += 1
        return [detection(points) for points in self.people]

    def close(self) -> None: ...


class KnownTrunk:
    def __init__(self, turn: float | None) -> None:
        self.turn = turn

    def estimate(self, image: Image, box: Array) -> TrunkOrientation | None:
        return None if self.turn is None else TrunkOrientation(self.turn, 0.9)


def frame(index: int, rate: float = 30.0, image: Image | None = None) -> Frame:
    picture = np.full((480, 640, 3), 90, np.uint8) if image is None else image
    return Frame(index, index / rate, picture)


def accepted(
    following: Following, followed: FollowedCrop, points: Array, score: float, joints: float = 1.0
) -> bool:
    """Whether the one crop of a frame shows its person."""
    return following.settle([Seen(followed, points, score, joints)]) == [followed.person]


def follow(
    following: Following,
    index: int,
    people: list[Array],
    score: float = 0.9,
    joints: float = 1.0,
) -> dict[int, bool]:
    """One frame whose crops each show the person nearest to the crop's middle."""
    crops = following.crops(frame(index))
    seen = []
    for followed in crops:
        nearest = min(
            people, key=lambda p: np.hypot(*(p.mean(axis=0) - followed.crop.centre)), default=None
        )
        shown = nearest if nearest is not None else person_at(*followed.crop.centre)
        seen.append(Seen(followed, shown, score if nearest is not None else 0.0, joints))
    settled = following.settle(seen)
    return {one.person: one.person == who for one, who in zip(crops, settled, strict=True)}


def test_the_next_crop_is_the_crop_rules_about_the_last_result() -> None:
    following = Following(SeenPeople(person_at(200)), 256)
    first = following.crops(frame(0))[0]
    assert first.new
    assert first.turned
    leaning = person_at(230, turn=0.6)
    assert accepted(following, first, leaning, 0.9)
    second = following.crops(frame(1))[0]
    assert not second.new
    assert second.person == first.person
    expected = crop_from_points(leaning, 0.6, 256)
    assert_allclose(second.crop.frame_from_crop, expected.frame_from_crop, atol=1e-9)
    trunk = second.crop.to_crop(np.stack([leaning[[2, 3]].mean(0), leaning[[8, 9]].mean(0)]))
    assert trunk[0, 0] == pytest.approx(trunk[1, 0])
    assert trunk[1, 1] < trunk[0, 1]


@pytest.mark.parametrize(
    ("joints", "scored", "asked"), [(0.9, True, 2), (0.4, True, 4), (0.9, False, 12)]
)
def test_who_is_followed_is_detected_once_a_second_and_who_surely_is_there_half_as_often(
    joints: float, scored: bool, asked: int
) -> None:
    detector = SeenPeople(person_at(200))
    following = Following(detector, 256, detect_every=1.0, scored=scored)
    for index in range(91):
        assert follow(following, index, [person_at(200 + index)], joints=joints) == {0: True}
        detector.people = [person_at(200 + index)]
    assert detector.asked == asked


def test_where_a_film_begins_again_people_are_looked_for_at_once() -> None:
    detector = SeenPeople(person_at(200))
    following = Following(detector, 256)
    for index in range(20):
        now = replace(frame(index), file_time=(index % 10) / 30)
        if index == 10:
            detector.people = [person_at(480)]
        followed = following.crops(now)
        assert len(followed) == 1
        assert accepted(following, followed[0], detector.people[0], 0.9)
        assert followed[0].new == (index in (0, 10))
    assert detector.asked == 2


def test_nobody_is_looked_for_ten_times_a_second_and_found_when_they_come() -> None:
    detector = SeenPeople()
    following = Following(detector, 256)
    for index in range(30):
        assert following.crops(frame(index)) == []
    assert detector.asked <= 11
    detector.people = [person_at(300)]
    found = [index for index in range(30, 40) if following.crops(frame(index))]
    assert found[0] <= 33


def test_a_new_person_whom_the_network_does_not_confirm_is_dropped_at_once() -> None:
    following = Following(SeenPeople(person_at(200)), 256)
    followed = following.crops(frame(0))[0]
    assert not accepted(following, followed, person_at(200), NEW_SCORE - 0.01)
    assert following.crops(frame(1)) == []


def test_a_followed_person_may_be_missing_for_a_moment_then_is_lost_and_found_again() -> None:
    detector = SeenPeople(person_at(200))
    following = Following(detector, 256)
    assert follow(following, 0, [person_at(200)]) == {0: True}
    assert follow(following, 1, [person_at(200)], KEPT_SCORE + 0.01) == {0: True}
    assert follow(following, 2, []) == {0: False}
    assert follow(following, 3, [person_at(205)]) == {0: True}
    for index in (4, 5, 6):
        assert follow(following, index, []) == {0: False}
    detector.people = []
    assert follow(following, 7, []) == {}
    detector.people = [person_at(230)]
    back = [index for index in range(8, 20) if follow(following, index, [person_at(230)])]
    assert back
    assert following.crops(frame(20))[0].person == 0


def doubtful(following: Following, index: int, rate: float = 4.0) -> list[bool]:
    """One frame of a slow machine: the network is sure of a person, not of the joints."""
    return [
        accepted(following, followed, person_at(200), 0.9, SURE_JOINTS - 0.01)
        for followed in following.crops(frame(index, rate))
    ]


def test_nobody_is_shown_on_a_slow_machine_where_nobody_is_any_more() -> None:
    detector = SeenPeople(person_at(200))
    following = Following(detector, 256)
    for index in range(3):
        assert [
            accepted(following, followed, person_at(200), 0.9, 0.8)
            for followed in following.crops(frame(index, rate=4.0))
        ] == [True]
    detector.people = []
    assert not any(any(doubtful(following, index)) for index in range(3, 12))
    assert following.crops(frame(12, rate=4.0)) == []


def test_who_is_half_hidden_stays_shown_while_the_detector_sees_them() -> None:
    detector = SeenPeople(person_at(200))
    following = Following(detector, 256)
    assert all(doubtful(following, index) == [True] for index in range(12))
    # asked four times a second at most, however many frames come
    detector.asked = 0
    assert all(doubtful(following, index, rate=30.0) == [True] for index in range(90, 180))
    assert detector.asked <= 14


def test_a_network_without_scores_is_believed_whatever_its_joints_say() -> None:
    following = Following(SeenPeople(person_at(200)), 256, scored=False)
    assert all(doubtful(following, index) == [True] for index in range(12))


@pytest.mark.parametrize(
    "points",
    [np.full((14, 2), np.nan), person_at(5000), person_at(200, height=2.0), person_at(200) * 40],
    ids=["not finite", "outside", "tiny", "huge"],
)
def test_key_points_that_cannot_be_a_person_do_not_move_the_crop(points: Array) -> None:
    following = Following(SeenPeople(person_at(200)), 256)
    follow(following, 0, [person_at(200)])
    before = following.crops(frame(1))[0]
    assert not accepted(following, before, points, 0.99)
    after = following.crops(frame(2))[0]
    assert_allclose(after.crop.frame_from_crop, before.crop.frame_from_crop)


def test_a_trunk_seen_end_on_keeps_the_last_turn() -> None:
    following = Following(SeenPeople(person_at(200)), 256)
    first = following.crops(frame(0))[0]
    assert accepted(following, first, person_at(200, turn=0.5), 0.9)
    folded = person_at(200, turn=0.5)
    folded[[8, 9]] = folded[[2, 3]] + (3, 2)
    second = following.crops(frame(1))[0]
    assert accepted(following, second, folded, 0.9)
    assert following.crops(frame(2))[0].crop.turn == pytest.approx(0.5)


def test_a_shot_cut_starts_afresh() -> None:
    rng = np.random.default_rng(4)
    shots = [
        np.repeat(np.repeat(rng.integers(low, low + 110, (8, 12, 3)), 60, 0), 54, 1)
        for low in (0, 140)
    ]
    detector = SeenPeople(person_at(150))
    following = Following(detector, 256)
    for index in range(3):
        followed = following.crops(frame(index, image=shots[0].astype(np.uint8)))[0]
        assert followed.new == (index == 0)
        assert accepted(following, followed, person_at(150), 0.9)
    detector.people = [person_at(480)]
    followed = following.crops(frame(3, image=shots[1].astype(np.uint8)))[0]
    assert followed.new
    assert followed.crop.centre[0] == pytest.approx(480, abs=5)
    assert detector.asked == 2


def test_two_tracks_are_never_on_one_person() -> None:
    detector = SeenPeople(person_at(150), person_at(450))
    following = Following(detector, 256, people=2)
    assert follow(following, 0, [person_at(150), person_at(450)]) == {0: True, 1: True}
    # the second walks behind the first; the network sees only the first in both crops
    for index in range(1, 40):
        hidden = 450 - 10 * index
        people = [person_at(150)] if hidden < 210 else [person_at(150), person_at(hidden)]
        detector.people = people
        crops = following.crops(frame(index))
        near = [
            min(people, key=lambda p: abs(p.mean(axis=0)[0] - one.crop.centre[0])) for one in crops
        ]
        seen = [Seen(one, points, 0.9) for one, points in zip(crops, near, strict=True)]
        shown = [
            points
            for points, who in zip(near, following.settle(seen), strict=True)
            if who is not None
        ]
        for number, points in enumerate(shown):
            assert not any(same_person(points, other) for other in shown[:number])
        assert len(shown) == len(people)
    # and when she comes out on the other side within two seconds... she has a number again
    detector.people = [person_at(150), person_at(380)]
    numbers = set()
    for index in range(40, 80):
        numbers |= set(follow(following, index, detector.people))
    assert numbers == {0, 1}


def test_a_jump_onto_a_neighbour_is_not_taken_for_the_person() -> None:
    following = Following(SeenPeople(person_at(200)), 256)
    assert follow(following, 0, [person_at(200)]) == {0: True}
    assert follow(following, 1, [person_at(220)]) == {0: True}
    assert follow(following, 2, [person_at(330)]) == {0: False}
    assert follow(following, 3, [person_at(240)]) == {0: True}


def test_newcomers_are_taken_up_to_the_number_wanted() -> None:
    detector = SeenPeople(person_at(100))
    following = Following(detector, 256, people=2)
    everybody = [person_at(100), person_at(320), person_at(540)]
    assert follow(following, 0, everybody) == {0: True}
    detector.people = everybody
    for index in range(1, 35):
        answers = follow(following, index, everybody)
    assert answers == {0: True, 1: True}
    assert [f.person for f in following.crops(frame(35))] == [0, 1]


def test_who_waits_for_the_number_of_somebody_lost_gets_it_once_it_is_free() -> None:
    here, gone, comer = person_at(60, height=150), person_at(200, height=150), person_at(580)
    detector = SeenPeople(here, gone)
    following = Following(detector, 256, people=2)
    for index in range(30):
        follow(following, index, [here, gone])
    detector.people = [here, comer]
    taken = None
    for index in range(30, 160):
        crops = following.crops(frame(index))
        if any(one.crop.centre[0] > 400 for one in crops):
            taken = index
            break
        # the network sees nobody where somebody was
        scores = [0.9 if one.crop.centre[0] < 130 else 0.0 for one in crops]
        following.settle([Seen(one, here, score) for one, score in zip(crops, scores, strict=True)])
    assert taken is not None
    # two seconds after the last frame in which she was seen, and a look every quarter
    assert 60 < taken - 29 <= 60 + 8


def test_one_wanted_stays_with_the_one_followed_though_others_come() -> None:
    detector = SeenPeople(person_at(450, height=200))
    following = Following(detector, 256, people=1)
    both = [person_at(150, height=380), person_at(450, height=200)]
    for index in range(200):
        assert follow(following, index, [both[1]]) == {0: True}
        detector.people = both
    assert following.crops(frame(200))[0].crop.centre[0] == pytest.approx(450, abs=5)


def test_a_track_that_left_its_person_gives_way_to_one_the_detector_sees() -> None:
    detector = SeenPeople(person_at(150))
    following = Following(detector, 256, people=1)
    wall = person_at(150)
    for index in range(150):
        # the network goes on being sure of the wall where she was, though not of each joint; the
        # detector sees her elsewhere
        follow(following, index, [wall, person_at(450)], joints=_SURELY_SOMEBODY - 0.1)
        detector.people = [person_at(450)]
    assert following.crops(frame(150))[0].crop.centre[0] == pytest.approx(450, abs=5)


@pytest.mark.parametrize("people", [1, 3])
def test_who_is_seen_with_all_joints_stays_though_the_detector_sees_others_only(
    people: int,
) -> None:
    detector = SeenPeople(person_at(150))
    following = Following(detector, 256, people=people)
    both = [person_at(150), person_at(450)]
    for index in range(300):
        answers = follow(following, index, both, joints=_SURELY_SOMEBODY)
        assert answers[0]
        detector.people = both[1:]
    first = following.crops(frame(300))[0]
    assert (first.person, first.new) == (0, False)
    assert first.crop.centre[0] == pytest.approx(150, abs=5)
    assert len(answers) == min(people, 2)


def test_the_detector_is_asked_half_as_often_while_all_of_several_are_there() -> None:
    both = [person_at(150), person_at(450)]
    asked = {}
    for people in (2, 3):
        detector = SeenPeople(*both)
        following = Following(detector, 256, people=people)
        for index in range(301):
            follow(following, index, both)
        asked[people] = detector.asked
    assert asked == {2: 6, 3: 11}


def test_a_box_given_by_hand_is_turned_by_the_trunk_found_in_it() -> None:
    following = Following(None, 256, trunk_finder=KnownTrunk(2.5))  # type: ignore[arg-type]
    boxes = np.array([[100.0, 50, 200, 350], [300, 60, 500, 160]])
    followed = following.given_boxes(frame(0), boxes)
    assert [f.person for f in followed] == [0, 1]
    for one, box in zip(followed, boxes, strict=True):
        assert one.turned
        assert one.new
        assert one.crop.turn == pytest.approx(2.5)
        assert_allclose(one.crop.centre, box.reshape(2, 2).mean(axis=0))
        sides = [size.crop.side for size in one.every_size()]
        wanted = (GIVEN_BOX_SIDE, *OTHER_BOX_SIDES)
        assert_allclose(sides, np.multiply(wanted, (box[2:] - box[:2]).max()))
        assert all(size.crop.turn == pytest.approx(2.5) for size in one.every_size())
        # somebody gave it: looked at twice all the same, to see which is surer
        assert one.given
        again = following.second_look(one, person_at(150))
        assert again is not None
        assert again.given
    # the box says that somebody is there, whatever the network thinks
    assert accepted(following, followed[1], person_at(400), 0.01)
    assert not accepted(following, followed[0], np.full((14, 2), np.nan), 0.9)


def test_without_scores_a_given_box_is_looked_at_in_one_size() -> None:
    # nothing would tell which look is the best
    finder = KnownTrunk(0.0)
    following = Following(None, 256, trunk_finder=finder, scored=False)  # type: ignore[arg-type]
    (one,) = following.given_boxes(frame(0), np.array([[100.0, 50, 200, 350]]))
    assert one.crop.side == pytest.approx(GIVEN_BOX_SIDE * 300)
    assert one.every_size() == [one]


def test_where_no_trunk_is_found_the_first_pass_turns_the_second() -> None:
    following = Following(None, 256, trunk_finder=KnownTrunk(None))  # type: ignore[arg-type]
    first = following.given_boxes(frame(0), np.array([[100.0, 50, 200, 350]]))[0]
    assert not first.turned
    assert first.crop.turn == 0
    lying = person_at(60, 200, turn=np.pi / 2)
    second = following.second_look(first, lying)
    assert second is not None
    assert second.turned
    assert second.crop.turn == pytest.approx(np.pi / 2)
    assert accepted(following, second, lying, 0.2)


def test_a_badly_placed_first_crop_is_looked_at_again_and_a_good_one_is_not() -> None:
    following = Following(SeenPeople(person_at(200)), 256)
    first: FollowedCrop = following.crops(frame(0))[0]
    assert following.second_look(first, person_at(205, turn=0.2)) is None
    better = following.second_look(first, person_at(330))
    assert better is not None
    assert better.crop.centre[0] == pytest.approx(330, abs=1)
    assert following.second_look(first, np.full((14, 2), np.inf)) is None
    assert accepted(following, better, person_at(330), 0.9)
    later = following.crops(frame(1))[0]
    assert following.second_look(later, person_at(100)) is None


def test_same_person_tells_people_side_by_side_apart() -> None:
    assert same_person(person_at(200), person_at(210, 405))
    assert not same_person(person_at(200), person_at(290))
    assert not same_person(person_at(200), person_at(200, height=120))


def test_of_a_crowd_the_nearest_are_followed_and_it_is_said_once() -> None:
    crowd = [person_at(20 + 20 * n, 470, height=60 + 8 * (n * 7 % 30)) for n in range(30)]
    following = Following(SeenPeople(*crowd), 256, people=3)
    assert following.notice == ""
    heights = sorted(float(np.ptp(points[:, 1])) for points in crowd)
    sides = [followed.crop.side for followed in following.crops(frame(0))]
    assert len(sides) == 3
    assert min(sides) >= 1.75 * heights[-8]
    assert "the nearest 3 are followed" in following.notice


def test_the_one_in_front_is_the_large_one_in_the_middle() -> None:
    edge, middle = person_at(60, height=310), person_at(330, height=290)
    small = person_at(320, height=120)
    following = Following(SeenPeople(small, edge, middle), 256)
    (followed,) = following.crops(frame(0))
    assert followed.crop.centre[0] == pytest.approx(330, abs=5)
    assert "the one in front is followed" in following.notice
