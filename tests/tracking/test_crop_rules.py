"""Crops of models that were trained on upright squares, and of models that give no score."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking import CropRule, PersonTracker, TrackObservation
from pymaf_live.tracking.detector import Detector
from pymaf_live.types import Detection, Frame

LYING = np.array(
    [[40, 92], [60, 92], [80, 94], [80, 106], [60, 108], [40, 108], [110, 85], [95, 80],
     [120, 95], [120, 105], [95, 120], [110, 115], [130, 100], [160, 100]], dtype=float
)  # fmt: skip


class Finds(Detector):
    """A detector that finds the given box until it is told that nobody is there."""

    name, notice = "made-up", ""

    def __init__(self) -> None:
        self.box: np.ndarray | None = np.array([28.0, 68.0, 172.0, 132.0])

    def detect(self, image: np.ndarray) -> list[Detection]:
        return [] if self.box is None else [Detection(self.box, 0.9)]

    def close(self) -> None:
        pass


def frame(time: float) -> Frame:
    return Frame(round(10 * time), time, np.zeros((200, 220, 3), np.uint8))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("trunk-up 1.75", CropRule()),
        ("upright 1.20", CropRule(turned=False, side=1.2)),
        ("square 1.20", None),
        ("upright 0.20", None),
        ("upright 1.2 ", None),
    ],
)
def test_a_model_names_its_crop_rule(text: str, rule: CropRule | None) -> None:
    assert CropRule.parse(text) == rule


def test_an_upright_rule_does_not_turn_with_the_trunk() -> None:
    tracker = PersonTracker(Finds(), 224, rule=CropRule(turned=False, side=1.2))
    (first,) = tracker.begin_frame(frame(0.0))
    assert first.is_upright
    assert first.crop.turn == pytest.approx(0.0)
    assert first.crop.side == pytest.approx(1.2 * 144)
    assert tracker.update([TrackObservation(first, LYING, 1.0)]) == [first.person]
    (second,) = tracker.begin_frame(frame(0.1))
    assert second.crop.turn == pytest.approx(0.0)
    np.testing.assert_allclose(second.crop.centre, (LYING.min(0) + LYING.max(0)) / 2)
    assert second.crop.side == pytest.approx(1.2 * 120)
    turning = PersonTracker(Finds(), 224)
    (first,) = turning.begin_frame(frame(0.0))
    assert turning.update([TrackObservation(first, LYING, 1.0)]) == [first.person]
    (second,) = turning.begin_frame(frame(0.1))
    assert abs(second.crop.turn) == pytest.approx(np.pi / 2)


def test_a_given_box_is_the_square_of_its_larger_side() -> None:
    tracker = PersonTracker(None, 224, rule=CropRule(turned=False, side=1.2))
    (given,) = tracker.begin_frame(frame(0.0), np.array([[28.0, 68.0, 172.0, 132.0]]))
    # 1.45 times a box belongs to 1.75 times the joints
    assert given.crop.side == pytest.approx(144 * 1.45 * 1.2 / 1.75)
    np.testing.assert_allclose(given.crop.centre, [100, 100])


@pytest.mark.parametrize("scored", [True, False])
def test_without_scores_whom_the_detector_misses_is_not_followed_on(scored: bool) -> None:
    finds = Finds()
    tracker = PersonTracker(finds, 224, rule=CropRule(turned=False, side=1.2), scored=scored)
    followed = []
    for step in range(20):
        if step == 5:
            finds.box = None
        crops = tracker.begin_frame(frame(step / 10))
        followed.append(bool(crops))
        for one in crops:
            tracker.update([TrackObservation(one, LYING, 1.0)])
    assert all(followed[:5])
    assert followed[-1] == scored
