"""Capturing a whole video in a process of its own, and processing beside the live view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.errors import Interrupted
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.workflows.capture import CaptureOptions, capture
from tests.helpers.model import write_fake_model
from tests.helpers.reporter import RecordingReporter
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import write_clip
from tests.ui.helpers import activate, canvas_pixels, play
from ui.state.batch import FilePhase
from ui.state.provenance import provenance_of
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window

FRAMES = 24


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("videos") / "video.mp4", frames=FRAMES)


@pytest.fixture
def options(tmp_path: Path) -> PipelineOptions:
    model = write_fake_model(tmp_path / "fake.onnx", default_body())
    boxes = {str(index): np.array([[150.0, 30.0, 330.0, 330.0]]) for index in range(FRAMES)}
    return PipelineOptions(model=model, boxes=boxes, cache=tmp_path / "cache")


def test_the_whole_video_is_captured_and_opened_as_a_take(
    open_window: OpenWindow, qtbot: QtBot, video: Path, options: PipelineOptions
) -> None:
    parts = open_window(options=options)
    play(parts, qtbot, SourceChoice.from_path(video))
    activate(parts, qtbot)
    button = parts.window.transport.capture
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert parts.window.capture_banner.isVisible()
    assert not button.isEnabled()
    # the live view does not take processor time from the capture
    assert parts.state.phase.value is Phase.PAUSED
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=120_000)
    opened = parts.state.takes.opened.value
    assert opened is not None
    assert len(opened.stored.raw.frame_time) == FRAMES
    assert opened.stored.about.captured
    assert opened.stored.take.smoothing == "refine"
    origin = provenance_of(opened.stored)
    assert not origin.sparse
    assert f"all {FRAMES} frames" in parts.take_feature.timeline.origin.text()
    assert not parts.window.capture_banner.isVisible()
    assert not parts.take_feature.timeline.capture.isVisible()
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    result = parts.state.result.value
    assert result is not None
    assert result.frame.image.max() > 150  # the video's picture, not a plain background


def test_a_cancelled_capture_leaves_nothing(
    open_window: OpenWindow, qtbot: QtBot, video: Path, options: PipelineOptions
) -> None:
    parts = open_window(options=options)
    play(parts, qtbot, SourceChoice.from_path(video))
    parts.window.actions_.capture.trigger()
    qtbot.wait(300)
    qtbot.mouseClick(parts.window.capture_banner.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.state.capture.progress.value is None, timeout=60_000)
    library = parts.controller.store.library
    assert not library.root.exists() or not list(library.root.iterdir())
    assert parts.state.source.value == SourceChoice.from_path(video)


def test_an_interrupted_capture_is_offered_and_continued(
    open_window: OpenWindow, qtbot: QtBot, video: Path, options: PipelineOptions
) -> None:
    with pytest.raises(Interrupted):
        capture(video, CaptureOptions(options), RecordingReporter(cancel_after=0.3))
    parts = open_window(options=options)
    parts.controller.capture._capture = capture  # a process of its own would take seconds
    banner = parts.take_feature.recovery
    qtbot.waitUntil(banner.isVisible, timeout=10_000)
    assert banner.text.text().startswith("A capture of 0:0")
    assert "video.mp4" in banner.text.text()
    qtbot.mouseClick(banner.resume, Qt.MouseButton.LeftButton)
    assert not banner.isVisible()
    qtbot.waitUntil(lambda: bool(parts.state.takes.entries.value), timeout=60_000)
    entry = parts.state.takes.entries.value[0]
    assert len(parts.controller.store.library.load(entry.id).raw.frame_time) == FRAMES
    assert not parts.state.takes.interrupted.value


def test_a_sparse_recording_offers_to_capture_the_whole_video(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window(each=0.2)
    play(parts, qtbot, clip)
    activate(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 0.8, timeout=20_000)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) > 0, timeout=30_000)
    parts.take_feature.actions_.last.trigger()
    timeline = parts.take_feature.timeline
    qtbot.waitUntil(timeline.isVisible, timeout=10_000)
    assert "interpolated" in timeline.origin.text()
    assert timeline.capture.isVisible()


def test_a_batch_with_videos_leaves_the_live_picture_alone(
    open_window: OpenWindow, qtbot: QtBot, video: Path, options: PipelineOptions, tmp_path: Path
) -> None:
    parts = open_window(options=options)
    play(parts, qtbot, SourceChoice.from_path(video))
    before = canvas_pixels(parts, qtbot)
    parts.state.batch.folder.set(tmp_path)
    parts.state.batch.exports.set(())
    parts.controller.batch.add([video])
    parts.controller.batch.start()
    qtbot.waitUntil(lambda: parts.state.batch.files.value[0].phase.finished, timeout=120_000)
    assert parts.state.batch.files.value[0].phase is FilePhase.DONE
    assert (tmp_path / "video_overlay.mp4").stat().st_size > 1000
    shown = parts.state.result.value
    qtbot.waitUntil(lambda: parts.state.result.value is not shown, timeout=10_000)
    after = canvas_pixels(parts, qtbot)
    assert after.max() > 150
    assert np.abs(after.mean() - before.mean()) < 0.2 * before.mean()
