"""Person detection by MediaPipe's pose landmarker."""

from __future__ import annotations

import atexit
import contextlib
from typing import Any

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.system.native_logs import suppress_native_logs
from pymaf_live.tracking.blazepose_landmarks import (
    MIN_PRESENCE,
    Landmarks,
    detection_from_landmarks,
)
from pymaf_live.tracking.blazepose_output import BODY_POINTS
from pymaf_live.tracking.detector import Detector, most_prominent_first
from pymaf_live.tracking.task_bundle import bundle_path
from pymaf_live.types import Detection, Image

_MIN_DETECTION = 0.5
"""MediaPipe's own default."""


class MediaPipeDetector(Detector):
    """MediaPipe's pose landmarker on the shipped bundle, one image at a time.

    Parameters
    ----------
    max_people : int

    Raises
    ------
    ModelError
        If MediaPipe is missing or cannot open the bundle.
    """

    name = "MediaPipe"

    def __init__(self, max_people: int = 4) -> None:
        try:
            with suppress_native_logs():
                self._mediapipe, self._landmarker = _open_landmarker(max_people)
                # the graph starts in threads of its own, which log; after a result all are running
                self._landmarker.detect(_empty_image(self._mediapipe))
        # a missing library raises ImportError or OSError, a refused bundle RuntimeError
        except (ImportError, OSError, RuntimeError, ValueError, AttributeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(f"MediaPipe cannot be used ({lines[0]})") from error
        self._has_detected = False
        atexit.register(self._leave)

    def detect(self, image: Image) -> list[Detection]:
        """Detect people in an image; see `Detector.detect`."""
        if self._landmarker is None:
            raise ModelError("the detector is closed")
        height, width = image.shape[:2]
        wrapped = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        # MediaPipe logs a line when it places landmarks for the first time
        with contextlib.nullcontext() if self._has_detected else suppress_native_logs():
            result = self._landmarker.detect(wrapped)
        people = []
        for landmarks in result.pose_landmarks:
            numbers = np.array([(p.x, p.y, p.visibility, p.presence) for p in landmarks])
            # fractions of the image from its edge; pixel centres lie at integers here
            points = numbers[:, :2] * (width, height) - 0.5
            if len(points) == BODY_POINTS and np.isfinite(points).all():
                person = Landmarks(points, numbers[:, 2], float(numbers[:, 3].mean()))
                people.append(detection_from_landmarks(person))
        self._has_detected |= bool(people)
        return most_prominent_first(people)

    def close(self) -> None:
        """Free the native landmarker; a second call does nothing."""
        landmarker, self._landmarker = self._landmarker, None
        if landmarker is not None:
            atexit.unregister(self._leave)
            landmarker.close()

    def _leave(self) -> None:
        # MediaPipe closes through a thread pool that no longer exists when its finaliser runs at
        # interpreter exit, and would print a traceback; the end of the process frees all the same
        if self._landmarker is not None:
            self._landmarker._handle = None


def _empty_image(mediapipe: Any) -> Any:
    return mediapipe.Image(
        image_format=mediapipe.ImageFormat.SRGB, data=np.zeros((64, 64, 3), np.uint8)
    )


def _open_landmarker(max_people: int) -> tuple[Any, Any]:
    # importing MediaPipe takes about a second and loads EGL; only detection needs it
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(bundle_path())),
        # tracking is ours; every image is processed independently
        running_mode=vision.RunningMode.IMAGE,
        num_poses=max_people,
        min_pose_detection_confidence=_MIN_DETECTION,
        min_pose_presence_confidence=MIN_PRESENCE,
    )
    return mediapipe, vision.PoseLandmarker.create_from_options(options)
