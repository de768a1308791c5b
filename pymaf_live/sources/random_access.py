"""Images of a source in any order, for reviewing and re-estimating a take."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.sources.video import FALLBACK_RATE, VideoSource
from pymaf_live.types import Frame, Image

_MAX_FORWARD_SECONDS = 2.0
"""Distance up to which the video is decoded forward; beyond it seeking is faster."""


class VideoFrames:
    """Frames of a video file by time; fast where the times increase.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If nothing in the file can be decoded as video.
    """

    def __init__(self, path: Path) -> None:
        self._source = VideoSource(path)
        self._interval = float(1 / (self._source.facts.frame_rate or FALLBACK_RATE))
        self._frames: Generator[Frame, None, None] | None = None
        self._frame: Frame | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the upright frames."""
        return self._source.facts.size

    def at(self, seconds: float) -> Image | None:
        """Return the frame shown at a time, (H, W, 3) RGB; None where there is none nearby.

        Raises
        ------
        InputError
            If the file can no longer be read.
        """
        earliest = seconds - self._interval / 4
        frame = self._frame
        if frame is None or not earliest - _MAX_FORWARD_SECONDS <= frame.time <= seconds + 1e-6:
            frame = self._seek(seconds)
        while frame is not None and frame.time < earliest:
            frame = self._next()
        near = frame is not None and abs(frame.time - seconds) <= 2 * self._interval
        return frame.image if frame is not None and near else None

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        self._close_frames()

    def _seek(self, seconds: float) -> Frame | None:
        frame: Frame | None = None
        for start in (seconds, 0.0):  # the seek tables of some files lead past the position
            self._close_frames()
            self._frames = self._source.frames_from(start)
            frame = self._next()
            if frame is not None and frame.time <= seconds + self._interval / 4:
                return frame
        return frame

    def _next(self) -> Frame | None:
        self._frame = next(self._frames, None) if self._frames is not None else None
        return self._frame

    def _close_frames(self) -> None:
        if self._frames is not None:
            self._frames.close()
        self._frames = self._frame = None


class ImageFolder:
    """Images of a folder, or a single image, by file name.

    Parameters
    ----------
    path : Path
        The folder or the image.

    Raises
    ------
    InputError
        If it does not exist.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise InputError(f"there is no file or folder {path}")
        self._folder = path if path.is_dir() else path.parent

    def named(self, name: str) -> Image | None:
        """Return the image with that file name; None where it is missing or cannot be read."""
        from pymaf_live.sources.images import read_image

        # a name stored in a take is not trusted to stay within the folder
        path = self._folder / Path(name).name
        try:
            return read_image(path)
        except (InputError, OSError):
            return None

    def close(self) -> None:
        """Do nothing: no file is open between two images."""
