"""A take in the making: filled in the inference thread, watched from the window's."""

from __future__ import annotations

import threading

from pymaf_live.errors import InputError, PymafLiveError
from pymaf_live.recording import Recording
from pymaf_live.types import FrameResult, Take


class LiveRecording:
    """Adds results to a recording until it is stopped.

    Parameters
    ----------
    recording : Recording
    model : str
        Name of the network's model, for the record.
    """

    def __init__(self, recording: Recording, model: str) -> None:
        self._recording = recording
        self._model = model
        self._lock = threading.Lock()
        self._stopped = False
        self.rows = 0
        """People times frames."""
        self.failure: PymafLiveError | None = None
        """Why it stopped by itself, such as a picture of another size."""

    @property
    def seconds(self) -> float:
        """Between the first and the last recorded frame, by the source's own stamps."""
        return self._recording.seconds

    def add(self, result: FrameResult) -> None:
        """Record a result; called in the inference thread, so errors are kept, not raised."""
        with self._lock:
            if self._stopped:
                return
            before = self._recording.frames
            try:
                self._recording.add(result, self._model)
            except PymafLiveError as error:
                self.failure = error
                self._stopped = True
                return
            if self._recording.frames > before:
                self.rows += len(result.people)

    def stop(self) -> None:
        """Add nothing more."""
        with self._lock:
            self._stopped = True

    def take(self) -> Take:
        """What was recorded.

        Raises
        ------
        InputError
            If no frame came.
        """
        with self._lock:
            take = self._recording.take()
        if take is None:
            raise InputError("nothing was recorded: no frame came")
        return take
