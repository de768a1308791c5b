"""Tiled detection of several people: the detector runs on the whole image and on tiles of it.

BlazePose's detector was made for one person: in a whole image of 1280 x 720 it sees people small,
and of three side by side it detects one or two. In overlapping square tiles with the image's
shorter side it sees them at twice the size. Three dancers over nine seconds, 18 images: all three
were detected in 7 of them by MediaPipe, in 15 this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from pymaf_live.tracking.blazepose_detector import landmark_region
from pymaf_live.tracking.blazepose_landmarks import (
    MIN_PRESENCE,
    Landmarks,
    detection_from_landmarks,
)
from pymaf_live.tracking.blazepose_output import BODY_POINTS
from pymaf_live.tracking.crop import crop_about
from pymaf_live.tracking.openvino_detector import OpenVinoDetector
from pymaf_live.tracking.overlap import joints_extent, same_person
from pymaf_live.types import Array, Crop, Detection, Image

_TILE_STRIDE = 0.6
"""Maximum distance between neighbouring tiles, as a fraction of their side: a person on the edge of
one tile lies entirely in the next."""

_SAME_PERSON_DISTANCE = 0.3
"""Distance of two candidates' mid-shoulders below which they are the same person, as a fraction of
the distance from hip to whole-body circle."""

_MAX_HIP_OFFSET = 0.28
"""Maximum distance between the mid-hips of landmarks and detector, in the same unit; above it, the
landmarks lie on a neighbour."""

_MAX_PER_TILE = 16

_MIN_PYRAMID_SIDE = 200
"""Shorter side in pixels below which the image pyramid ends; about the detector's input."""


@dataclass(frozen=True)
class _Candidate:
    score: float
    points: Array
    """(4, 2) frame pixels: mid-hip, whole-body circle, mid-shoulder, upper-body circle."""

    @cached_property
    def reach(self) -> float:
        """Distance from the mid-hip to the whole-body circle, pixels."""
        return float(np.hypot(*(self.points[1] - self.points[0])))


class TiledDetector(OpenVinoDetector):
    """Detects people in the whole image and in overlapping tiles, the largest first.

    See `OpenVinoDetector` for the parameters. If there are more than `max_people`, the largest are
    returned.
    """

    name = "BlazePose on OpenVINO, tiled"

    def detect(self, image: Image) -> list[Detection]:
        """Detect people in an image; see `Detector.detect`."""
        size = self._squares.size
        people = self._detect_in(image, tiles_of(image.shape[1], image.shape[0], size))
        # no one at all: people may be smaller still
        return people or self._detect_in(
            image, small_tiles_of(image.shape[1], image.shape[0], size)
        )

    def _detect_in(self, image: Image, tiles: list[Crop]) -> list[Detection]:
        people: list[Detection] = []
        for candidate in self._candidates(image, tiles):
            if len(people) == self._max_people:
                break
            region = landmark_region(candidate.points, self._landmarker.size)
            landmarks = self._landmarker.detect(image, region)
            if _is_plausible(landmarks, candidate):
                points = landmarks.points[:BODY_POINTS]
                if not any(_same_body(points, person) for person in people):
                    people.append(detection_from_landmarks(landmarks))
        return sorted(people, key=lambda person: -joints_extent(person.box.reshape(2, 2)))

    def _candidates(self, image: Image, tiles: list[Crop]) -> list[_Candidate]:
        """Return candidates over tiles, one per person where possible, the largest first."""
        found: list[_Candidate] = []
        pyramid = _pyramid(image)
        for tile in tiles:
            level = min(int(np.log2(max(tile.scale, 1.0))), len(pyramid) - 1)
            people = self._squares.detect(
                pyramid[level], _at_pyramid_level(tile, level), max_people=_MAX_PER_TILE
            )
            points = tile.to_frame(people.points)
            found += [_Candidate(float(s), p) for s, p in zip(people.score, points, strict=True)]
        unique: list[_Candidate] = []
        for candidate in sorted(found, key=lambda each: -each.score):
            if not any(_same_candidate(candidate, other) for other in unique):
                unique.append(candidate)
        return sorted(unique, key=lambda each: -each.reach)


def tiles_of(width: int, height: int, size: int) -> list[Crop]:
    """Return the whole image as a square, and square tiles along its longer side.

    Parameters
    ----------
    width, height : int
        Image size in pixels; the tiles' side is the shorter one.
    size : int
        Side of the crops in crop pixels.
    """
    side, longer = float(min(width, height)), float(max(width, height))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    tiles = [crop_about(centre, longer, 0.0, size)]
    if longer < 1.05 * side:
        return tiles
    count = int(np.ceil((longer - side) / (_TILE_STRIDE * side))) + 1
    for along in np.linspace(side / 2, longer - side / 2, count) - 0.5:
        across = side / 2 - 0.5
        tile_centre = (along, across) if width >= height else (across, along)
        tiles.append(crop_about(np.array(tile_centre), side, 0.0, size))
    return tiles


def small_tiles_of(width: int, height: int, size: int) -> list[Crop]:
    """Return square tiles with half the image's shorter side that cover it, overlapping.

    Parameters
    ----------
    width, height : int
        Image size in pixels.
    size : int
        Side of the crops in crop pixels. Images in which a tile would have fewer pixels than that
        have no tiles.
    """
    side = min(width, height) / 2
    if side < size / 2:
        return []
    across, down = (
        np.linspace(side / 2, length - side / 2, int(np.ceil((length - side) / (0.5 * side))) + 1)
        for length in (width, height)
    )
    return [crop_about(np.array((x, y)) - 0.5, side, 0.0, size) for y in down for x in across]


def _pyramid(image: Image) -> list[Image]:
    """Return the image and its successive halves, down to about the detector's input size."""
    levels = [image]
    while min(levels[-1].shape[:2]) >= 2 * _MIN_PYRAMID_SIDE:
        last = levels[-1]
        size = (last.shape[1] // 2, last.shape[0] // 2)
        even = last[: 2 * size[1], : 2 * size[0]]
        half = cv2.resize(even, size, interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, dtype=np.uint8))
    return levels


def _at_pyramid_level(tile: Crop, level: int) -> Crop:
    matrix = np.array(tile.frame_from_crop)
    for _ in range(level):
        matrix /= 2
        # pixel centres lie at integers
        matrix[:, 2] -= 0.25
    return Crop(matrix, tile.size)


def _same_candidate(a: _Candidate, b: _Candidate) -> bool:
    distance = float(np.hypot(*(a.points[2] - b.points[2])))
    return distance < _SAME_PERSON_DISTANCE * max(a.reach, b.reach)


def _is_plausible(landmarks: Landmarks, candidate: _Candidate) -> bool:
    if landmarks.presence < MIN_PRESENCE or not np.isfinite(landmarks.points).all():
        return False
    offset = float(np.hypot(*(landmarks.trunk[0] - candidate.points[0])))
    return offset <= _MAX_HIP_OFFSET * candidate.reach


def _same_body(points: Array, person: Detection) -> bool:
    assert person.keypoints is not None
    return same_person(points[11:], person.keypoints[11:])
