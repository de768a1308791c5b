"""Person detection by the bundle's two models run by OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pymaf_live.tracking.blazepose_detector import (
    SquareDetector,
    landmark_region,
    whole_image_square,
)
from pymaf_live.tracking.blazepose_landmarks import (
    MIN_PRESENCE,
    Landmarker,
    detection_from_landmarks,
)
from pymaf_live.tracking.detector import Detector, most_prominent_first
from pymaf_live.types import Detection, Image


class OpenVinoDetector(Detector):
    """BlazePose detector and landmarker on the whole image, combined as MediaPipe does.

    Parameters
    ----------
    max_people : int
    notice : str
        See `Detector.notice`.
    threads, cache
        See `task_bundle.compile_bundled_model`.
    """

    name = "BlazePose on OpenVINO"

    def __init__(
        self,
        max_people: int = 4,
        notice: str = "",
        *,
        threads: int = 0,
        cache: Path | None = None,
    ) -> None:
        self.notice = notice
        self._max_people = max_people
        self._squares = SquareDetector(threads=threads, cache=cache)
        self._landmarker = Landmarker(threads=threads, cache=cache)

    def detect(self, image: Image) -> list[Detection]:
        """Detect people in an image; see `Detector.detect`."""
        square = whole_image_square(image, self._squares.size)
        found = self._squares.detect(image, square, max_people=self._max_people)
        people = []
        for points in square.to_frame(found.points):
            region = landmark_region(points, self._landmarker.size)
            landmarks = self._landmarker.detect(image, region)
            finite = bool(np.isfinite(landmarks.points).all())
            if finite and landmarks.presence >= MIN_PRESENCE:
                people.append(detection_from_landmarks(landmarks))
        return most_prominent_first(people)
