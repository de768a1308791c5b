"""Finding several people: BlazePose's finder looks at the whole picture and at parts of it.

The finder was made for one person: in a whole picture of 1280 x 720 it sees people small, and of
three side by side one or two. In squares of the picture's shorter side, which overlap, it sees
them at twice the size. Three dancers over nine seconds, 18 pictures: all three in 7 of them by
MediaPipe, in 15 so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from pymaf_live.tracking.blazepose_detector import SquareDetector, region_of
from pymaf_live.tracking.blazepose_landmarks import BODY_POINTS, Landmarker, Landmarks, joints_box
from pymaf_live.tracking.crop import crop_about
from pymaf_live.tracking.overlap import joints_extent, same_person
from pymaf_live.types import Array, Crop, Detection, Image

_LEAST_SCORE = 0.5
_LEAST_PRESENCE = 0.5

_STEP = 0.6
"""Of a square's side, at most, from one to the next: who stands on an edge is whole in the next."""

_SAME = 0.3
"""Distance of two candidates' mid-shoulders, in lengths from hip to the circle round the body,
below which they are of one person."""

_MOST_OFF = 0.28
"""Distance of the landmarks' mid-hip from the finder's, in the same measure; above, the landmarks
have gone to a neighbour."""

_IN_A_SQUARE = 16


@dataclass(frozen=True)
class _Candidate:
    score: float
    points: Array
    """(4, 2) frame pixels: mid-hip, whole-body circle, mid-shoulder, upper-body circle."""

    @cached_property
    def reach(self) -> float:
        """From the hips to the circle, pixels."""
        return float(np.hypot(*(self.points[1] - self.points[0])))


class WideDetector:
    """People found in the whole picture and in overlapping squares of it, the largest first.

    Parameters
    ----------
    most : int
        Most people; of more, the largest are taken.
    notice : str
        What it does without, and why.
    threads, cache
        As `bundle.compiled` has them.
    """

    name = "BlazePose on OpenVINO, in parts"

    def __init__(
        self, most: int, notice: str = "", *, threads: int = 0, cache: Path | None = None
    ) -> None:
        self.notice = notice
        self._most = most
        self._squares = SquareDetector(threads=threads, cache=cache)
        self._landmarker = Landmarker(threads=threads, cache=cache)

    def detect(self, image: Image) -> list[Detection]:
        """People in a picture; see `Detector.detect`."""
        people: list[Detection] = []
        for candidate in self._candidates(image):
            if len(people) == self._most:
                break
            region = region_of(candidate.points, self._landmarker.size)
            landmarks = self._landmarker.look(image, region)
            if _trusted(landmarks, candidate):
                points = landmarks.points[:BODY_POINTS]
                if not any(_same(points, person) for person in people):
                    people.append(
                        Detection(joints_box(points), landmarks.presence, landmarks.trunk, points)
                    )
        return sorted(people, key=lambda one: -joints_extent(one.box.reshape(2, 2)))

    def close(self) -> None:
        """Nothing to close: OpenVINO frees its requests itself."""

    def _candidates(self, image: Image) -> list[_Candidate]:
        """One a person as far as can be told, the largest first."""
        found: list[_Candidate] = []
        smaller = _halved(image)
        for square in squares_of(image.shape[1], image.shape[0], self._squares.size):
            level = min(int(np.log2(max(square.scale, 1.0))), len(smaller) - 1)
            part = self._squares.look(
                smaller[level], _in_halved(square, level), _LEAST_SCORE, _IN_A_SQUARE
            )
            points = square.to_frame(part.points)
            found += [_Candidate(float(s), p) for s, p in zip(part.score, points, strict=True)]
        kept: list[_Candidate] = []
        for candidate in sorted(found, key=lambda one: -one.score):
            if not any(_one_person(candidate, other) for other in kept):
                kept.append(candidate)
        return sorted(kept, key=lambda one: -one.reach)


def squares_of(width: int, height: int, size: int) -> list[Crop]:
    """The whole picture, and overlapping squares of its shorter side along the longer one."""
    side, longer = float(min(width, height)), float(max(width, height))
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    squares = [crop_about(middle, longer, 0.0, size)]
    if longer < 1.05 * side:
        return squares
    count = int(np.ceil((longer - side) / (_STEP * side))) + 1
    for along in np.linspace(side / 2, longer - side / 2, count) - 0.5:
        across = side / 2 - 0.5
        centre = (along, across) if width >= height else (across, along)
        squares.append(crop_about(np.array(centre), side, 0.0, size))
    return squares


def _halved(image: Image) -> list[Image]:
    """The picture, its half, its quarter and so on, down to about the finder's size."""
    levels = [image]
    while min(levels[-1].shape[:2]) >= 2 * 200:
        last = levels[-1]
        size = (last.shape[1] // 2, last.shape[0] // 2)
        even = last[: 2 * size[1], : 2 * size[0]]
        half = cv2.resize(even, size, interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, dtype=np.uint8))
    return levels


def _in_halved(square: Crop, level: int) -> Crop:
    matrix = np.array(square.frame_from_crop)
    for _ in range(level):
        matrix /= 2
        # pixel centres lie at integers
        matrix[:, 2] -= 0.25
    return Crop(matrix, square.size)


def _one_person(one: _Candidate, other: _Candidate) -> bool:
    apart = float(np.hypot(*(one.points[2] - other.points[2])))
    return apart < _SAME * max(one.reach, other.reach)


def _trusted(landmarks: Landmarks, candidate: _Candidate) -> bool:
    if landmarks.presence < _LEAST_PRESENCE or not np.isfinite(landmarks.points).all():
        return False
    off = float(np.hypot(*(landmarks.trunk[0] - candidate.points[0])))
    return off <= _MOST_OFF * candidate.reach


def _same(points: Array, person: Detection) -> bool:
    assert person.keypoints is not None
    return same_person(points[11:], person.keypoints[11:])
