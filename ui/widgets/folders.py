"""Folders in which file dialogs start: where a file was last chosen, never the program's own."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QStandardPaths

_last: dict[str, Path] = {}
"""Folder of the last choice by the kind of file."""


def default_folder() -> Path:
    """Return the user's folder for videos, or the home folder."""
    where = QStandardPaths.StandardLocation.MoviesLocation
    movies = Path(QStandardPaths.writableLocation(where) or Path.home())
    return movies if movies.is_dir() else Path.home()


def start_folder(kind: str) -> str:
    """Return the folder in which a dialog for a kind of file starts."""
    last = _last.get(kind)
    return str(last if last is not None and last.is_dir() else default_folder())


def remember_folder(kind: str, chosen: str) -> None:
    """Start the next dialog of this kind where a file was chosen; empty: it was cancelled."""
    if chosen:
        _last[kind] = Path(chosen).parent
