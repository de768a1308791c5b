"""A file's pictures at any time, for looking at a take and for measuring parts of it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.sources.video import FALLBACK_RATE, VideoSource
from pymaf_live.types import Frame, Image

_FORWARD_SECONDS = 2.0
"""How far ahead the film is read on; beyond that seeking is quicker."""


class FilmPictures:
    """Gives the picture of a video file at a time; quick where the times go forward.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If nothing in it can be decoded as video.
    """

    def __init__(self, path: Path) -> None:
        self._source = VideoSource(path)
        self._interval = float(1 / (self._source.facts.frame_rate or FALLBACK_RATE))
        self._frames: Iterator[Frame] | None = None
        self._frame: Frame | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the upright pictures."""
        return self._source.facts.size

    def at(self, seconds: float) -> Image | None:
        """The picture shown at a time, (H, W, 3) RGB; None where there is none near it.

        Raises
        ------
        InputError
            If the file cannot be read any more.
        """
        earliest = seconds - self._interval / 4
        frame = self._frame
        if frame is None or not earliest - _FORWARD_SECONDS <= frame.time <= seconds + 1e-6:
            frame = self._sought(seconds)
        while frame is not None and frame.time < earliest:
            frame = self._next()
        near = frame is not None and abs(frame.time - seconds) <= 2 * self._interval
        return frame.image if frame is not None and near else None

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()
        self._forget()

    def _sought(self, seconds: float) -> Frame | None:
        frame: Frame | None = None
        for start in (seconds, 0.0):  # some files' tables lead past the place
            self._forget()
            self._frames = self._source.frames_from(start)
            frame = self._next()
            if frame is not None and frame.time <= seconds + self._interval / 4:
                return frame
        return frame

    def _next(self) -> Frame | None:
        self._frame = next(self._frames, None) if self._frames is not None else None
        return self._frame

    def _forget(self) -> None:
        if self._frames is not None:
            close = getattr(self._frames, "close", None)
            if close is not None:
                close()
        self._frames = self._frame = None


class FolderPictures:
    """Gives pictures of a folder, or a single one, by their names.

    Parameters
    ----------
    path : Path
        The folder or the picture.

    Raises
    ------
    InputError
        If there is neither.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise InputError(f"there is no file or folder {path}")
        self._folder = path if path.is_dir() else path.parent

    def named(self, name: str) -> Image | None:
        """The picture of that name; None where it is not there or cannot be read."""
        from pymaf_live.sources.pictures import read_picture

        # a name in a take is not trusted to stay within the folder
        path = self._folder / Path(name).name
        try:
            return read_picture(path)
        except (InputError, OSError):
            return None

    def close(self) -> None:
        """Nothing is held."""
