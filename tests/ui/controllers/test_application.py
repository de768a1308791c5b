from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.errors import ModelError
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import Source, open_source, paced
from pymaf_live.takes import read_take
from tests.ui.fakes import opener, write_clip
from ui.controllers.application import ApplicationController
from ui.state.window import Phase, SourceChoice, TakePhase, WindowState


def until(
    controller: ApplicationController, met: Callable[[], bool], seconds: float = 10.0
) -> None:
    limit = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < limit, "timed out"
        controller.tick()
        time.sleep(0.005)


def with_estimator(**kinds: float) -> Callable[[Source, PipelineOptions], Pipeline]:
    open_estimator = opener(**kinds)  # type: ignore[arg-type]
    return lambda source, options: Pipeline(source, options, open_estimator=open_estimator)


@pytest.fixture
def clip(tmp_path: Path) -> SourceChoice:
    return SourceChoice("file", str(write_clip(tmp_path / "clip.mp4")), "clip.mp4")


@pytest.fixture
def state() -> WindowState:
    return WindowState()


@pytest.fixture
def controller(state: WindowState) -> Iterator[ApplicationController]:
    opened = ApplicationController(
        state, open_pipeline=with_estimator(opening=0.5), list_cameras=lambda: ()
    )
    yield opened
    opened.close()


def test_a_file_plays_from_its_first_frame_once_the_model_is_ready(
    state: WindowState, controller: ApplicationController, clip: SourceChoice
) -> None:
    seen: list[int] = []
    state.result.watch(lambda result: seen.append(result.frame.index) if result else None)
    controller.sources.open(clip)
    assert state.phase.value is Phase.OPENING
    until(controller, lambda: len(seen) > 5)
    assert state.phase.value is Phase.PLAYING
    assert seen[0] < 5  # the model took as long as 15 frames
    assert not state.live.value
    assert not state.mirror.value


def test_a_file_loops_with_increasing_times_and_ends_without_loop(
    state: WindowState, controller: ApplicationController, clip: SourceChoice
) -> None:
    times: list[float] = []
    state.result.watch(lambda result: times.append(result.frame.time) if result else None)
    controller.sources.open(clip)
    until(controller, lambda: bool(times) and times[-1] > 1.2)
    assert np.all(np.diff(times) > 0)
    state.loop.set(False)
    until(controller, lambda: state.phase.value is Phase.ENDED)
    assert 1.9 < times[-1] < 2.0  # twice a clip of 30 frames at 30 fps
    assert state.result.value is not None
    times.clear()
    controller.playback.resume()
    until(controller, lambda: state.phase.value is Phase.ENDED and bool(times))
    assert times[0] < 0.5


def test_pausing_stops_reading_the_file_and_not_only_drawing(
    state: WindowState, controller: ApplicationController, clip: SourceChoice
) -> None:
    controller.sources.open(clip)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    controller.playback.pause()
    for _ in range(20):  # frames in the pipeline still arrive
        controller.tick()
        time.sleep(0.01)
    held = state.result.value
    assert held is not None
    for _ in range(60):
        controller.tick()
        time.sleep(0.01)
    assert state.result.value is held
    controller.playback.resume()
    until(controller, lambda: state.result.value is not held)
    after = state.result.value
    assert after is not None
    assert after.frame.time - held.frame.time < 0.3


def test_a_recording_can_be_exported_and_read_back(
    state: WindowState, controller: ApplicationController, clip: SourceChoice, tmp_path: Path
) -> None:
    controller.sources.open(clip)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    controller.recording.record()
    until(controller, lambda: state.take.value.seconds > 0.5)
    assert not state.take.value.exported
    assert state.take.value.rows > 0
    controller.recording.stop()
    assert state.take.value.phase is TakePhase.READY
    controller.export.start(tmp_path / "my.take", ("npz", "bvh"), False)
    assert state.take.value.phase is TakePhase.EXPORTING
    until(controller, lambda: state.message.value is not None)
    message = state.message.value
    assert message is not None
    assert message.severity == "done", message.text
    assert state.take.value.exported
    take = read_take(tmp_path / "my.take.npz")
    # every frame is recorded, also those that were not drawn
    assert len(take.frame_time) >= 15
    assert np.allclose(np.diff(take.frame_time), 1 / 30, atol=2e-3)
    assert all(path.exists() for path in message.files)
    assert sum(path.suffix == ".bvh" for path in message.files) == 1


def test_an_export_does_not_replace_an_existing_file_by_default(
    state: WindowState, controller: ApplicationController, clip: SourceChoice, tmp_path: Path
) -> None:
    there = tmp_path / "take.npz"
    there.write_text(json.dumps("mine"))
    controller.sources.open(clip)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    controller.recording.record()
    until(controller, lambda: state.take.value.rows > 0)
    controller.recording.stop()
    controller.export.start(tmp_path / "take", ("npz",), False)
    until(controller, lambda: state.message.value is not None)
    assert state.message.value is not None
    assert state.message.value.severity == "error"
    assert there.read_text() == '"mine"'
    assert not state.take.value.exported
    assert state.take.value.rows > 0


def test_opening_another_source_finishes_the_recording(
    state: WindowState, controller: ApplicationController, clip: SourceChoice
) -> None:
    controller.sources.open(clip)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    controller.recording.record()
    until(controller, lambda: state.take.value.rows > 0)
    controller.sources.open(clip)
    until(controller, lambda: state.take.value.phase is TakePhase.READY)
    assert not state.take.value.exported
    assert state.take.value.rows > 0
    until(controller, lambda: state.phase.value is Phase.PLAYING)


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.mp4", b""), ("text.mp4", b"no video at all" * 99), ("missing.mp4", None)],
)
def test_an_unusable_file_shows_one_line_on_the_start_page(
    state: WindowState,
    controller: ApplicationController,
    tmp_path: Path,
    name: str,
    content: bytes | None,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    controller.sources.open(SourceChoice("file", str(path), name))
    until(controller, lambda: state.message.value is not None)
    message = state.message.value
    assert message is not None
    assert message.severity == "error"
    assert name in message.text
    assert "\n" not in message.text
    assert state.phase.value is Phase.EMPTY
    assert state.source.value is None


def test_a_missing_model_is_reported_in_one_line(state: WindowState, clip: SourceChoice) -> None:
    def no_model(facts: object, options: object) -> object:
        raise ModelError("the installation lacks resources/models/lite.onnx")

    controller = ApplicationController(
        state,
        open_pipeline=lambda source, options: Pipeline(
            source,
            options,
            open_estimator=no_model,  # type: ignore[arg-type]
        ),
    )
    controller.sources.open(clip)
    until(controller, lambda: state.message.value is not None)
    assert state.message.value is not None
    assert state.message.value.text.startswith("The installation lacks")
    assert state.phase.value is Phase.EMPTY
    assert controller.close()


def test_no_camera_is_an_empty_list_without_an_error(
    state: WindowState, controller: ApplicationController
) -> None:
    controller.sources.find_cameras()
    assert state.cameras.value is None
    until(controller, lambda: state.cameras.value is not None)
    assert state.cameras.value == ()
    assert state.message.value is None


def test_cameras_keep_their_last_mirroring_and_files_are_never_mirrored(
    state: WindowState,
    controller: ApplicationController,
    clip: SourceChoice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # a video played in real time replaces the camera
    monkeypatch.setattr(
        "ui.controllers.source_session.open_source",
        lambda text, **_: paced(open_source(clip.text if text == "0" else text, loop=True)),
    )
    camera = SourceChoice("camera", "0", "Camera 0")
    controller.sources.open(camera)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    assert state.live.value
    assert state.mirror.value
    controller.sources.open(clip)
    until(controller, lambda: state.source.value is clip)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    assert not state.mirror.value
    controller.sources.open(camera)
    until(controller, lambda: state.source.value is camera)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    assert state.mirror.value
    state.mirror.set(False)
    controller.sources.open(camera)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    assert not state.mirror.value


def test_the_last_of_two_quick_requests_wins(
    state: WindowState, controller: ApplicationController, clip: SourceChoice, tmp_path: Path
) -> None:
    other = SourceChoice("file", str(write_clip(tmp_path / "b.mp4", size=(320, 240))), "b.mp4")
    controller.sources.open(clip)
    controller.sources.open(other)
    until(controller, lambda: state.phase.value is Phase.PLAYING)
    assert state.result.value is not None
    assert state.result.value.frame.image.shape == (240, 320, 3)


@pytest.mark.parametrize("slow", [{"opening": 0.8}, {"each": 0.4}])
def test_closing_ends_every_thread_within_two_seconds(
    state: WindowState, clip: SourceChoice, slow: dict[str, float]
) -> None:
    before = set(threading.enumerate())
    controller = ApplicationController(state, open_pipeline=with_estimator(**slow))
    controller.sources.open(clip)
    limit = time.monotonic() + 0.5
    while time.monotonic() < limit:
        controller.tick()
        time.sleep(0.01)
    start = time.monotonic()
    assert controller.close()
    assert time.monotonic() - start < 2.0
    assert set(threading.enumerate()) <= before


def test_closing_ends_a_pipeline_whose_session_was_not_processed_yet(
    clip: SourceChoice,
) -> None:
    before = set(threading.enumerate())
    controller = ApplicationController(
        WindowState(), open_pipeline=with_estimator(), list_cameras=lambda: ()
    )
    controller.sources.open(clip)
    limit = time.monotonic() + 10
    names = {"pymaf-live inference"}
    while not names & {thread.name for thread in set(threading.enumerate()) - before}:
        assert time.monotonic() < limit, "the pipeline did not start"
        time.sleep(0.005)  # no tick: the session waits to be processed
    assert controller.close()
    limit = time.monotonic() + 2
    while not set(threading.enumerate()) <= before and time.monotonic() < limit:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before
