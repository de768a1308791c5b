"""Playing the open take."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from pymaf_live.sources.video import VideoSource
from tests.ui.conftest import OpenWindow
from tests.ui.helpers import widget_pixels
from tests.ui.take_steps import LEFT, frames_of, play, record, shown_frame
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window


def test_a_paused_take_is_idle_until_it_is_moved(take_window: WindowParts, qtbot: QtBot) -> None:
    controller, result = take_window.controller, take_window.state.result
    qtbot.waitUntil(lambda: controller.is_idle, timeout=10_000)
    controller.review.seek(5)
    assert not controller.is_idle
    qtbot.waitUntil(lambda: result.value is not None and result.value.frame.index == 5)
    qtbot.waitUntil(lambda: controller.is_idle, timeout=10_000)
    controller.review.play()
    assert not controller.is_idle


def test_a_take_plays_to_its_end_and_steps_by_frames(
    take_window: WindowParts, qtbot: QtBot
) -> None:
    state = take_window.state
    assert take_window.take_feature.timeline.isVisible()
    state.loop.set(False)
    last = frames_of(take_window) - 1
    qtbot.keyClick(take_window.window.canvas_area.canvas, Qt.Key.Key_Space)
    assert state.phase.value is Phase.PLAYING
    start = time.monotonic()
    qtbot.waitUntil(lambda: state.phase.value is Phase.PAUSED, timeout=10_000)
    opened = state.takes.opened.value
    assert opened is not None
    assert time.monotonic() - start == pytest.approx(
        float(np.ptp(opened.stored.take.frame_time)), abs=0.6
    )
    assert state.takes.playhead.value.frame == last
    qtbot.keyClick(take_window.window, Qt.Key.Key_Comma)
    qtbot.keyClick(take_window.window, Qt.Key.Key_Comma)
    assert state.takes.playhead.value.frame == last - 2
    qtbot.keyClick(take_window.window, Qt.Key.Key_Period)
    qtbot.waitUntil(
        lambda: state.result.value is not None and state.result.value.frame.index == last - 1
    )


def test_the_image_below_the_body_is_the_frame_of_the_video(
    take_window: WindowParts, qtbot: QtBot, clip: SourceChoice
) -> None:
    opened = take_window.state.takes.opened.value
    assert opened is not None
    take = opened.stored.take
    number = 12
    take_window.controller.review.seek(number)
    qtbot.waitUntil(lambda: shown_frame(take_window) == number)
    result = take_window.state.result.value
    assert result is not None
    times = take.frame_time if take.file_time is None else take.file_time
    frame = next(
        frame
        for frame in VideoSource(Path(clip.text)).frames()
        if abs(frame.time - times[number]) < 1e-3
    )
    np.testing.assert_array_equal(result.frame.image, frame.image)


def test_without_its_video_a_take_has_a_plain_background(
    open_window: OpenWindow, qtbot: QtBot, clip_path: Path, tmp_path: Path
) -> None:
    video = tmp_path / "gone.mp4"
    video.write_bytes(clip_path.read_bytes())
    parts = open_window()
    play(parts, qtbot, SourceChoice("file", str(video), "gone.mp4"))
    record(parts, qtbot, 0.4)
    parts.controller.sources.close()
    video.unlink()
    parts.controller.takes.open_latest()
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    assert "moved or deleted" in parts.take_feature.timeline.note.text()
    assert not parts.take_feature.actions_.box.isEnabled()
    qtbot.wait(300)
    assert widget_pixels(parts.window.canvas_area.canvas).std() > 5  # the body is drawn


def test_a_click_on_the_timeline_seeks(take_window: WindowParts, qtbot: QtBot) -> None:
    track = take_window.take_feature.timeline.track
    y = round(track.height() * 0.6)
    qtbot.mouseClick(track, LEFT, pos=QPoint(round(track.x_of(11)), y))
    assert take_window.state.takes.playhead.value.frame == 11
    qtbot.waitUntil(lambda: shown_frame(take_window) == 11)
    assert "frame 12" in take_window.take_feature.timeline.position.text()
