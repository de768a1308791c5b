"""What every source of frames offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pymaf_live.types import Frame, SourceFacts


class Source(Protocol):
    """Where frames come from: a video, pictures, a camera or a stream.

    One thread iterates over `frames()`; `close()` may be called from any thread.
    """

    @property
    def facts(self) -> SourceFacts:
        """What is known before the first frame."""
        ...

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Inputs that could not be read without ending the run: (name, one line why).

        Grows while `frames()` is iterated; only sources of several pictures ever fill it.
        """
        ...

    @property
    def notices(self) -> list[str]:
        """Lines worth telling the user that are no errors, such as a camera opened again.

        Grows while `frames()` is iterated.
        """
        ...

    def frames(self) -> Iterator[Frame]:
        """Frames in order, with strictly rising times.

        Blocks until the next frame is there. Ends at the end of the source and after `close()`.

        Raises
        ------
        InputError
            If the source cannot be read (any further).
        """
        ...

    def close(self) -> None:
        """End `frames()`, at once and for good. Any thread, any number of times."""
        ...
