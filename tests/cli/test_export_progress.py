"""Progress display of the export command, and its behavior on Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.cli import progress
from pymaf_live.takes.npz_file import write_take
from pymaf_live.takes.take import Take
from tests.helpers.paths import ROOT
from tests.helpers.take import make_take, moving_limbs, walking_past


def limbs_moving(count: int) -> Take:
    """Return a take of `count` frames of a person who moves all limbs."""
    body, times = default_body(), np.arange(count) / 30
    return make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})


def test_lines_show_the_time_left_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    write_take(tmp_path / "a.npz", limbs_moving(20))
    assert cli.main(["export", str(tmp_path / "a.npz"), "--to", str(tmp_path / "a_masks")]) == 0
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if "writing a_masks" in line]
    # no estimate before there is progress
    assert all(line.endswith(" s left") for line in lines if not line.startswith("0 %"))
    assert any(line.startswith("50 %") for line in lines)
    assert captured.out.count("\n") == 1


def test_a_terminal_shows_a_bar_apart_from_the_results(tmp_path: Path) -> None:
    write_take(tmp_path / "a.npz", limbs_moving(60))
    our_end, their_end = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(our_end, 4096):
                shown.append(part)
        except OSError:  # the other end is closed
            return

    reading = threading.Thread(target=read)
    reading.start()
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "export", str(tmp_path / "a.npz"), "--to",
         str(tmp_path / "walk.bvh")],
        stdout=subprocess.PIPE, stderr=their_end, text=True, timeout=60, check=True,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(their_end)
    reading.join(5)
    os.close(our_end)
    assert b"walk.bvh" in b"".join(shown)
    assert b"%" in b"".join(shown)
    assert done.stdout.startswith(str(tmp_path / "walk.bvh"))
    assert done.stdout.count("\n") == 1


def restore_ctrl_c() -> None:
    """Make the child react to Ctrl-C, which shells disable for background processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_no_incomplete_export(tmp_path: Path) -> None:
    write_take(tmp_path / "a.npz", limbs_moving(2000))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), "export", str(tmp_path / "a.npz"), "--to",
         str(tmp_path / "a.bvh"), str(tmp_path / "a_masks")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=restore_ctrl_c,
    )  # fmt: skip
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not list(tmp_path.glob(".a_masks*/*.png")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bvh", "a.npz"]
