from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking.crop import trunk_turn
from pymaf_live.tracking.trunk_orientation import TrunkOrientationEstimator, vote
from tests.tracking.real_data import lspet_people, video_frames


def degrees_apart(one: float, other: float) -> float:
    return abs(float(np.degrees((one - other + np.pi) % (2 * np.pi) - np.pi)))


def test_the_vote_is_on_the_circle() -> None:
    guess = vote([np.radians(175), np.radians(-175), 0.0], [0.6, 0.6, 0.8])
    assert guess is not None
    assert degrees_apart(guess.turn, np.pi) < 2
    # trust is that of who stands behind the answer, not of who lost
    assert guess.confidence == pytest.approx(0.6)


def test_many_weak_answers_do_not_outvote_a_sure_one() -> None:
    guess = vote([1.5, -1.5, -1.5, -1.5], [0.9, 0.3, 0.3, 0.3])
    assert guess is not None
    assert degrees_apart(guess.turn, 1.5) < 5
    assert vote([], []) is None
    assert vote([1.0], [0.0]) is None


def test_a_turned_picture_turns_the_answer() -> None:
    frame = video_frames("dancer_single", 40)[0]
    height, width = frame.shape[:2]
    # her box in the first frame, read off the picture
    x0, y0, x1, y1 = 440.0, 100.0, 780.0, 540.0
    turned = [
        (frame, (x0, y0, x1, y1), 0.0),
        (frame[::-1, ::-1], (width - x1, height - y1, width - x0, height - y0), 180.0),
        # a quarter turn to the left brings the head to the left
        (np.rot90(frame), (y0, width - x1, y1, width - x0), -90.0),
        (np.rot90(frame, 3), (height - y1, x0, height - y0, x1), 90.0),
    ]
    finder = TrunkOrientationEstimator(threads=1)
    for picture, box, degrees in turned:
        guess = finder.estimate(np.ascontiguousarray(picture), np.array(box))
        assert guess is not None
        assert degrees_apart(guess.turn, np.radians(degrees)) < 15


def test_the_trunk_is_found_in_sport_pictures() -> None:
    finder = TrunkOrientationEstimator(threads=1)
    right = upright = known = 0
    for picture, joints in lspet_people(70, every=7):
        marked = joints[:, 2] > 0
        if not marked[[2, 3, 8, 9]].all():
            continue
        points = joints[marked, :2].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.1 * (high - low).max()
        true = trunk_turn(joints[[2, 3], :2].mean(axis=0), joints[[8, 9], :2].mean(axis=0))
        guess = finder.estimate(picture, np.concatenate([low - margin, high + margin]))
        known += 1
        upright += degrees_apart(0.0, true) < 30
        right += guess is not None and degrees_apart(guess.turn, true) < 30
    # 0.92 over the last 500; an unturned crop would be right for 0.43 of them
    assert upright / known < 0.6
    assert right / known > 0.82
