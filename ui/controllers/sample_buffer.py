"""Decoded sound around the position of the playback."""

from __future__ import annotations

import numpy as np

from pymaf_live.sources.sound import SAMPLE_RATE, Samples

_TOLERANCE = 0.002
"""Seconds by which a position may lie before the buffer."""
_MERGE_COUNT = SAMPLE_RATE // 4


class SampleBuffer:
    """A few seconds of decoded samples around the position.

    Not thread-safe.
    """

    AHEAD = 1.5
    """Seconds that are decoded ahead."""
    _BEHIND = 0.5
    """Seconds that are kept behind the newest request."""

    def __init__(self) -> None:
        self._samples = np.zeros((0, 2), np.float32)
        self._start: float | None = None
        """Position of the first sample, seconds; None before anything is decoded."""
        self._pending: list[Samples] = []
        """Blocks behind `_samples`; joining each at once would copy everything every time."""
        self._pending_count = 0
        self._ended = False

    def restart(self, position: float) -> None:
        """Forget everything; the next block begins about at a position."""
        self._samples = np.zeros((0, 2), np.float32)
        self._pending, self._pending_count = [], 0
        self._start, self._ended = position, False

    def append(self, position: float, samples: Samples) -> bool:
        """Add a block; an overlap is cut, a gap before it becomes silence.

        Returns
        -------
        bool
            False if the gap is so long that only silence was added: the block is to be given again.
        """
        if self._start is None or (position < self._start and not self._count):
            self._start = position
        gap = round((position - self._stop) * SAMPLE_RATE)
        if gap > 1:
            silence = np.zeros((min(gap, SAMPLE_RATE), 2), np.float32)
            self._add(silence)
            if len(silence) < gap:
                return False
        elif gap < -1:
            samples = samples[-gap:]
        self._add(samples)
        return True

    def end(self) -> None:
        """Take note that nothing follows."""
        self._merge()
        self._ended = True

    def runs_low(self, position: float) -> bool:
        """Return True if more has to be decoded for a position."""
        return not self._ended and self._stop < position + self.AHEAD

    def place_to_decode(self, position: float | None) -> float | None:
        """Return the place to decode from if the buffer does not reach a position; else None."""
        if position is None:
            return None
        reached = self._ended or position <= self._stop + self.AHEAD
        if self._start is not None and self._start - 1e-3 <= position and reached:
            return None
        return max(0.0, position)

    def read(self, position: float, step: float, count: int) -> Samples | None:
        """Return samples at a position and then every `step` seconds, linearly interpolated.

        None where they are not decoded yet; silence behind the end.
        """
        if self._start is None:
            return None
        places = ((position - self._start) + np.arange(count) * step) * SAMPLE_RATE
        if places[-1] >= len(self._samples) - 1:
            self._merge()
            if places[-1] >= len(self._samples) - 1 and not self._ended:
                return None
        if places[0] < -_TOLERANCE * SAMPLE_RATE:
            return None
        before = np.maximum(places.astype(np.int64), 0)
        first, last = int(before[0]), int(before[-1])
        window = self._samples[first : last + 2]
        missing = last + 2 - first - len(window)
        if missing:
            window = np.concatenate([window, np.zeros((missing, 2), np.float32)])
        share = np.maximum(places - before, 0.0).astype(np.float32)[:, None]
        before -= first
        samples: Samples = window[before] * (1 - share) + window[before + 1] * share
        self._drop_before(position - self._BEHIND)
        return samples

    @property
    def _count(self) -> int:
        return len(self._samples) + self._pending_count

    @property
    def _stop(self) -> float:
        return (self._start or 0.0) + self._count / SAMPLE_RATE

    def _add(self, samples: Samples) -> None:
        self._pending.append(samples)
        self._pending_count += len(samples)
        if self._pending_count > _MERGE_COUNT:
            self._merge()

    def _merge(self) -> None:
        if self._pending:
            self._samples = np.concatenate([self._samples, *self._pending])
            self._pending, self._pending_count = [], 0

    def _drop_before(self, position: float) -> None:
        drop = int((position - (self._start or 0.0)) * SAMPLE_RATE)
        if self._start is not None and drop > _MERGE_COUNT:
            self._samples = self._samples[drop:]
            self._start += drop / SAMPLE_RATE
