"""Progress display of the command line: a bar on a terminal, otherwise a line now and then."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

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

    A context manager. It starts a new bar (or line) whenever the detail changes from one file to
    another.

    Parameters
    ----------
    name : str
        Name of the work, such as the input; empty where only files are written.
    stop : StopRequest, optional
        Source of `cancelled`; without it the work is never cancelled.
    """

    def __init__(self, name: str = "", stop: StopRequest | None = None) -> None:
        self._name = single_line(name)
        self._stop = stop
        self._start = time.monotonic()
        self._last_line = 0.0
        self._first: tuple[float, int] | None = None
        self._bar: Progress | None = None
        self._file = ""

    def cancelled(self) -> bool:
        """Return True once the user has pressed Ctrl-C."""
        return self._stop is not None and self._stop.requested

    asked_to_stop = cancelled

    def message(self, text: str) -> None:
        """Print a note to stderr."""
        print_note(text)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _new_bar()
            self._bar.start()
            if self._name:
                self._task = self._bar.add_task(self._name, total=None, rate="")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, frames: int, fraction: float | None) -> None:
        """Show that `frames` are done: `fraction` of the input, where its length is known."""
        now = time.monotonic()
        if self._first is None:
            # loading the models would make the first estimates of the time left absurd
            self._first = (now, frames)
            self._last_line = now
        since, before = self._first
        rate = (frames - before) / (now - since) if now > since else 0.0
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=frames if fraction is None else fraction,
                total=None if fraction is None else 1.0,
                rate=f"{rate:.1f} frames/s" if rate else "",
            )
        elif now - self._last_line > _LINE_SECONDS:
            self._last_line = now
            part = "" if fraction is None else f"{100 * fraction:.0f} %, "
            left = ""
            if fraction:
                left = f", about {(now - self._start) * (1 - fraction) / fraction:.0f} s left"
            print_stderr(f"{self._name}: {part}{frames} frames, {rate:.1f} frames/s{left}")

    def exporting(self, file: str, fraction: float) -> None:
        """Show that `fraction` of an exported file is done."""
        now = time.monotonic()
        if file != self._file:
            self._file, self._export_start, self._last_line = file, now, now
            if self._bar is not None:
                self._export_task = self._bar.add_task(single_line(file), total=1.0, rate="")
        if self._bar is not None:
            self._bar.update(self._export_task, completed=fraction)
        elif now - self._last_line > _LINE_SECONDS and fraction:
            self._last_line = now
            left = (now - self._export_start) * (1 - fraction) / fraction
            print_stderr(f"{single_line(file)}: {100 * fraction:.0f} %, about {left:.0f} s left")


class ClusterDisplay:
    """Progress of several inputs that are processed at once.

    Parameters
    ----------
    count : int
        Number of inputs.
    stop : StopRequest
    """

    def __init__(self, count: int, stop: StopRequest) -> None:
        self._count, self._stop = count, stop
        self._last_line = time.monotonic()
        self._bar: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._done: set[str] = set()

    def asked_to_stop(self) -> bool:
        """Return True once the user has pressed Ctrl-C."""
        return self._stop.requested

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _new_bar()
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, name: str, frames: int, fraction: float | None) -> None:
        """Show that `frames` of an input are done: `fraction` of it, where that is known."""
        if name in self._done:
            return
        if self._bar is not None:
            if name not in self._tasks:
                self._tasks[name] = self._bar.add_task(single_line(name), total=None, rate="")
            self._bar.update(
                self._tasks[name],
                completed=frames if fraction is None else fraction,
                total=None if fraction is None else 1.0,
            )
        elif time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            part = "" if fraction is None else f" ({100 * fraction:.0f} %)"
            print_stderr(
                f"{len(self._done)} of {self._count} inputs done; {single_line(name)}: "
                f"{frames} frames{part}"
            )

    def again(self, name: str) -> None:
        """Report that the worker of an input was lost and the input starts again."""
        print_note(f"the worker of {single_line(name)} was lost; the input starts again")

    def done(self, name: str) -> None:
        """Show that an input is finished, or has failed."""
        self._done.add(name)
        if self._bar is not None and name in self._tasks:
            self._bar.update(self._tasks[name], completed=1.0, total=1.0)


def _new_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeLeft(),
        console=Console(stderr=True),
        transient=True,
    )
