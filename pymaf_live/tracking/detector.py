"""Finding people in a picture: MediaPipe, or the same models run by OpenVINO."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.system.native_logs import suppress_native_logs
from pymaf_live.tracking.blazepose_detector import SquareDetector, region_of, whole_picture
from pymaf_live.tracking.blazepose_landmarks import BODY_POINTS, Landmarker, Landmarks, joints_box
from pymaf_live.tracking.task_bundle import bundle_path
from pymaf_live.tracking.tiled_detector import WideDetector
from pymaf_live.types import Detection, Image

_LEAST_DETECTION = 0.5
_LEAST_PRESENCE = 0.5
"""MediaPipe's own defaults."""

_SPARE = 2
"""People looked for beyond those wanted, so that the one who is followed is seen among others."""


class Detector(Protocol):
    """Finds people in a picture."""

    @property
    def name(self) -> str:
        """What runs."""

    @property
    def notice(self) -> str:
        """What it does without, and why; empty when all is well."""

    def detect(self, image: Image) -> list[Detection]:
        """People in a picture (H, W, 3) uint8 RGB, the largest surest first.

        Boxes hold the limbs' and head's points; trunk and the 33 BlazePose points are given.
        """

    def close(self) -> None:
        """Give back what the detector holds."""


def open_detector(
    prefer: Literal["auto", "mediapipe", "openvino"] = "auto",
    *,
    people: int = 1,
    threads: int = 0,
    cache: Path | None = None,
) -> Detector:
    """Open a person detector.

    Parameters
    ----------
    prefer : {'auto', 'mediapipe', 'openvino'}
        'auto' takes MediaPipe for one person and, where its native library cannot be loaded,
        OpenVINO; for several OpenVINO, which looks at parts of the picture too.
    people : int
        How many people are wanted; a few more are looked for.
    threads : int
        Of OpenVINO; 0 leaves the choice to it.
    cache : Path, optional
        Folder where OpenVINO keeps compiled models, so that the next start is faster.

    Raises
    ------
    ModelError
        If the preferred one, or with 'auto' neither, can be opened.
    """
    most = people + _SPARE
    if prefer == "openvino":
        kind = WideDetector if people > 1 else OpenVinoDetector
        return kind(most, threads=threads, cache=cache)
    if prefer == "auto" and people > 1:
        try:
            return WideDetector(most, threads=threads, cache=cache)
        except ModelError:
            # MediaPipe sees fewer of them, but needs no OpenVINO
            return MediaPipeDetector(most)
    try:
        return MediaPipeDetector(most)
    except ModelError as error:
        if prefer == "mediapipe":
            raise
        notice = f"people are found by OpenVINO instead of MediaPipe: {error}"
        return OpenVinoDetector(most, notice, threads=threads, cache=cache)


def _best_first(people: Sequence[Detection]) -> list[Detection]:
    def weight(person: Detection) -> float:
        return person.score * float((person.box[2:] - person.box[:2]).max())

    return sorted(people, key=weight, reverse=True)


def _detection(landmarks: Landmarks) -> Detection:
    points = landmarks.points[:BODY_POINTS]
    return Detection(joints_box(points), landmarks.presence, landmarks.trunk, points)


class MediaPipeDetector:
    """MediaPipe's pose landmarker on the shipped bundle, one picture at a time."""

    name = "MediaPipe"
    notice = ""

    def __init__(self, most: int = 4) -> None:
        try:
            with suppress_native_logs():
                self._mediapipe, self._landmarker = _open_landmarker(most)
                # the graph starts in threads of its own, which log; once it has answered, all have
                self._landmarker.detect(_nothing(self._mediapipe))
        # a missing library shows itself as ImportError or OSError, a refused bundle as RuntimeError
        except (ImportError, OSError, RuntimeError, ValueError, AttributeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(f"MediaPipe cannot be used ({lines[0]})") from error
        self._seen_anyone = False
        atexit.register(self._leave)

    def detect(self, image: Image) -> list[Detection]:
        """People in a picture; see `Detector.detect`."""
        if self._landmarker is None:
            raise ModelError("the detector is closed")
        height, width = image.shape[:2]
        picture = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        # MediaPipe logs a line when it places landmarks for the first time
        with contextlib.nullcontext() if self._seen_anyone else suppress_native_logs():
            result = self._landmarker.detect(picture)
        people = []
        for found in result.pose_landmarks:
            numbers = np.array([(p.x, p.y, p.visibility, p.presence) for p in found])
            # fractions of the picture, from its edge; pixel centres lie at integers here
            points = numbers[:, :2] * (width, height) - 0.5
            if len(points) == BODY_POINTS and np.isfinite(points).all():
                landmarks = Landmarks(points, numbers[:, 2], float(numbers[:, 3].mean()))
                people.append(_detection(landmarks))
        self._seen_anyone |= bool(people)
        return _best_first(people)

    def close(self) -> None:
        """Free the native landmarker; a second call does nothing."""
        landmarker, self._landmarker = self._landmarker, None
        if landmarker is not None:
            atexit.unregister(self._leave)
            landmarker.close()

    def _leave(self) -> None:
        # MediaPipe closes through a thread pool that is gone by the time its finaliser runs at the
        # interpreter's end, and would print a traceback; the process' end frees all the same
        if self._landmarker is not None:
            self._landmarker._handle = None


def _nothing(mediapipe: Any) -> Any:
    return mediapipe.Image(
        image_format=mediapipe.ImageFormat.SRGB, data=np.zeros((64, 64, 3), np.uint8)
    )


def _open_landmarker(most: int) -> tuple[Any, Any]:
    # importing MediaPipe takes about a second and loads EGL; only who detects pays for it
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(bundle_path())),
        # tracking is ours; every picture is looked at afresh
        running_mode=vision.RunningMode.IMAGE,
        num_poses=most,
        min_pose_detection_confidence=_LEAST_DETECTION,
        min_pose_presence_confidence=_LEAST_PRESENCE,
    )
    return mediapipe, vision.PoseLandmarker.create_from_options(options)


class OpenVinoDetector:
    """The bundle's two models run by OpenVINO, joined as MediaPipe joins them."""

    name = "BlazePose on OpenVINO"

    def __init__(
        self, most: int = 4, notice: str = "", *, threads: int = 0, cache: Path | None = None
    ) -> None:
        self.notice = notice
        self._most = most
        self._squares = SquareDetector(threads=threads, cache=cache)
        self._landmarker = Landmarker(threads=threads, cache=cache)

    def detect(self, image: Image) -> list[Detection]:
        """People in a picture; see `Detector.detect`."""
        square = whole_picture(image, self._squares.size)
        found = self._squares.look(image, square, _LEAST_DETECTION, self._most)
        people = []
        for points in square.to_frame(found.points):
            landmarks = self._landmarker.look(image, region_of(points, self._landmarker.size))
            finite = bool(np.isfinite(landmarks.points).all())
            if finite and landmarks.presence >= _LEAST_PRESENCE:
                people.append(_detection(landmarks))
        return _best_first(people)

    def close(self) -> None:
        """Nothing to close: OpenVINO frees its requests itself."""
