"""What a detector finds is the same whether it was begun ahead or not."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pymaf_live.errors import ModelError
from pymaf_live.pipeline.prefetching_detector import PrefetchingDetector
from pymaf_live.tracking.detector import Detector
from pymaf_live.types import Detection, Image


class Brightness(Detector):
    """Finds somebody as high as the picture is bright; does one picture at a time."""

    name, notice = "brightness", "a stand-in"

    def __init__(self) -> None:
        self.looked_at: list[int] = []
        self.go = threading.Event()
        self.busy = threading.Lock()
        self.closed = False

    def detect(self, image: Image) -> list[Detection]:
        assert self.busy.acquire(blocking=False), "asked while it was busy"
        try:
            if threading.current_thread() is not threading.main_thread():
                assert self.go.wait(5)
            if image.max() == 255:
                raise ModelError("blinded")
            self.looked_at.append(int(image.max()))
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


def test_a_picture_that_was_begun_is_looked_at_once() -> None:
    detector = Brightness()
    aside = PrefetchingDetector(detector)
    image = bright(7)
    aside.prefetch(image)
    aside.prefetch(bright(8))  # it is busy
    detector.go.set()
    assert height(aside.detect(image)) == 7
    assert detector.looked_at == [7]
    assert height(aside.detect(image)) == 7
    assert detector.looked_at == [7, 7]
    assert (aside.name, aside.notice) == ("brightness", "a stand-in")


def test_another_picture_than_the_one_begun_gets_its_own_answer() -> None:
    detector = Brightness()
    aside = PrefetchingDetector(detector)
    aside.prefetch(bright(7))
    detector.go.set()
    assert height(aside.detect(bright(9))) == 9
    aside.prefetch(later := bright(5))
    assert height(aside.detect(later)) == 5


def test_an_error_comes_to_who_asks() -> None:
    detector = Brightness()
    aside = PrefetchingDetector(detector)
    image = bright(255)
    aside.prefetch(image)
    detector.go.set()
    with pytest.raises(ModelError, match="blinded"):
        aside.detect(image)
    assert height(aside.detect(bright(3))) == 3


def test_closing_waits_for_what_was_begun() -> None:
    detector = Brightness()
    aside = PrefetchingDetector(detector)
    aside.prefetch(bright(7))
    threading.Timer(0.1, detector.go.set).start()
    aside.close()
    assert detector.closed
