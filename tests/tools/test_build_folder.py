"""Parts of the folder that runs without installation; building all of it takes minutes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tools import build_folder

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the folder is for Linux"
)
LINUX = ROOT / "tools" / "linux"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files beside Python, at an odd place."""
    return Path(shutil.copytree(LINUX, tmp_path / "my 🕺 `apps` 100% $HOME"))


def test_the_program_starts_from_any_place_without_the_users_packages(folder: Path) -> None:
    (folder / "usr" / "bin").mkdir(parents=True)
    python = folder / "usr" / "bin" / "python3"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "${PYTHONPATH-none}" "$PYTHONNOUSERSITE" "$@"\n')
    python.chmod(0o755)
    link = folder.parent / "link"
    link.symlink_to(folder / "AppRun")
    done = subprocess.run(
        [link, "process", "a b.mp4"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": "/elsewhere"},
    )
    assert done.stdout.splitlines() == [
        "none", "1", "-P", "-m", "pymaf_live", "process", "a b.mp4",
    ]  # fmt: skip


def test_the_menu_entry_names_the_place_and_can_be_removed(folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    subprocess.run([folder / "add-to-menu"], check=True, env=environment)
    entry = tmp_path / "data" / "applications" / "pymaf-live.desktop"
    quoted = str(folder).replace("`", r"\\`").replace("$", r"\\$").replace("%", "%%")
    assert f'Exec="{quoted}/AppRun" %f' in entry.read_text().splitlines()
    assert "application/x-pymaf-live-take" in entry.read_text()
    packages = tmp_path / "data" / "mime" / "packages"
    assert (packages / "pymaf-live-take.xml").is_file()
    subprocess.run([folder / "add-to-menu", "--remove"], check=True, env=environment)
    assert not entry.exists()
    assert not (packages / "pymaf-live-take.xml").exists()


def test_licences_of_all_packages_are_collected(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / f"python{build_folder._VERSION}" / "site-packages"
    for name, files in {
        "one-1.0": ["licenses/GPL"],
        "two-2.0": ["COPYING.txt"],
        "three-3": [],
    }.items():
        for file in ["METADATA", "RECORD", *files]:
            path = packages / f"{name}.dist-info" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
    assert build_folder.copy_licences(tmp_path, tmp_path / "out") == 2
    found = {
        str(each.relative_to(tmp_path / "out"))
        for each in (tmp_path / "out").rglob("*")
        if each.is_file()
    }
    assert found == {
        "LICENSE", "THIRD_PARTY.md", "one-1.0/METADATA", "one-1.0/licenses/GPL",
        "two-2.0/METADATA", "two-2.0/COPYING.txt", "three-3/METADATA",
    }  # fmt: skip
