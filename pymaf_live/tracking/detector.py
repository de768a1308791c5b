"""Person detection: the detector interface and the choice of an implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pymaf_live.errors import ModelError
from pymaf_live.types import Detection, Image

_EXTRA_PEOPLE = 2
"""Number of people detected beyond those to be tracked, so that a tracked person is found among
others."""


class Detector(ABC):
    """Detects people in an image."""

    name: str = ""
    """Detector and the library that runs it."""
    notice: str = ""
    """Limitation the user should know of, and its cause; empty if there is none."""

    @abstractmethod
    def detect(self, image: Image) -> list[Detection]:
        """Return the people in an image (H, W, 3) uint8 RGB, the most prominent first.

        A detection's box encloses the points of limbs and head; the trunk and the 33 BlazePose
        points are set.
        """

    def prefetch(self, image: Image) -> None:
        """Start detection on an image that `detect` will be called with; may do nothing."""
        return None

    def close(self) -> None:
        """Release models and native resources."""
        return None


def open_detector(
    prefer: Literal["auto", "mediapipe", "openvino"] = "auto",
    *,
    people: int = 1,
    threads: int = 0,
    cache: Path | None = None,
    every_image: bool = False,
) -> Detector:
    """Open a person detector.

    Parameters
    ----------
    prefer : {'auto', 'mediapipe', 'openvino'}
        'auto': for one person MediaPipe, or OpenVINO if MediaPipe's native library cannot be
        loaded, and tiled detection where that finds no one; for several people OpenVINO with tiled
        detection.
    people : int
        Number of people to be tracked; a few more are detected.
    threads : int
        Threads of OpenVINO; 0 leaves the choice to it.
    cache : Path, optional
        Folder where OpenVINO stores compiled models, so that the next start is faster.
    every_image : bool
        The images do not belong together: what was found in one says nothing about the next.

    Raises
    ------
    ModelError
        If the preferred detector, or with 'auto' none, can be opened.
    """
    # the implementations import their libraries
    from pymaf_live.tracking.mediapipe_detector import MediaPipeDetector
    from pymaf_live.tracking.openvino_detector import OpenVinoDetector
    from pymaf_live.tracking.small_people import SmallPeopleDetector
    from pymaf_live.tracking.tiled_detector import TiledDetector

    limit = people + _EXTRA_PEOPLE
    if prefer == "openvino":
        kind = TiledDetector if people > 1 else OpenVinoDetector
        return kind(limit, threads=threads, cache=cache)
    if prefer == "auto" and people > 1:
        try:
            return TiledDetector(limit, threads=threads, cache=cache)
        except ModelError:
            # MediaPipe detects fewer of them, but does not need OpenVINO
            return MediaPipeDetector(limit)
    whole: Detector
    try:
        whole = MediaPipeDetector(limit)
    except ModelError as error:
        if prefer == "mediapipe":
            raise
        notice = f"people are detected by OpenVINO instead of MediaPipe: {error}"
        whole = OpenVinoDetector(limit, notice, threads=threads, cache=cache)
    if prefer == "mediapipe":
        return whole
    return SmallPeopleDetector(
        whole,
        lambda: TiledDetector(limit, threads=threads, cache=cache),
        every_image=every_image,
    )


def most_prominent_first(people: Sequence[Detection]) -> list[Detection]:
    """Sort detections by score times box size, in descending order."""

    def prominence(person: Detection) -> float:
        return person.score * float((person.box[2:] - person.box[:2]).max())

    return sorted(people, key=prominence, reverse=True)
