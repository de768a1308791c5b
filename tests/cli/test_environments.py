"""Unusual surroundings: other start commands, odd paths, no home, nothing to write to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pymaf_live import __version__
from pymaf_live.takes import read_take
from tests.cli.helpers import Work, program, stderr_lines
from tests.helpers.paths import ROOT


def test_the_package_can_be_started_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pymaf_live", "--version"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout.split()[-1], done.stderr) == (0, __version__, "")


def test_another_package_of_the_windows_name_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "__init__.py").touch()
    (tmp_path / "ui" / "entry.py").write_text("def run(): raise SystemExit('another ui')")
    done = subprocess.run(
        [sys.executable, "-m", "pymaf_live", "--version"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        check=False,
    )
    assert (done.returncode, done.stdout.split()[-1], done.stderr) == (0, __version__, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs its folders' variables")
def test_two_instances_without_a_home_in_an_odd_folder(work: Work, tmp_path: Path) -> None:
    folder = tmp_path / "my 🕺 clips; $HOME"
    folder.mkdir()
    (folder / "walk.mp4").write_bytes(work.clip.read_bytes())
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME")
    }
    # neither a data folder that can be written nor a proxy that answers
    environment |= {"XDG_DATA_HOME": "/proc/nothing", "https_proxy": "http://127.0.0.1:9"}
    names = ("first ✨", "second")
    options = ["--boxes", work.boxes, "--model", work.model, "--no-overlay", "--export", "npz"]
    running = [
        subprocess.Popen(
            program("process", folder / "walk.mp4", "--out", folder / name, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for name in names
    ]
    for process, name in zip(running, names, strict=True):
        _, err = process.communicate(timeout=120)
        lines = stderr_lines(err)
        assert process.returncode == 0, err
        assert all("could not be recovered" in line for line in lines)
        assert len(read_take(folder / name / "walk.npz").frame_time) == work.frames


_READ_ONLY = """
for folder in "$ROOT" "$SITE"; do
    mount --bind "$folder" "$folder" && mount -o remount,ro,bind "$folder" || exit 99
    ! touch "$folder/written" 2>/dev/null || exit 98
done
cd "$WORK" && exec "$@"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_read_only_installation_without_a_home(work: Work, tmp_path: Path) -> None:
    own = {"ROOT": str(ROOT), "SITE": str(Path(np.__file__).parents[1]), "WORK": str(tmp_path)}
    environment = own | {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    environment["XDG_DATA_HOME"] = "/proc/nothing"
    options = ["--boxes", work.boxes, "--model", work.model, "--export", "npz"]
    command = program("process", work.clip, "--out", tmp_path / "out", *options)
    namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c", _READ_ONLY, "sh"]
    done = subprocess.run(
        [*namespace, *command],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    if "unshare failed" in done.stderr or done.returncode == 99:
        pytest.skip("namespaces may not be made here")
    assert done.returncode == 0, done.stderr
    assert len(read_take(tmp_path / "out" / "walk.npz").frame_time) == work.frames
    assert (tmp_path / "out" / "walk_overlay.mp4").is_file()
    assert all("could not be recovered" in line for line in stderr_lines(done.stderr))
