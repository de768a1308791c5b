"""Interface of every source of frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pymaf_live.types import Frame, SourceFacts


class Source(Protocol):
    """Video, image folder, camera or stream that yields frames.

    One thread iterates over `frames()`; `close()` may be called from any thread. A source may also
    have `trouble` (str, why no frame arrives at the moment), `read_seconds` (float, time that
    reading the last frame took, without waiting for it) and `again()` (a new source of the same
    frames from the beginning, of files that can be read twice).
    """

    @property
    def facts(self) -> SourceFacts:
        """Facts that are known before the first frame."""
        ...

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Images that could not be read, and the reason in one line; they do not end the run.

        Grows while `frames()` is iterated; only sources of several images fill it.
        """
        ...

    @property
    def notices(self) -> list[str]:
        """Lines for the user that are not errors, such as a camera that was opened again.

        Grows while `frames()` is iterated.
        """
        ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames in order, with strictly increasing times.

        Blocks until the next frame arrives. Ends at the end of the source and after `close()`.

        Raises
        ------
        InputError
            If the source cannot be read (any longer).
        """
        ...

    def close(self) -> None:
        """End `frames()` at once and for good; from any thread, any number of times."""
        ...
