"""Turn files and folders that were opened together into sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pymaf_live.errors import InputError
from ui.state.source import SourceChoice

_VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("mp4", "mov", "m4v", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts"),
        *("wmv", "3gp", "ogv", "flv", "gif"),
    )
)
_MAX_SOURCES = 1000


def choices_of(paths: Sequence[Path]) -> tuple[SourceChoice, ...]:
    """Return the sources in the given files and folders, in their order.

    A folder of images is one source; a folder of videos is one source per video. Single files
    are accepted whatever their ending. Reads folders: call it in a thread.

    Raises
    ------
    InputError
        If there are no videos and no images.
    """
    found: list[SourceChoice] = []
    for path in paths:
        found += _in_folder(path) if path.is_dir() else [SourceChoice.from_path(path)]
    if not found:
        raise InputError(f"there are no videos and no images in {paths[0]}")
    return tuple(found[:_MAX_SOURCES])


def _in_folder(folder: Path) -> list[SourceChoice]:
    from pymaf_live.sources.images import has_image_name, natural_order  # loads OpenCV

    try:
        files = [path for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from error
    is_video = [path.suffix.lower() in _VIDEO_SUFFIXES for path in files]
    videos = sorted((p for p, v in zip(files, is_video, strict=True) if v), key=natural_order)
    images = any(has_image_name(p) for p, v in zip(files, is_video, strict=True) if not v)
    return ([SourceChoice.from_path(folder)] if images else []) + [
        SourceChoice.from_path(video) for video in videos
    ]
