"""Recovery of interrupted runs: the journal in the take library outlives a killed program."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.cli import app as cli
from pymaf_live.errors import InputError, Interrupted, OutputError, OutputExistsError
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.sources import Source, open_source
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes import read_take
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.types import Camera, Frame, FrameResult, SourceFacts
from pymaf_live.workflows.boxes_file import read_boxes
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from pymaf_live.workflows.process import ProcessOptions, process
from pymaf_live.workflows.recover import RecoverOptions, discard, recover, unfinished_recordings
from pymaf_live.workflows.recoverable import RecoverableRecording
from tests.helpers.clip import write_boxes, write_clip
from tests.helpers.model import write_fake_model
from tests.helpers.paths import ROOT
from tests.helpers.take import SIZE, make_take, moving_limbs, people_by_frame, walking_past

FRAMES = 1500
"""Frames of the video: processing it takes long enough to be killed in the middle."""
FACTS = SourceFacts("video", "dance.mp4", SIZE, Fraction(30), None, None, live=False)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video")
    write_fake_model(folder / "fake.onnx", default_body())
    write_clip(folder / "walk.mp4", FRAMES)
    write_boxes(folder / "boxes.json", FRAMES)
    return folder


@pytest.fixture
def library() -> TakeLibrary:
    """Return the library that the program uses; each test has its own."""
    return TakeLibrary()


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments), "--model",
         str(folder / "fake.onnx")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def kill_while_recording(
    running: subprocess.Popen[str], library: TakeLibrary, number: int = signal.SIGKILL
) -> None:
    """Kill a process as soon as its journal has some 30 frames of a person."""
    limit = time.monotonic() + 90
    while time.monotonic() < limit and running.poll() is None:
        journals = list(library.root.glob(f"*/{JOURNAL}"))
        if journals and journals[0].stat().st_size > 30_000:
            break
        time.sleep(0.02)
    assert running.poll() is None, running.communicate()
    assert library.unfinished() == ()  # not while it is being written
    running.send_signal(number)
    running.wait(30)


def results(body: Body, count: int) -> Iterator[FrameResult]:
    times = np.arange(min(count, 50)) / 30
    take = make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})
    people = people_by_frame(take)
    image = np.zeros((0, 0, 3), np.uint8)
    camera = Camera.for_frame(SIZE)
    for index in range(count):
        person = people[index % len(people)]
        yield FrameResult(Frame(index, index / 30, image), person, person, camera)


def record_and_raise(recording: RecoverableRecording, body: Body, error: BaseException) -> None:
    """Record 20 frames, then fail while the results are written."""
    with recording:
        for result in results(body, 20):
            recording.add(result, "lite")
        raise error


@pytest.mark.parametrize("smoothing", ["live", "offline", "refine"])
def test_a_killed_process_is_recovered(
    folder: Path,
    tmp_path: Path,
    library: TakeLibrary,
    capfd: pytest.CaptureFixture[str],
    smoothing: str,
) -> None:
    out = tmp_path / "out"
    running = start(
        folder, "process", folder / "walk.mp4", "--out", out, "--boxes", folder / "boxes.json",
        "--no-overlay", "--smoothing", smoothing,
    )  # fmt: skip
    kill_while_recording(running, library)
    assert list(out.iterdir()) == []
    (recording,) = unfinished_recordings()
    assert recording.about.temporary
    assert not recording.complete
    assert recording.rows >= 20
    # the next run says so in one line
    write_clip(tmp_path / "other.mp4", 3)
    boxes = write_boxes(tmp_path / "other.json", 3)
    arguments = ["--boxes", str(boxes), "--model", str(folder / "fake.onnx")]
    command = ["process", str(tmp_path / "other.mp4"), "--out", str(out), *arguments]
    assert cli.main([*command, "--no-overlay", "--export", "npz"]) == 0
    hints = [line for line in capfd.readouterr().err.splitlines() if "recover" in line]
    assert len(hints) == 1
    assert "walk.mp4" in hints[0]
    assert "pymaf-live recover" in hints[0]
    # and recovers it
    assert cli.main(["recover", "--out", str(out)]) == 0
    assert str(out / "walk.npz") in capfd.readouterr().out
    take = read_take(out / "walk.npz")
    assert take.smoothing == smoothing
    assert take.model == "fake 0"
    assert len(take.frame_time) >= 20
    np.testing.assert_allclose(np.diff(take.frame_time), 1 / 30, atol=1e-3)
    assert library.unfinished() == ()
    assert list(library.root.iterdir()) == []


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "terminal closed"]
)
def test_a_killed_recording_is_recovered(
    folder: Path, tmp_path: Path, library: TakeLibrary, number: int
) -> None:
    target = tmp_path / "take.npz"
    # under nohup the tests ignore a closed terminal, and so would the programs that they start
    ignored = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        running = start(folder, "live", "--source", folder / "walk.mp4", "--record", target)
    finally:
        signal.signal(signal.SIGHUP, ignored)
    kill_while_recording(running, library, number)
    assert not target.exists()
    (recording,) = unfinished_recordings()
    result = recover(recording, RecoverOptions(tmp_path))
    assert [file.path for file in result.exported.files] == [tmp_path / "walk.npz"]
    assert len(read_take(tmp_path / "walk.npz").frame_time) > 10


def test_a_recovered_take_equals_the_start_of_an_uninterrupted_one(
    folder: Path, tmp_path: Path, library: TakeLibrary
) -> None:
    """The window finalizes what a killed run left: the same rows as without the kill."""
    running = start(
        folder, "process", folder / "walk.mp4", "--out", tmp_path / "out", "--boxes",
        folder / "boxes.json", "--no-overlay", "--foot-lock", "never", "--smoothing", "live",
    )  # fmt: skip
    kill_while_recording(running, library)
    (recording,) = library.unfinished()
    entry = finalize(library, recording.id, FinalizeOptions(0.5))
    assert [each.id for each in library.entries()] == [entry.id]
    recovered = library.load(entry.id).take
    options = ProcessOptions(
        pipeline=PipelineOptions(
            model=folder / "fake.onnx", boxes=read_boxes(folder / "boxes.json")
        ),
        smoothing="live",  # the other smoothings depend on later frames
        foot_lock="never",
    )
    source = open_source(str(folder / "walk.mp4"))
    frames = len(recovered.frame_time)
    whole = process(source, options, _CancelsAfterFrames(frames + 20)).take
    assert whole is not None
    np.testing.assert_array_equal(recovered.frame_time, whole.frame_time[:frames])
    rows = whole.frame < frames
    for name in ("frame", "person", "pose", "shape", "translation", "joints", "box", "score"):
        np.testing.assert_allclose(
            getattr(recovered, name), getattr(whole, name)[rows], atol=1e-5, err_msg=name
        )


def test_finished_runs_leave_nothing_behind(
    folder: Path, tmp_path: Path, library: TakeLibrary
) -> None:
    clip = write_clip(tmp_path / "short.mp4", 5)
    pipeline = PipelineOptions(model=folder / "fake.onnx", boxes=read_boxes(folder / "boxes.json"))
    options = ProcessOptions(out=tmp_path / "out", pipeline=pipeline, overlay=False)
    process(open_source(str(clip)), options)
    assert list(library.root.iterdir()) == []
    with pytest.raises(OutputExistsError):
        process(open_source(str(clip)), options)
    # the results of the second run are not written: they can be recovered
    assert len(library.unfinished()) == 1


def test_a_failed_export_can_be_recovered(body: Body, library: TakeLibrary, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        record_and_raise(RecoverableRecording(body, FACTS, "off"), body, OutputError("disk full"))
    (unfinished,) = library.unfinished()
    assert (unfinished.rows, unfinished.about.source) == (20, "dance.mp4")
    (tmp_path / "dance.npz").write_text("mine")
    with pytest.raises(OutputExistsError):
        recover(unfinished, RecoverOptions(tmp_path))
    assert library.unfinished() == (unfinished,)
    result = recover(unfinished, RecoverOptions(tmp_path, force=True))
    assert len(result.take.frame) == 20
    assert library.unfinished() == ()


@pytest.mark.parametrize("error", [Interrupted("given up"), KeyboardInterrupt()])
def test_a_run_that_the_user_gave_up_leaves_nothing(
    body: Body, library: TakeLibrary, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        record_and_raise(RecoverableRecording(body, FACTS, "off"), body, error)
    assert list(library.root.iterdir()) == []


def test_a_live_recording_is_kept_even_when_the_user_aborts_the_export(
    body: Body, library: TakeLibrary
) -> None:
    """A camera cannot be recorded a second time."""
    recording = RecoverableRecording(body, FACTS, "off", repeatable=False)
    with pytest.raises(KeyboardInterrupt):
        record_and_raise(recording, body, KeyboardInterrupt())
    assert len(library.unfinished()) == 1


def test_unfinished_recordings_of_the_window_become_takes_too(
    body: Body, library: TakeLibrary, tmp_path: Path
) -> None:
    entry = library.begin("Camera 0", None)
    journal = TakeJournal(library.folder(entry) / JOURNAL, body, replace(FACTS, kind="camera"))
    for result in results(body, 20):
        journal.add(result)
    journal.close(complete=False)
    (recording,) = library.unfinished()
    recover(recording, RecoverOptions(tmp_path))
    assert read_take(tmp_path / "dance.npz").smoothing == "offline"
    assert [each.id for each in library.entries()] == [entry]


def test_recordings_can_be_discarded(
    body: Body, library: TakeLibrary, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        entry = library.begin(name, None, temporary=True)
        journal = TakeJournal(library.folder(entry) / JOURNAL, body, FACTS)
        for result in results(body, 3):
            journal.add(result)
        journal.close(complete=False)
    discard(library.unfinished()[0])
    assert len(library.unfinished()) == 1
    assert cli.main(["recover", "--discard"]) == 0
    assert "removed the recording of" in capsys.readouterr().out
    assert library.unfinished() == ()
    assert cli.main(["recover"]) == 0
    assert "no interrupted recordings" in capsys.readouterr().out


def test_an_unwritable_library_does_not_prevent_the_work(body: Body, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    library = TakeLibrary(tmp_path / "file")
    with RecoverableRecording(body, FACTS, "off", library) as recording:
        for result in results(body, 5):
            recording.add(result, "lite")
        take = recording.take()
    assert take is not None
    assert len(take.frame) == 5
    assert "could not be recovered" in recording.notice


def test_memory_does_not_grow_with_the_length(body: Body) -> None:
    tracemalloc.start()
    with RecoverableRecording(body, FACTS, "live") as recording:
        before = 0
        for index, result in enumerate(results(body, 5000)):
            recording.add(result, "lite")
            if index == 100:
                before = tracemalloc.get_traced_memory()[0]
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert recording.frames == 5000
    # 5000 rows take 4 MB in a take
    assert after - before < 100_000


class _FailsLater:
    """Source whose reader fails after some frames."""

    def __init__(self, source: Source, frames: int) -> None:
        self._source, self._frames = source, frames
        self.facts = source.facts
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for index, frame in enumerate(self._source.frames()):
            if index == self._frames:
                raise InputError("the disk was removed")
            yield frame

    def close(self) -> None:
        self._source.close()


def test_frames_before_a_read_error_can_be_recovered(
    folder: Path, library: TakeLibrary, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "short.mp4", 12)
    pipeline = PipelineOptions(model=folder / "fake.onnx", boxes=read_boxes(folder / "boxes.json"))
    with pytest.raises(InputError, match="disk was removed"):
        process(_FailsLater(open_source(str(clip)), 8), ProcessOptions(pipeline=pipeline))
    (recording,) = library.unfinished()
    assert recording.rows == 8


class _CancelsAfterFrames(SilentReporter):
    def __init__(self, frames: int) -> None:
        self._left = frames

    def progress(self, fraction: float | None, detail: str = "") -> None:
        self._left -= 1

    def cancelled(self) -> bool:
        return self._left <= 0


def test_a_stopped_process_returns_the_frames_so_far(
    folder: Path, library: TakeLibrary, tmp_path: Path
) -> None:
    options = ProcessOptions(
        out=tmp_path,
        name="part",
        pipeline=PipelineOptions(
            model=folder / "fake.onnx", boxes=read_boxes(folder / "boxes.json")
        ),
        overlay=False,
    )
    result = process(open_source(str(folder / "walk.mp4")), options, _CancelsAfterFrames(20))
    assert result.summary.interrupted
    assert 20 <= result.summary.frames < FRAMES
    assert [path.name for path in result.summary.files] == ["part.bvh", "part.npz"]
    assert list(library.root.iterdir()) == []
