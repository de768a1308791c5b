"""An interrupted capture of a video is continued where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import Interrupted
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.takes.journal import read_journal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.workflows.capture import CaptureOptions, capture
from tests.helpers.model import write_fake_model
from tests.helpers.reporter import RecordingReporter
from tests.ui.fakes import write_clip

FRAMES = 24


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("videos") / "video.mp4", frames=FRAMES)


@pytest.fixture
def options(tmp_path: Path) -> CaptureOptions:
    model = write_fake_model(tmp_path / "fake.onnx", default_body())
    boxes = {str(index): np.array([[150.0, 30.0, 330.0, 330.0]]) for index in range(FRAMES)}
    pipeline = PipelineOptions(model=model, boxes=boxes, cache=tmp_path / "cache")
    return CaptureOptions(pipeline, library=TakeLibrary(tmp_path / "takes"))


def interrupt(video: Path, options: CaptureOptions, fraction: float = 0.3) -> Path:
    """Cancel a capture on its way; return its journal."""
    assert options.library is not None
    with pytest.raises(Interrupted):
        capture(video, options, RecordingReporter(cancel_after=fraction))
    take = options.library.interrupted_capture(video)
    assert take is not None
    return options.library.folder(take) / JOURNAL


def test_a_cancelled_capture_is_continued_behind_its_last_frame(
    video: Path, options: CaptureOptions, tmp_path: Path
) -> None:
    journal = interrupt(video, options)
    before = read_journal(journal).take
    assert 0 < len(before.frame_time) < FRAMES
    with journal.open("ab") as file:
        file.write(b"\x10\0\0\0torn")  # as a power cut leaves it
    reporter = RecordingReporter()
    entry = capture(video, options, reporter)
    assert entry.id == journal.parent.name
    assert min(reporter.fractions) > 0.25  # the frames so far were not measured again
    assert options.library is not None
    assert not options.library.unfinished()
    continued = options.library.load(entry.id).raw
    whole = capture(video, CaptureOptions(options.pipeline, library=TakeLibrary(tmp_path / "2")))
    expected = TakeLibrary(tmp_path / "2").load(whole.id).raw
    np.testing.assert_array_equal(continued.frame_time, expected.frame_time)
    # the same person before and after
    np.testing.assert_array_equal(continued.person, expected.person)
    np.testing.assert_allclose(continued.joints_2d, expected.joints_2d, atol=0.5)


def test_measurements_of_two_models_are_not_mixed(
    video: Path, options: CaptureOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = interrupt(video, options)
    monkeypatch.setattr("pymaf_live.pipeline.pipeline.Pipeline.model", "another 7")
    entry = capture(video, options)
    assert options.library is not None
    assert entry.id != journal.parent.name
    assert len(options.library.load(entry.id).raw.frame_time) == FRAMES
    assert [each.id for each in options.library.unfinished()] == [journal.parent.name]


def test_a_damaged_journal_is_left_alone(video: Path, options: CaptureOptions) -> None:
    journal = interrupt(video, options)
    content = journal.read_bytes()
    journal.write_bytes(content[:30] + b"?" + content[31:])
    assert options.library is not None
    assert len(options.library.load(capture(video, options).id).raw.frame_time) == FRAMES
    assert journal.exists()
