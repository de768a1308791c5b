"""Numbered images that are the frames of a video."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.sources.images import has_image_name, natural_order, read_image
from pymaf_live.types import Frame, SourceFacts

_NUMBER = re.compile(r"%(0\d{1,2})?d")


class ImageSequenceSource:
    """Images of one size at a constant rate, in the given order.

    An unreadable image is listed in `failures` and leaves a gap of its duration.

    Parameters
    ----------
    paths : sequence of Path
        At least one file.
    rate : Fraction
        Images per second.
    name : str
        Name of the source.
    loop : bool
        Start again at the end, forever.

    Raises
    ------
    InputError
        If no image can be read.
    """

    def __init__(
        self, paths: Sequence[Path], rate: Fraction, *, name: str, loop: bool = False
    ) -> None:
        self._paths = list(paths)
        self._rate = rate
        self._loop = loop
        self._closed = threading.Event()
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self.facts = SourceFacts(
            kind="video",
            name=name,
            size=self._first_size(name),
            frame_rate=rate,
            frame_count=None if loop else len(self._paths),
            duration=None if loop else float(len(self._paths) / rate),
            live=False,
        )

    def frames(self) -> Iterator[Frame]:
        """Yield the images in order; see `Source.frames`."""
        index = shown = 0
        while True:
            for path in self._paths:
                if self._closed.is_set():
                    return
                seconds = float(shown / self._rate)
                shown += 1
                try:
                    image = read_image(path)
                except InputError as error:
                    if shown <= len(self._paths):
                        self.failures.append((path.name, str(error)))
                    continue
                yield Frame(index, seconds, image, path.name, time.monotonic())
                index += 1
            if not self._loop:
                return

    def again(self) -> ImageSequenceSource:
        """Return a new source of the same images."""
        return ImageSequenceSource(self._paths, self._rate, name=self.facts.name, loop=self._loop)

    def close(self) -> None:
        """End `frames()`."""
        self._closed.set()

    def _first_size(self, name: str) -> tuple[int, int]:
        for path in self._paths:
            try:
                height, width = read_image(path).shape[:2]
            except InputError:
                continue
            return width, height
        raise InputError(f"none of the images of {name} can be read")


def numbered_files(pattern: str) -> list[Path] | None:
    """Return the images of a pattern with a number, such as ``shots/%04d.png``, in its order.

    Returns
    -------
    list of Path or None
        None if the text has no such number in its last part.
    """
    path = Path(pattern)
    found = _NUMBER.search(path.name)
    if found is None:
        return None
    digits = int(found.group(1) or 0)
    before, after = path.name[: found.start()], path.name[found.end() :]
    number = rf"\d{{{digits},}}" if digits else r"\d+"
    name = re.compile(f"{re.escape(before)}({number}){re.escape(after)}")
    try:
        files = [each for each in path.parent.iterdir() if name.fullmatch(each.name)]
    except OSError:
        return []
    return sorted(filter(has_image_name, files), key=natural_order)
