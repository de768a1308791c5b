"""Detection of one person who may be small in the image."""

from __future__ import annotations

from collections.abc import Callable

from pymaf_live.errors import ModelError
from pymaf_live.tracking.detector import Detector
from pymaf_live.types import Detection, Image

_LONGEST_WAIT = 8
"""Maximum number of images without anyone between two searches in tiles: an empty room should not
cost several times as much as one with a person."""


class SmallPeopleDetector(Detector):
    """Detector that also searches parts of the image where the whole image shows no one.

    A detector for one person sees people down to about a fifth of the image's longer side.

    Parameters
    ----------
    whole : Detector
        Runs on the whole image.
    open_tiled : callable
        Opens the detector that runs on parts of the image; called when it is first needed.
    every_image : bool
        Search every image without anyone; otherwise ever fewer of them.
    """

    def __init__(
        self, whole: Detector, open_tiled: Callable[[], Detector], *, every_image: bool = False
    ) -> None:
        self._whole = whole
        self._open_tiled: Callable[[], Detector] | None = open_tiled
        self._tiled: Detector | None = None
        self._longest_wait = 0 if every_image else _LONGEST_WAIT
        self._wait = self._waited = 0
        self.name = whole.name
        self.notice = whole.notice

    def detect(self, image: Image) -> list[Detection]:
        """Detect people in an image; see `Detector.detect`."""
        people = self._whole.detect(image)
        if people:
            self._wait = self._waited = 0
            return people
        self._waited += 1
        if self._waited <= self._wait:
            return []
        self._waited = 0
        tiled = self._tiled_detector()
        people = [] if tiled is None else tiled.detect(image)
        self._wait = 0 if people else min(2 * self._wait + 1, self._longest_wait)
        return people

    def prefetch(self, image: Image) -> None:
        """Start detection on the whole image; see `Detector.prefetch`."""
        self._whole.prefetch(image)

    def close(self) -> None:
        """Close both detectors."""
        self._whole.close()
        if self._tiled is not None:
            self._tiled.close()

    def _tiled_detector(self) -> Detector | None:
        if self._tiled is None and self._open_tiled is not None:
            open_tiled, self._open_tiled = self._open_tiled, None
            try:
                self._tiled = open_tiled()
            except ModelError:
                return None  # OpenVINO is missing; the whole image has to do
        return self._tiled
