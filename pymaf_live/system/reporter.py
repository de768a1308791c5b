"""Progress, messages and cancellation for everything that takes time.

A workflow, an export or an engine build gets one `Reporter` and calls it from its own thread. A
front end implements the protocol: a progress bar in the terminal, a row in the window, nothing in a
script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from pymaf_live.errors import Interrupted

__all__ = [
    "SILENT",
    "Reporter",
    "SilentReporter",
    "StepReporter",
    "raise_if_cancelled",
    "report_each",
    "report_progress",
]

T = TypeVar("T")


class Reporter(Protocol):
    """Receives progress and says whether to stop; every method may be called from any thread."""

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Report how much of the work is done.

        Parameters
        ----------
        fraction : float or None
            0..1; None where the length of the work is not known.
        detail : str
            What is being worked on, such as a file name; shown beside the bar.
        """

    def message(self, text: str) -> None:
        """Report something worth reading that is not an error, such as a fallback."""

    def cancelled(self) -> bool:
        """Return True once the user wants the work to stop; stays True from then on."""


class SilentReporter:
    """Reporter that shows nothing and never cancels."""

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Ignore the progress."""

    def message(self, text: str) -> None:
        """Ignore the message."""

    def cancelled(self) -> bool:
        """Return False."""
        return False


SILENT = SilentReporter()
"""Default of every `reporter` parameter."""


class StepReporter:
    """Reporter for one step of a longer work: maps the step's 0..1 to a part of the whole.

    Parameters
    ----------
    parent : Reporter
    start, end : float
        Part of the parent's 0..1 that this step covers.
    detail : str
        Reported where the step itself gives none.

    Examples
    --------
    >>> class Printer(SilentReporter):
    ...     def progress(self, fraction, detail=""):
    ...         print(fraction, detail)
    >>> StepReporter(Printer(), 0.5, 1.0, "export").progress(0.5)
    0.75 export
    """

    def __init__(self, parent: Reporter, start: float, end: float, detail: str = "") -> None:
        self._parent = parent
        self._start, self._end, self._detail = start, end, detail

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Report the step's fraction as the parent's."""
        whole = None if fraction is None else self._start + fraction * (self._end - self._start)
        self._parent.progress(whole, detail or self._detail)

    def message(self, text: str) -> None:
        """Pass the message on."""
        self._parent.message(text)

    def cancelled(self) -> bool:
        """Return the parent's answer."""
        return self._parent.cancelled()


def raise_if_cancelled(reporter: Reporter, text: str = "cancelled") -> None:
    """Raise `Interrupted` with `text` once `reporter` is cancelled.

    Raises
    ------
    Interrupted
    """
    if reporter.cancelled():
        raise Interrupted(text)


def report_progress(reporter: Reporter, fraction: float | None, detail: str = "") -> None:
    """Report progress, then raise `Interrupted` if `reporter` is cancelled.

    Raises
    ------
    Interrupted
    """
    reporter.progress(fraction, detail)
    raise_if_cancelled(reporter)


def report_each(items: Sequence[T], reporter: Reporter, detail: str = "") -> Iterator[T]:
    """Yield items and report the progress through them.

    Raises
    ------
    Interrupted
        If `reporter` is cancelled.
    """
    for done, item in enumerate(items):
        report_progress(reporter, done / len(items), detail)
        yield item
    if items:
        reporter.progress(1.0, detail)
