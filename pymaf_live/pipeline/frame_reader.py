"""Reads decoded frames for inference, in files also ahead of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pymaf_live.system.bounded_queue import BoundedQueue
from pymaf_live.types import Frame, SourceFacts

QUEUED_FRAMES = 6
"""Maximum number of frames of a file that wait between two threads, to even out their times."""
READ_AHEAD_FRAMES = 11
"""Maximum number of frames of a file that are decoded before inference needs them; detection of
several people in a later frame takes about as long as inference on these frames."""
_QUEUED_BYTES = 32 << 20
"""Memory limit of those frames; large images wait one by one."""
_POLL_S = 0.1
"""Interval at which the reader returns without a frame, so that the caller can do other work."""

DecodedFrame = tuple[Frame, float]
"""Frame and its decoding time in milliseconds."""


def queue_capacity(facts: SourceFacts, limit: int = QUEUED_FRAMES) -> int:
    """Return how many frames of a source may wait between two threads: `limit`, fewer if large."""
    if facts.size is None:
        return 1
    width, height = facts.size
    return max(1, min(limit, _QUEUED_BYTES // max(3 * width * height, 1)))


class FrameReader:
    """Takes frames from the decoder's queue; can look ahead without losing their order.

    Parameters
    ----------
    queue : BoundedQueue
    facts : SourceFacts
    """

    def __init__(self, queue: BoundedQueue[DecodedFrame], facts: SourceFacts) -> None:
        self._queue, self._facts = queue, facts
        self._upcoming: deque[DecodedFrame] = deque()

    @property
    def ended(self) -> bool:
        """Return True once no further frame will come."""
        return self._queue.ended and not self._upcoming

    def poll(self) -> DecodedFrame | None:
        """Return the next frame; None if none arrives soon or at the end (`ended`).

        Raises
        ------
        BaseException
            The decoder's error, after the frames that came before it.
        """
        return self._upcoming.popleft() if self._upcoming else self._queue.get(_POLL_S)

    def decoded(self) -> list[Frame]:
        """Return all upcoming frames that are decoded already, in order."""
        return [frame for frame, _ in (*self._upcoming, *self._queue.snapshot())]

    def read_ahead(self, count: int, interrupted: Callable[[], bool]) -> list[Frame]:
        """Wait until `count` upcoming frames are decoded, and return them; fewer if they are large.

        Returns early at the end of the source or when `interrupted` returns True.
        """
        # of large images only as many as keep two inference requests busy
        limit = min(count, max(2, queue_capacity(self._facts, count)))
        while len(self._upcoming) < limit and not self._queue.ended and not interrupted():
            try:
                item = self._queue.get(_POLL_S)
            except BaseException:
                break  # raised again once its turn comes
            if item is not None:
                self._upcoming.append(item)
        return [frame for frame, _ in self._upcoming]
