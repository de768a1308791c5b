"""What the command line shows while it works: progress, lines, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress

_LINE_SECONDS = 10.0
"""Between two progress lines where there is no terminal."""
_STOPPING = b"\nstopping: finishing the files (Ctrl-C again gives up)\n"


def tell(line: str) -> None:
    """One line to stderr, whatever is in `line`."""
    sys.stderr.write(one_line(line) + "\n")
    sys.stderr.flush()


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, which file names may hold."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in words)


@contextlib.contextmanager
def native_logs_filtered() -> Iterator[None]:
    """Keep native libraries' log lines off the terminal for as long as the program runs.

    MediaPipe's threads log whenever they come to it, to descriptor 2 itself. Python's own standard
    error goes past the filter, so that the terminal is still one; whatever else native code says is
    passed on.
    """
    try:
        kept = os.dup(2)
        reading, writing = os.pipe()
    except OSError:
        # no standard error stream at all: nothing to keep clean
        yield
        return
    before = sys.stderr
    sys.stderr = open(kept, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.dup2(writing, 2)
    os.close(writing)

    def pass_on() -> None:
        with open(reading, "rb") as lines:
            for line in lines:
                from pymaf_live.system.native_logs import is_log_line

                if not is_log_line(line):
                    os.write(kept, line)

    filtering = threading.Thread(target=pass_on, name="stderr filter", daemon=True)
    filtering.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        # the pipe's last writing end is gone now, unless a native thread holds descriptor 2 aside
        filtering.join(0.5)
        sys.stderr = before


class StopRequest:
    """Ctrl-C and SIGTERM as a request to finish; the second one interrupts at once.

    As a context manager it stands in for the signals' usual handlers; outside the main thread it
    does nothing.
    """

    def __init__(self) -> None:
        self._requested = False
        self._previous: dict[int, Any] = {}

    def asked_to_stop(self) -> bool:
        """Whether the user asked."""
        return self._requested

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        # print() is not safe in a handler: it may interrupt itself
        os.write(sys.stderr.fileno(), _STOPPING)


class ProgressDisplay:
    """How far an input is: a bar with the time left on a terminal, else a line now and then.

    Parameters
    ----------
    name : str
        Of the input; empty where files are exported from a take that is there.
    stop : StopRequest
    """

    def __init__(self, name: str, stop: StopRequest) -> None:
        self._name = one_line(name)
        self._stop = stop
        self._start = time.monotonic()
        self._told = 0.0
        self._first: tuple[float, int] | None = None
        self._bar: Progress | None = None
        self._file = ""

    def asked_to_stop(self) -> bool:
        """Whether the user asked."""
        return self._stop.asked_to_stop()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            if self._name:
                self._task = self._bar.add_task(self._name, total=None, rate="")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, frames: int, fraction: float | None) -> None:
        """`frames` are done; `fraction` of the input, where its length is known."""
        now = time.monotonic()
        if self._first is None:
            # the models' loading would make the first estimates of the time left absurd
            self._first = (now, frames)
            self._told = now
        since, before = self._first
        rate = (frames - before) / (now - since) if now > since else 0.0
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=frames if fraction is None else fraction,
                total=None if fraction is None else 1.0,
                rate=f"{rate:.1f} frames/s" if rate else "",
            )
        elif now - self._told > _LINE_SECONDS:
            self._told = now
            part = "" if fraction is None else f"{100 * fraction:.0f} %, "
            left = ""
            if fraction:
                left = f", about {(now - self._start) * (1 - fraction) / fraction:.0f} s left"
            tell(f"{self._name}: {part}{frames} frames, {rate:.1f} frames/s{left}")

    def exporting(self, file: str, fraction: float) -> None:
        """`fraction` of the work on an exported file of this name is done."""
        now = time.monotonic()
        if file != self._file:
            self._file, self._export_start, self._told = file, now, now
            if self._bar is not None:
                self._export_task = self._bar.add_task(one_line(file), total=1.0, rate="")
        if self._bar is not None:
            self._bar.update(self._export_task, completed=fraction)
        elif now - self._told > _LINE_SECONDS and fraction:
            self._told = now
            left = (now - self._export_start) * (1 - fraction) / fraction
            tell(f"{one_line(file)}: {100 * fraction:.0f} %, about {left:.0f} s left")


class SideBySide:
    """How far several inputs are that are processed at once: bars, else a line now and then.

    Parameters
    ----------
    count : int
        Of the inputs.
    stop : StopRequest
    """

    def __init__(self, count: int, stop: StopRequest) -> None:
        self._count, self._stop = count, stop
        self._told = time.monotonic()
        self._bar: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._ended: set[str] = set()

    def asked_to_stop(self) -> bool:
        """Whether the user asked."""
        return self._stop.asked_to_stop()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, name: str, frames: int, fraction: float | None) -> None:
        """`frames` of an input are done; `fraction` of it, where its length is known."""
        if name in self._ended:
            return
        if self._bar is not None:
            if name not in self._tasks:
                self._tasks[name] = self._bar.add_task(one_line(name), total=None, rate="")
            self._bar.update(
                self._tasks[name],
                completed=frames if fraction is None else fraction,
                total=None if fraction is None else 1.0,
            )
        elif time.monotonic() - self._told > _LINE_SECONDS:
            self._told = time.monotonic()
            part = "" if fraction is None else f" ({100 * fraction:.0f} %)"
            tell(
                f"{len(self._ended)} of {self._count} inputs done; {one_line(name)}: "
                f"{frames} frames{part}"
            )

    def again(self, name: str) -> None:
        """The worker of an input was lost; another begins with it."""
        tell(f"note: the worker of {one_line(name)} was lost; another begins with it")

    def done(self, name: str) -> None:
        """An input is done, or cannot be."""
        self._ended.add(name)
        if self._bar is not None and name in self._tasks:
            self._bar.update(self._tasks[name], completed=1.0, total=1.0)


def _bar() -> Progress:
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
