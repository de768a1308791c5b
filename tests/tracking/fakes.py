"""Fake detector and helpers for the tests of the tracker."""

from __future__ import annotations

import numpy as np

from pymaf_live.tracking import (
    Detector,
    PersonTracker,
    TrackedCrop,
    TrackerConfig,
    TrackObservation,
)
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
