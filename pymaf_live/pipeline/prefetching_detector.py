"""Person detection in the background, ahead of the frame that needs it."""

from __future__ import annotations

from concurrent.futures import Future, wait

from pymaf_live.pipeline.threads import CLOSE_TIMEOUT_S, run_in_background
from pymaf_live.tracking.detector import Detector
from pymaf_live.types import Detection, Image


class PrefetchingDetector(Detector):
    """Runs a detector on an upcoming image in a thread of its own.

    Detection depends only on the image, so results are unchanged; the frames of a video that come
    before it need not wait.

    Parameters
    ----------
    detector : Detector
        Closed with this one.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._pending: tuple[Image, Future[list[Detection]]] | None = None
        self.name, self.notice = detector.name, detector.notice

    def prefetch(self, image: Image) -> None:
        """Start detection on an image that `detect` will be called with.

        Ignored while another detection is pending.
        """
        if self._pending is None:
            future = run_in_background("detect", lambda: self._detector.detect(image))
            self._pending = image, future

    def detect(self, image: Image) -> list[Detection]:
        """Detect people in an image; see `Detector.detect`."""
        pending, self._pending = self._pending, None
        if pending is not None:
            # the detector does one thing at a time, so wait even if the result is not needed
            wait([pending[1]])
            if pending[0] is image:
                return pending[1].result()
        return self._detector.detect(image)

    def close(self) -> None:
        """Release the detector, after the pending detection."""
        if self._pending is not None:
            wait([self._pending[1]], CLOSE_TIMEOUT_S)
        self._detector.close()
