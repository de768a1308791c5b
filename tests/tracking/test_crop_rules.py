"""Crop rules of other models: upright squares, and models without scores."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking import CropRule, Detector, PersonTracker, TrackObservation
from pymaf_live.types import Detection, Frame

UPRIGHT_RULE = CropRule(turned=False, side=1.2)
LYING = np.array(
    [[40, 92], [60, 92], [80, 94], [80, 106], [60, 108], [40, 108], [110, 85], [95, 80],
     [120, 95], [120, 105], [95, 120], [110, 115], [130, 100], [160, 100]], dtype=float
)  # fmt: skip


class BoxDetector(Detector):
    """Detects a person in `box`, or no one if it is None."""

    name = "fake"

    def __init__(self) -> None:
        self.box: np.ndarray | None = np.array([28.0, 68.0, 172.0, 132.0])

    def detect(self, image: np.ndarray) -> list[Detection]:
        return [] if self.box is None else [Detection(self.box, 0.9)]


def make_frame(time: float) -> Frame:
    return Frame(round(10 * time), time, np.zeros((200, 220, 3), np.uint8))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("trunk-up 1.75", CropRule()),
        ("upright 1.20", UPRIGHT_RULE),
        ("square 1.20", None),
        ("upright 0.20", None),
        ("upright 1.2 ", None),
    ],
)
def test_a_rule_is_parsed_from_its_name(text: str, rule: CropRule | None) -> None:
    assert CropRule.parse(text) == rule


def test_an_upright_rule_does_not_rotate_with_the_trunk() -> None:
    upright = PersonTracker(BoxDetector(), 224, rule=UPRIGHT_RULE)
    (first,) = upright.begin_frame(make_frame(0.0))
    assert first.is_upright
    assert first.crop.turn == pytest.approx(0.0)
    assert first.crop.side == pytest.approx(1.2 * 144)
    assert upright.update([TrackObservation(first, LYING, 1.0)]) == [first.person]
    (second,) = upright.begin_frame(make_frame(0.1))
    assert second.crop.turn == pytest.approx(0.0)
    np.testing.assert_allclose(second.crop.centre, (LYING.min(0) + LYING.max(0)) / 2)
    assert second.crop.side == pytest.approx(1.2 * 120)
    rotating = PersonTracker(BoxDetector(), 224)
    (first,) = rotating.begin_frame(make_frame(0.0))
    assert rotating.update([TrackObservation(first, LYING, 1.0)]) == [first.person]
    (second,) = rotating.begin_frame(make_frame(0.1))
    assert abs(second.crop.turn) == pytest.approx(np.pi / 2)


def test_the_crop_of_a_user_drawn_box_is_a_square_of_its_larger_side() -> None:
    tracker = PersonTracker(None, 224, rule=UPRIGHT_RULE)
    (crop,) = tracker.begin_frame(make_frame(0.0), np.array([[28.0, 68.0, 172.0, 132.0]]))
    # 1.45 times a box corresponds to 1.75 times the joints
    assert crop.crop.side == pytest.approx(144 * 1.45 * 1.2 / 1.75)
    np.testing.assert_allclose(crop.crop.centre, [100, 100])


@pytest.mark.parametrize("scored", [True, False])
def test_without_scores_a_person_the_detector_misses_is_dropped(scored: bool) -> None:
    detector = BoxDetector()
    tracker = PersonTracker(detector, 224, rule=UPRIGHT_RULE, scored=scored)
    tracked = []
    for step in range(20):
        if step == 5:
            detector.box = None
        crops = tracker.begin_frame(make_frame(step / 10))
        tracked.append(bool(crops))
        tracker.update([TrackObservation(crop, LYING, 1.0) for crop in crops])
    assert all(tracked[:5])
    assert tracked[-1] == scored
