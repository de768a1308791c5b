"""The command `doctor`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pymaf_live.cli import app as cli
from tests.cli.helpers import program


def test_the_exit_code_follows_the_checks(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = cli.main(["doctor", "--json"])
    report = json.loads(capfd.readouterr().out)
    assert report["exit_code"] == code
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert states["body"] == "ok"
    assert {"rendering", "window", "camera", "person detector"} <= set(states)
    assert all(check["remedy"] for check in report["checks"] if check["state"] != "ok")
    broken = [name for name, state in states.items() if state == "broken"]
    assert bool(broken) == (code != 0)


def test_a_missing_system_library_is_reported_with_its_remedy(tmp_path: Path) -> None:
    """OpenCV's wheel does not load on a bare server, which lacks libGL."""
    broken = tmp_path / "cv2"
    broken.mkdir()
    reason = "libGL.so.1: cannot open shared object file: No such file or directory"
    (broken / "__init__.py").write_text(f"raise ImportError({reason!r})")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    image = tmp_path / "a.png"
    image.write_bytes(b"x")

    def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            program(*arguments),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    done = run_program("process", str(image), "--out", str(tmp_path / "out"))
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert "libGL.so.1" in done.stderr
    assert "doctor" in done.stderr
    checked = run_program("doctor")
    assert checked.returncode == 5
    assert "apt install libgl1" in checked.stdout
