"""Ctrl-C and SIGTERM as a request to finish cleanly."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StopRequest:
    """Turns the first SIGINT or SIGTERM into a request, and the second into `KeyboardInterrupt`.

    A context manager: it replaces the handlers of both signals while it is entered. Signals reach
    only a program's main thread, so in any other thread it changes nothing.

    Parameters
    ----------
    announcement : str
        Text written to stderr at the first signal; nothing if empty.

    Examples
    --------
    >>> with StopRequest() as stop:
    ...     stop.requested
    False
    """

    def __init__(self, announcement: str = "") -> None:
        self._announcement = announcement.encode()
        self._requested = False
        self._previous_handlers: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """True once a signal has arrived."""
        return self._requested

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous_handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        if self._announcement:
            # print() is not reentrant: a handler may interrupt another print()
            os.write(sys.stderr.fileno(), self._announcement)
