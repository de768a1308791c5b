from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking.crop import trunk_turn
from pymaf_live.tracking.trunk_orientation import TrunkOrientationEstimator, vote
from tests.tracking.real_data import lspet_people, video_frames


def difference_degrees(a: float, b: float) -> float:
    return abs(float(np.degrees((a - b + np.pi) % (2 * np.pi) - np.pi)))


def test_the_vote_is_on_the_circle() -> None:
    orientation = vote([np.radians(175), np.radians(-175), 0.0], [0.6, 0.6, 0.8])
    assert orientation is not None
    assert difference_degrees(orientation.turn, np.pi) < 2
    # the confidence of the supporting candidates, not of the outvoted one
    assert orientation.confidence == pytest.approx(0.6)


def test_many_weak_candidates_do_not_outvote_a_certain_one() -> None:
    orientation = vote([1.5, -1.5, -1.5, -1.5], [0.9, 0.3, 0.3, 0.3])
    assert orientation is not None
    assert difference_degrees(orientation.turn, 1.5) < 5
    assert vote([], []) is None
    assert vote([1.0], [0.0]) is None


def test_a_rotated_image_rotates_the_result() -> None:
    frame = video_frames("dancer_single", 40)[0]
    height, width = frame.shape[:2]
    # the dancer's box in the first frame, measured by hand
    x0, y0, x1, y1 = 440.0, 100.0, 780.0, 540.0
    rotated = [
        (frame, (x0, y0, x1, y1), 0.0),
        (frame[::-1, ::-1], (width - x1, height - y1, width - x0, height - y0), 180.0),
        # a quarter turn to the left moves the head to the left
        (np.rot90(frame), (y0, width - x1, y1, width - x0), -90.0),
        (np.rot90(frame, 3), (height - y1, x0, height - y0, x1), 90.0),
    ]
    estimator = TrunkOrientationEstimator(threads=1)
    for image, box, degrees in rotated:
        orientation = estimator.estimate(np.ascontiguousarray(image), np.array(box))
        assert orientation is not None
        assert difference_degrees(orientation.turn, np.radians(degrees)) < 15


def test_most_trunks_in_sports_images_are_found() -> None:
    estimator = TrunkOrientationEstimator(threads=1)
    correct = upright = known = 0
    for image, joints in lspet_people(70, every=7):
        annotated = joints[:, 2] > 0
        if not annotated[[2, 3, 8, 9]].all():
            continue
        points = joints[annotated, :2].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.1 * (high - low).max()
        true = trunk_turn(joints[[2, 3], :2].mean(axis=0), joints[[8, 9], :2].mean(axis=0))
        orientation = estimator.estimate(image, np.concatenate([low - margin, high + margin]))
        known += 1
        upright += difference_degrees(0.0, true) < 30
        correct += orientation is not None and difference_degrees(orientation.turn, true) < 30
    # 0.92 over the last 500; an unrotated crop would be correct for 0.43 of them
    assert upright / known < 0.6
    assert correct / known > 0.82
