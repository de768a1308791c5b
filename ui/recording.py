"""A take in the making: filled in the inference thread, watched from the window's."""

from __future__ import annotations

import threading

from pymaf_live.errors import PymafLiveError
from pymaf_live.takes import TakeRecorder
from pymaf_live.types import FrameResult, Take


class Recording:
    """Adds results to a recorder until it is stopped.

    Parameters
    ----------
    recorder : TakeRecorder
    """

    def __init__(self, recorder: TakeRecorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._stopped = False
        self._first: float | None = None
        self._last = 0.0
        self.rows = 0
        self.failure: PymafLiveError | None = None
        """Why it stopped by itself, such as a picture of another size."""

    @property
    def seconds(self) -> float:
        """Between the first and the last recorded frame, by the source's own stamps."""
        return 0.0 if self._first is None else self._last - self._first

    def add(self, result: FrameResult) -> None:
        """Record a result; called in the inference thread, so errors are kept, not raised."""
        with self._lock:
            if self._stopped:
                return
            try:
                if not self._recorder.add(result):
                    return
            except PymafLiveError as error:
                self.failure = error
                self._stopped = True
                return
            if self._first is None:
                self._first = result.frame.time
            self._last = result.frame.time
            self.rows += len(result.people)

    def stop(self) -> None:
        """Add nothing more."""
        with self._lock:
            self._stopped = True

    def take(self) -> Take:
        """What was recorded."""
        with self._lock:
            return self._recorder.take()
