"""Ctrl-C, SIGTERM and a full disk leave complete files or none."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaf_live.takes import read_take
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from tests.cli.helpers import Work, frame_count, partial_files, program, stderr_lines
from tests.helpers.clip import write_boxes, write_clip

LONG = 2000
"""Frames; several times what a machine processes before the test interrupts it."""


@pytest.fixture
def running(tmp_path: Path, work: Work) -> Iterator[subprocess.Popen[str]]:
    """`process` on a long video, after it has started to record frames."""
    clip = write_clip(tmp_path / "long.mp4", LONG, size=(64, 48), noise=60)
    boxes = write_boxes(tmp_path / "b.json", LONG, size=(64, 48), every=50)
    process = subprocess.Popen(
        program("process", clip, "--out", tmp_path / "o", "--boxes", boxes, "--model", work.model),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 25
    # the journal, for the overlay is drawn when all frames are estimated
    while time.monotonic() < limit and not any(
        path.stat().st_size > 30_000 for path in TakeLibrary().root.glob(f"*/{JOURNAL}")
    ):
        time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_complete_files_of_the_processed_frames(
    running: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    assert running.poll() is None, "the video was too short for this machine"
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "pymaf-live: " not in err
    stderr_lines(err)
    files = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert files == ["long.bvh", "long.npz", "long_overlay.mp4"]
    take = read_take(tmp_path / "o" / "long.npz")
    assert 0 < len(take.frame_time) < LONG
    assert frame_count(tmp_path / "o" / "long_overlay.mp4") == len(take.frame_time)


def test_a_second_ctrl_c_aborts_and_leaves_no_incomplete_file(
    running: subprocess.Popen[str], tmp_path: Path
) -> None:
    running.send_signal(signal.SIGINT)
    time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert time.monotonic() - start < 15
    assert "Traceback" not in err
    assert partial_files(tmp_path) == []


def test_a_full_disk_is_reported_and_leaves_no_file(work: Work, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 60, size=(320, 240))
    boxes = write_boxes(tmp_path / "b.json", 60, size=(320, 240))

    def small_files() -> None:
        # closest to a full disk without privileges: no file may grow beyond this
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    done = subprocess.run(
        program("process", clip, "--out", tmp_path / "o", "--boxes", boxes, "--model", work.model),
        capture_output=True,
        text=True,
        preexec_fn=small_files,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert len([line for line in stderr_lines(done.stderr) if line.startswith("pymaf-live: ")]) == 1
    assert list((tmp_path / "o").iterdir()) == []
