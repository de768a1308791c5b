"""What a person means by files and folders given together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pymaf_live.errors import InputError
from ui.state.source import SourceChoice

_FILMS = frozenset(
    f".{ending}"
    for ending in (
        *("mp4", "mov", "m4v", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts"),
        *("wmv", "3gp", "ogv", "flv", "gif"),
    )
)
_MOST = 1000


def choices_of(paths: Sequence[Path]) -> tuple[SourceChoice, ...]:
    """Sources in the order given; reads folders, so not in the window's thread.

    A folder of pictures is one source, a folder of films as many as it has films. Single files
    are taken whatever they are called.

    Raises
    ------
    InputError
        If there is nothing in it to be looked at.
    """
    found: list[SourceChoice] = []
    for path in paths:
        found += _in_folder(path) if path.is_dir() else [_file(path)]
    if not found:
        raise InputError(f"there are no films and no pictures in {paths[0]}")
    return tuple(found[:_MOST])


def _in_folder(folder: Path) -> list[SourceChoice]:
    from pymaf_live.sources.images import has_image_name, natural_order  # loads OpenCV

    try:
        inside = [path for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from error
    films = sorted((p for p in inside if p.suffix.lower() in _FILMS), key=natural_order)
    pictures = any(has_image_name(p) and p.suffix.lower() not in _FILMS for p in inside)
    return ([_file(folder)] if pictures else []) + [_file(film) for film in films]


def _file(path: Path) -> SourceChoice:
    return SourceChoice("file", str(path), path.name or str(path))
