"""Detections are the same with and without prefetching."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pymaf_live.errors import ModelError
from pymaf_live.pipeline.prefetching_detector import PrefetchingDetector
from pymaf_live.tracking.detector import Detector
from pymaf_live.types import Detection, Image


class BrightnessDetector(Detector):
    """Detects a person as tall as the image is bright; processes one image at a time.

    Detection in a background thread waits until `proceed` is set.
    """

    name, notice = "brightness", "fake"

    def __init__(self) -> None:
        self.detected: list[int] = []
        self.proceed = threading.Event()
        self.busy = threading.Lock()
        self.closed = False

    def detect(self, image: Image) -> list[Detection]:
        assert self.busy.acquire(blocking=False), "called while it was busy"
        try:
            if threading.current_thread() is not threading.main_thread():
                assert self.proceed.wait(5)
            if image.max() == 255:
                raise ModelError("overexposed")
            self.detected.append(int(image.max()))
            return [Detection(np.array([0.0, 0.0, 10.0, float(image.max())]), 0.9)]
        finally:
            self.busy.release()

    def close(self) -> None:
        assert not self.busy.locked()
        self.closed = True


def bright(value: int) -> Image:
    return np.full((4, 4, 3), value, np.uint8)


def height(found: list[Detection]) -> float:
    return float(found[0].box[3])


def test_a_prefetched_image_is_detected_once() -> None:
    detector = BrightnessDetector()
    prefetching = PrefetchingDetector(detector)
    image = bright(7)
    prefetching.prefetch(image)
    prefetching.prefetch(bright(8))  # ignored while busy
    detector.proceed.set()
    assert height(prefetching.detect(image)) == 7
    assert detector.detected == [7]
    assert height(prefetching.detect(image)) == 7
    assert detector.detected == [7, 7]
    assert (prefetching.name, prefetching.notice) == ("brightness", "fake")


def test_another_image_than_the_prefetched_one_has_its_own_result() -> None:
    detector = BrightnessDetector()
    prefetching = PrefetchingDetector(detector)
    prefetching.prefetch(bright(7))
    detector.proceed.set()
    assert height(prefetching.detect(bright(9))) == 9
    prefetching.prefetch(later := bright(5))
    assert height(prefetching.detect(later)) == 5


def test_an_error_in_the_background_is_raised_by_detect() -> None:
    detector = BrightnessDetector()
    prefetching = PrefetchingDetector(detector)
    image = bright(255)
    prefetching.prefetch(image)
    detector.proceed.set()
    with pytest.raises(ModelError, match="overexposed"):
        prefetching.detect(image)
    assert height(prefetching.detect(bright(3))) == 3


def test_closing_waits_for_the_pending_detection() -> None:
    detector = BrightnessDetector()
    prefetching = PrefetchingDetector(detector)
    prefetching.prefetch(bright(7))
    threading.Timer(0.1, detector.proceed.set).start()
    prefetching.close()
    assert detector.closed
