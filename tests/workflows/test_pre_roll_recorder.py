"""Recorder of the window: pre-roll, image copies, failures and memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.takes.image_copies import ImageCopies
from pymaf_live.takes.journal import read_journal
from pymaf_live.takes.library import IMAGE_COPIES, JOURNAL
from pymaf_live.types import Frame, SourceFacts
from pymaf_live.workflows.pre_roll_recorder import LiveRecording, PreRollRecorder
from tests.ui.fakes import StandingEstimator

CAMERA = SourceFacts("camera", "Camera 0", (320, 240), None, None, None, live=True)


def play(
    recorder: PreRollRecorder, first: int, last: int, size: tuple[int, int] = (320, 240)
) -> None:
    estimator = StandingEstimator()
    for index in range(first, last):
        image = np.full((size[1], size[0], 3), index % 250, np.uint8)
        recorder.add(estimator.estimate(Frame(index, index / 30, image)))


def recording_in(folder: Path) -> LiveRecording:
    folder.mkdir()
    return LiveRecording(lambda: folder, default_body(), CAMERA, "fake 0")


def test_a_recording_starts_before_the_click_and_has_image_copies(tmp_path: Path) -> None:
    recorder = PreRollRecorder(CAMERA, lambda: 1.0)
    play(recorder, 0, 90)
    recording = recording_in(tmp_path / "a")
    recorder.begin(recording)
    play(recorder, 90, 150)
    recorder.end()
    play(recorder, 150, 170)
    recording.finish()
    take = read_journal(tmp_path / "a" / JOURNAL).take
    assert take.frame_time[0] == pytest.approx(2.0, abs=0.05)
    assert take.frame_time[-1] == pytest.approx(149 / 30)
    assert np.allclose(np.diff(take.frame_time), 1 / 30)
    pictures = ImageCopies(tmp_path / "a" / IMAGE_COPIES)
    for frame in (0, 30, len(take.frame_time) - 1):
        image = pictures.at(float(take.frame_time[frame]))
        assert image is not None
        assert abs(float(image.mean()) - round(30 * take.frame_time[frame]) % 250) < 3
    pictures.close()
    # the next recording does not contain results of the last one
    again = recording_in(tmp_path / "b")
    recorder.begin(again)
    play(recorder, 170, 180)
    recorder.end()
    again.finish()
    recorder.close()
    assert read_journal(tmp_path / "b" / JOURNAL).take.frame_time[0] == pytest.approx(5.0, abs=0.01)


def test_a_shorter_pre_roll_drops_older_results(tmp_path: Path) -> None:
    seconds = [2.0]
    recorder = PreRollRecorder(CAMERA, lambda: seconds[0])
    play(recorder, 0, 60)
    seconds[0] = 0.0
    play(recorder, 60, 120)
    recording = recording_in(tmp_path / "a")
    recorder.begin(recording)
    play(recorder, 120, 130)
    recorder.end()
    recording.finish()
    recorder.close()
    take = read_journal(tmp_path / "a" / JOURNAL).take
    np.testing.assert_allclose(take.frame_time, np.arange(120, 130) / 30)


def test_a_changed_frame_size_ends_the_recording(tmp_path: Path) -> None:
    recorder = PreRollRecorder(CAMERA, lambda: 0.0)
    recording = recording_in(tmp_path / "a")
    recorder.begin(recording)
    play(recorder, 0, 10)
    play(recorder, 10, 12, size=(640, 480))
    recorder.end()
    recording.finish()
    recorder.close()
    assert recording.failure is not None
    assert "640x480" in str(recording.failure)
    assert len(read_journal(tmp_path / "a" / JOURNAL).take.frame_time) == 10


def test_a_folder_that_cannot_be_created_is_a_failure(tmp_path: Path) -> None:
    def begin() -> Path:
        from pymaf_live.errors import OutputError

        raise OutputError("no space is left")

    recorder = PreRollRecorder(CAMERA, lambda: 0.0)
    recording = LiveRecording(begin, default_body(), CAMERA, "fake 0")
    recorder.begin(recording)
    play(recorder, 0, 5)
    recorder.end()
    recording.finish()
    assert str(recording.failure) == "no space is left"
    assert recording.rows == 0
    recorder.close()


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    import tracemalloc

    recorder = PreRollRecorder(CAMERA, lambda: 1.0)
    recording = recording_in(tmp_path / "a")
    recorder.begin(recording)
    play(recorder, 0, 60)
    tracemalloc.start()
    play(recorder, 60, 120)
    before = tracemalloc.get_traced_memory()[0]
    play(recorder, 120, 600)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    recorder.end()
    recording.finish()
    recorder.close()
    assert recording.rows == 600
    # 480 frames of one person are 400 kB of rows and 110 MB of images
    assert after - before < 3_000_000
