"""Exports tell how far they are, and end when they are told to, with whole files only."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.cli import progress
from pymaf_live.takes.npz_file import write_take
from pymaf_live.takes.take import Take
from pymaf_live.workflows.process import ProcessOptions, Summary, export_take
from tests.helpers.paths import ROOT
from tests.helpers.take import make_take, moving_limbs, walking_past


def made(count: int) -> Take:
    body, times = default_body(), np.arange(count) / 30
    return make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})


@dataclass
class Stops:
    """A watcher that asks to stop from some file on."""

    at: str
    from_the_start: bool = False
    told: list[tuple[str, float]] = field(default_factory=list)

    def advance(self, frames: int, fraction: float | None) -> None:
        raise AssertionError("no film runs here")

    def exporting(self, file: str, fraction: float) -> None:
        self.told.append((file, fraction))

    def asked_to_stop(self) -> bool:
        return self.from_the_start or any(
            file == self.at and fraction > 0.2 for file, fraction in self.told
        )


def exported(watcher: Stops, folder: Path) -> Summary:
    options = ProcessOptions(out=folder, exports=("bvh", "glb", "npz"))
    summary = Summary("film.mp4", "film")
    export_take(made(60), default_body(), "film", options, watcher, summary)
    return summary


def test_each_file_is_told_from_its_start_to_its_end(tmp_path: Path) -> None:
    watcher = Stops(at="")
    summary = exported(watcher, tmp_path)
    assert not summary.interrupted
    for name in ("film.bvh", "film.glb", "film.npz"):
        parts = [fraction for file, fraction in watcher.told if file == name]
        assert parts == sorted(parts)
        assert parts[-1] == 1.0
        assert len(parts) > 2 or name.endswith(".npz")


def test_who_stops_an_export_keeps_what_is_complete(tmp_path: Path) -> None:
    summary = exported(Stops(at="film.glb"), tmp_path)
    assert summary.interrupted
    assert [path.name for path in tmp_path.iterdir()] == ["film.bvh"]
    assert summary.files == [tmp_path / "film.bvh"]
    assert summary.notices[-1] == "stopped; not written: film.glb, film.npz"


def test_who_stopped_the_film_gets_the_files_of_what_was_seen(tmp_path: Path) -> None:
    summary = exported(Stops(at="", from_the_start=True), tmp_path)
    assert not summary.interrupted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.bvh", "film.glb", "film.npz"]


def test_without_a_terminal_lines_tell_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    write_take(tmp_path / "a.npz", made(20))
    assert cli.main(["export", str(tmp_path / "a.npz"), "--to", str(tmp_path / "a_masks")]) == 0
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("a_masks: ")]
    assert all(line.endswith(" s left") for line in lines)
    assert any("50 %" in line for line in lines)
    assert captured.out.count("\n") == 1


def test_a_terminal_shows_a_bar_and_results_stay_apart_from_it(tmp_path: Path) -> None:
    write_take(tmp_path / "a.npz", made(60))
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                shown.append(part)
        except OSError:  # the other end is closed
            return

    reading = threading.Thread(target=read)
    reading.start()
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "export", str(tmp_path / "a.npz"), "--to",
         str(tmp_path / "walk.bvh")],
        stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60, check=True,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    reading.join(5)
    os.close(ours)
    assert b"walk.bvh" in b"".join(shown)
    assert b"%" in b"".join(shown)
    assert done.stdout.startswith(str(tmp_path / "walk.bvh"))
    assert done.stdout.count("\n") == 1


def heed_ctrl_c() -> None:
    """Undo what a shell does to whatever it runs in the background: ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_no_half_export(tmp_path: Path) -> None:
    write_take(tmp_path / "a.npz", made(2000))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), "export", str(tmp_path / "a.npz"), "--to",
         str(tmp_path / "a.bvh"), str(tmp_path / "a_masks")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not list(tmp_path.glob(".a_masks*/*.png")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bvh", "a.npz"]
