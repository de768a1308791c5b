"""The view as a camera of other programs, with a fake in the place of the driver."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from pymaf_live.errors import OutputError
from pymaf_live.types import Image
from tests.ui.conftest import OpenWindow
from tests.ui.helpers import play
from ui.state.window import SourceChoice
from ui.system.virtual_camera import SIZE, VirtualCamera, open_virtual_camera
from ui.widgets.virtual_camera_feature import letterboxed


class FakeSink:
    device = "/dev/video9"

    def __init__(self, width: int, height: int, rate: float) -> None:
        assert (width, height) == SIZE
        assert 1 <= rate <= 60
        self.images: list[Image] = []
        self.closed = False

    def send(self, frame: Image) -> None:
        assert frame.shape == (SIZE[1], SIZE[0], 3)
        assert frame.dtype == np.uint8
        self.images.append(frame)

    def close(self) -> None:
        self.closed = True


@pytest.mark.window
def test_other_programs_see_the_people_on_green(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    sinks: list[FakeSink] = []

    def open_sink(width: int, height: int, rate: float) -> FakeSink:
        sinks.append(FakeSink(width, height, rate))
        return sinks[-1]

    parts.virtual_camera.open_sink = open_sink
    parts.state.view.green_background.set(True)
    play(parts, qtbot, clip)
    parts.virtual_camera.switch.trigger()
    qtbot.waitUntil(lambda: bool(sinks) and len(sinks[0].images) > 3, timeout=20_000)
    qtbot.waitUntil(lambda: parts.state.message.value is not None, timeout=5000)
    message = parts.state.message.value
    assert message is not None
    assert "/dev/video9" in message.text
    image = sinks[0].images[-1].astype(int)
    green = (abs(image - [0, 177, 64]).max(axis=2) < 8).mean()
    assert 0.5 < green < 0.99  # all but the person, who is drawn over it
    assert tuple(sinks[0].images[-1][0, 0]) == pytest.approx((0, 177, 64), abs=3)
    parts.virtual_camera.switch.trigger()
    qtbot.waitUntil(lambda: sinks[0].closed, timeout=5000)
    parts.virtual_camera.switch.trigger()
    qtbot.waitUntil(lambda: len(sinks) == 2, timeout=5000)
    parts.window.close()
    qtbot.waitUntil(lambda: sinks[1].closed, timeout=5000)


@pytest.mark.window
def test_without_a_driver_one_line_says_what_to_do(open_window: OpenWindow, qtbot: QtBot) -> None:
    parts = open_window()

    def refuse(*_: object) -> FakeSink:
        raise OutputError("There is no virtual camera on this computer: install OBS.")

    parts.virtual_camera.open_sink = refuse
    parts.virtual_camera.switch.trigger()
    qtbot.waitUntil(lambda: parts.state.message.value is not None, timeout=5000)
    message = parts.state.message.value
    assert message is not None
    assert (message.severity, "install OBS" in message.text) == ("error", True)
    assert not parts.virtual_camera.switch.isChecked()


def test_a_missing_package_or_device_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(OutputError, match=r"pip install 'pymaf-live\[virtual-camera\]'"):
        open_virtual_camera(*SIZE, 30)

    class NoDevice:
        @staticmethod
        def Camera(*_: object, **__: object) -> None:  # noqa: N802 - the library's name
            raise RuntimeError("No /dev/video* device found")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", NoDevice)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(OutputError, match="v4l2loopback"):
        open_virtual_camera(*SIZE, 30)


def test_a_still_view_is_sent_again_and_again() -> None:
    sink = FakeSink(*SIZE, 30)
    camera = VirtualCamera(lambda *_: sink)
    camera.put(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    end = time.monotonic() + 10
    while len(sink.images) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    camera.close()
    assert len(sink.images) >= 3
    camera._thread.join(5)
    assert sink.closed


def test_a_tall_view_gets_bars_in_the_colour_of_its_corner() -> None:
    view = QImage(200, 400, QImage.Format.Format_RGB32)
    view.fill(QColor(0, 177, 64))
    view.setPixelColor(100, 200, QColor("red"))
    image = letterboxed(view)
    assert image.shape == (SIZE[1], SIZE[0], 3)
    assert tuple(image[10, 10]) == tuple(image[-10, -10]) == (0, 177, 64)
    assert image[SIZE[1] // 2 + 1, SIZE[0] // 2 + 1, 0] > 50
