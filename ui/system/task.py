"""Progress and cancellation of one background task."""

from __future__ import annotations

import threading
import time

from pymaf_live.errors import Interrupted

_ESTIMATE_AFTER = 1.0
"""Seconds of work before the remaining time can be estimated."""


class Task:
    """`Reporter` of a background task: written by its thread, read by the window's.

    Parameters
    ----------
    title : str
        What the task does, for the status line.
    can_cancel : bool
        Offer to cancel it.
    """

    def __init__(self, title: str = "", *, can_cancel: bool = False) -> None:
        self.title = title
        self.can_cancel = can_cancel
        self.fraction: float | None = None
        """0..1; None while the length of the work is unknown."""
        self.detail = ""
        """Current step, such as the name of the file."""
        self.messages: list[str] = []
        self._started: float | None = None
        self._first_fraction = 0.0
        """Fraction at that time; more than 0 where earlier work is continued."""
        self._cancelled = threading.Event()
        self._abandoned = threading.Event()

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """See `Reporter.progress`.

        Raises
        ------
        Interrupted
            If the task was abandoned.
        """
        self._raise_if_abandoned()
        # from the first report on, since loading the models says nothing about the rate; again
        # where another step starts from 0
        if self._started is None or (fraction or 0.0) < (self.fraction or 0.0):
            self._started, self._first_fraction = time.monotonic(), fraction or 0.0
        self.fraction, self.detail = fraction, detail

    def message(self, text: str) -> None:
        """See `Reporter.message`."""
        self.messages.append(text)

    def cancelled(self) -> bool:
        """See `Reporter.cancelled`.

        Raises
        ------
        Interrupted
            If the task was abandoned.
        """
        self._raise_if_abandoned()
        return self._cancelled.is_set()

    @property
    def stopping(self) -> bool:
        """True once the task was cancelled or abandoned."""
        return self._cancelled.is_set() or self._abandoned.is_set()

    @property
    def seconds_left(self) -> float | None:
        """Remaining time at the rate so far; None until it can be estimated."""
        fraction = self.fraction
        elapsed = 0.0 if self._started is None else time.monotonic() - self._started
        done = (fraction or 0.0) - self._first_fraction
        if not fraction or done <= 0 or elapsed < _ESTIMATE_AFTER:
            return None
        return elapsed * (1 - fraction) / done

    def cancel(self) -> None:
        """Ask the task to finish early; what it keeps is up to the workflow."""
        self._cancelled.set()

    def abandon(self) -> None:
        """Make the task fail with `Interrupted` at its next report; nothing is kept."""
        self._abandoned.set()
        self._cancelled.set()

    def _raise_if_abandoned(self) -> None:
        if self._abandoned.is_set():
            raise Interrupted("the window was closed")
