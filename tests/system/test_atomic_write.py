"""Atomic writes: a name never holds an incomplete file, nor replaces another program's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pymaf_live.errors import OutputExistsError
from pymaf_live.system.atomic_write import atomic_folder, atomic_write


def write_late(target: Path, *, force: bool = False) -> None:
    """Write a file while another program writes it first, after the check at the start."""
    with atomic_write(target, force=force) as temporary:
        temporary.write_text("second")
        target.write_text("first")


def write_folder_late(target: Path) -> None:
    """Write a folder while another program makes it first."""
    with atomic_folder(target, force=False) as temporary:
        (temporary / "1.png").write_text("second")
        target.mkdir()
        (target / "1.png").write_text("first")


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "take.npz"
    with pytest.raises(OutputExistsError):
        write_late(target)
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_kept_on_a_file_system_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "take.npz"
    with pytest.raises(OutputExistsError):
        write_late(target)
    assert target.read_text() == "first"
    with atomic_write(tmp_path / "other.npz", force=False) as temporary:
        temporary.write_text("third")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.npz", "take.npz"]


def test_force_replaces_a_file_that_appears_meanwhile(tmp_path: Path) -> None:
    target = tmp_path / "take.npz"
    write_late(target, force=True)
    assert target.read_text() == "second"


def test_a_folder_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "masks"
    with pytest.raises(OutputExistsError):
        write_folder_late(target)
    assert (target / "1.png").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("letter", ["a", "ä", "🕺"])
def test_the_longest_names_can_be_written(tmp_path: Path, letter: str) -> None:
    stem = letter * (250 // len(letter.encode()))
    with atomic_write(tmp_path / f"{stem}.npz") as temporary:
        temporary.write_text("x")
        assert temporary.suffix == ".npz"
    with atomic_folder(tmp_path / stem) as folder:
        assert folder.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {stem, f"{stem}.npz"}
