"""Position of the playback, estimated from the images that were shown."""

from __future__ import annotations

_SHARE = 0.15
"""Weight of a new observation in the smoothed position."""
_SEEK_SECONDS = 0.5
"""Deviation that is a seek or a repetition at once."""
_SHIFT_SECONDS = 0.08
"""Deviation that is a shift when two observations in a row agree on it."""
_STALL_SECONDS = 1.0
"""Time without an image after which the playback is taken to stand still."""


class PlaybackClock:
    """Position in the file at any moment; images arrive with jitter, sound must not.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        """Position minus speed times `time.monotonic()`."""
        self._speed = 1.0
        self._observed_at = 0.0
        self._suspicion: float | None = None
        """Deviation of the last observation, if it was large."""

    def observe(self, position: float, now: float, speed: float) -> None:
        """Take note of an image.

        Parameters
        ----------
        position : float
            Its time in the file, seconds.
        now : float
            `time.monotonic()` at which it becomes visible.
        speed : float
            Playback speed.
        """
        if speed != self._speed:
            self._offset, self._speed = None, speed
        offset = position - speed * now
        self._observed_at = now
        if self._offset is None:
            self._offset, self._suspicion = offset, None
            return
        deviation = offset - self._offset
        before, self._suspicion = self._suspicion, None
        if abs(deviation) > _SEEK_SECONDS:
            self._offset = offset
        elif abs(deviation) > _SHIFT_SECONDS:
            if before is not None and abs(deviation - before) < _SHIFT_SECONDS:
                self._offset = offset
            else:  # one late image is none of the sound's business
                self._suspicion = deviation
        else:
            self._offset += _SHARE * deviation

    def stop(self) -> None:
        """Forget the position: the playback is paused or closed."""
        self._offset = None

    def position(self, now: float) -> float | None:
        """Return the position at a moment of `time.monotonic()`; None while nothing plays."""
        if self._offset is None or now - self._observed_at > _STALL_SECONDS:
            return None
        return self._offset + self._speed * now

    @property
    def speed(self) -> float:
        """Playback speed."""
        return self._speed
