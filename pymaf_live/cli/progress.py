"""Progress display of the command line: a bar on a terminal, otherwise a line now and then."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from pymaf_live.cli.output import print_note, print_stderr, single_line
from pymaf_live.system.signals import StopRequest

if TYPE_CHECKING:
    from rich.progress import Progress

_LINE_SECONDS = 10.0
"""Interval of progress lines where there is no terminal."""


def stop_on_signals() -> StopRequest:
    """Return a stop request that announces itself on stderr at the first Ctrl-C."""
    return StopRequest("\nstopping: finishing the files (press Ctrl-C again to abort)\n")


class TerminalReporter:
    """Reporter that draws a progress bar on a terminal and prints lines elsewhere.

    A context manager.

    Parameters
    ----------
    name : str
        Name of the work, such as the input; empty where the details say enough.
    stop : StopRequest, optional
        Source of `cancelled`; without it the work is never cancelled.
    """

    def __init__(self, name: str = "", stop: StopRequest | None = None) -> None:
        self._name = single_line(name)
        self._stop = stop
        self._start: tuple[float, float] | None = None
        self._last_line = 0.0
        self._bar: Progress | None = None

    def cancelled(self) -> bool:
        """Return True once the user has pressed Ctrl-C."""
        return self._stop is not None and self._stop.requested

    def message(self, text: str) -> None:
        """Print a note to stderr."""
        print_note(text)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _new_bar()
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=None, detail="")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Show the fraction that is done, where it is known, and the current step."""
        detail = single_line(detail)
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=fraction or 0.0,
                total=None if fraction is None else 1.0,
                detail=detail,
            )
            return
        now = time.monotonic()
        if self._start is None:
            # loading the models would make the first estimates of the time left absurd
            self._start = (now, fraction or 0.0)
            self._last_line = now
        if now - self._last_line > _LINE_SECONDS:
            self._last_line = now
            parts = [detail] if detail else []
            if fraction is not None:
                parts.insert(0, f"{100 * fraction:.0f} %")
            left = self._seconds_left(now, fraction)
            if left is not None:
                parts.append(f"about {left:.0f} s left")
            print_stderr(f"{self._name}{': ' if self._name else ''}{', '.join(parts)}")

    def _seconds_left(self, now: float, fraction: float | None) -> float | None:
        if self._start is None or fraction is None:
            return None
        since, before = self._start
        done = fraction - before
        return (now - since) * (1 - fraction) / done if done > 0 else None


def _new_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeLeft(),
        console=Console(stderr=True),
        transient=True,
    )
