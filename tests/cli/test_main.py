"""Usage errors, unexpected errors and the entry point."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from pymaf_live.cli import app as cli
from tests.cli.helpers import Run, Work, program, stderr_lines
from tests.helpers.paths import ROOT


@pytest.mark.parametrize(
    "arguments",
    [
        ["process"],
        ["process", "a.mp4"],
        ["process", "a.mp4", "--out", "o", "--people", "0"],
        ["process", "a.mp4", "--out", "o", "--export", "dwg"],
        ["process", "a.mp4", "--out", "o", "--smoothing", "much"],
        ["procces", "a.mp4"],
        ["export", "a.npz", "--to", "a.xyz"],
        ["live", "--record", "a.mp4"],
        ["bench", "--mediapipe-task", "a.task"],
        ["doctor", "--unknown"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_reported_in_one_line_with_code_2(
    capfd: pytest.CaptureFixture[str], work: Work, arguments: list[str]
) -> None:
    if arguments[0] == "process":
        arguments = [*arguments, "--model", str(work.model)]
    assert cli.main(arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(stderr_lines(captured.err)) == 1


def test_without_a_display_the_window_names_the_commands() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    done = subprocess.run(
        program(), capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "process" in done.stderr


def test_commands_go_to_the_command_line_and_files_to_the_window(
    monkeypatch: pytest.MonkeyPatch, work: Work
) -> None:
    from ui import entry

    windows: list[Sequence[str]] = []
    commands: list[Sequence[str]] = []
    monkeypatch.setattr(entry, "_open_window", lambda given: windows.append(given) or 0)
    monkeypatch.setattr(cli, "main", lambda given: commands.append(given) or 0)
    for arguments in ([], [str(work.clip)], ["0"], ["http://a/b"], ["--model", "x.onnx"]):
        entry.main(arguments)
    assert len(windows) == 5
    for arguments in (["process", "x"], ["--help"], ["proces"], ["doctor"], ["--version"]):
        entry.main(arguments)
    assert len(commands) == 5


def test_a_missing_file_is_reported_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from ui import entry

    for name in ("dance.mp4", str(tmp_path / "dance"), str(tmp_path / "take.npz")):
        assert entry.main([name]) == 3
        assert stderr_lines(capfd.readouterr().err) == [f"pymaf-live: there is no file {name}"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (EOFError("No data left in file"), "EOFError: No data left in file"),
        (BrokenPipeError(32, "Broken pipe"), "BrokenPipeError"),
        (ConnectionResetError(104, "gone"), "ConnectionResetError"),
        (RuntimeError("strange"), "RuntimeError: strange"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_an_unexpected_error_is_reported(
    work: Work,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
    error: Exception,
    message: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("pymaf_live.workflows.process.process", fail)
    code, _, lines = run(work.clip, "--out", tmp_path / "out")
    assert code == 1
    assert len(lines) == 1
    assert message in lines[0]


def test_a_reader_that_closes_the_output_causes_no_error(work: Work, tmp_path: Path) -> None:
    with subprocess.Popen(
        program("export", "--help"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == b""
        assert running.wait(60) in (0, 1)
