"""Progress of a command on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 15.0


class TerminalReporter:
    """Show progress and messages on stderr; a context manager that removes the bar at the end.

    Parameters
    ----------
    enabled : bool
        False shows nothing, for all processes of a run but one.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._console = Console(stderr=True, soft_wrap=True, highlight=False, quiet=not enabled)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._detail = ""
        self._started = self._last_line = time.monotonic()

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Show how much of the work is done; a new `detail` starts a new measurement of time."""
        now = time.monotonic()
        if detail != self._detail:
            self._finish_bar()
            self._detail, self._started, self._last_line = detail, now, now
            if detail and not self._console.is_terminal:
                # a long stage is announced when it starts
                self._console.print(f"{detail} ...")
        if self._console.is_terminal:
            self._update_bar(fraction)
            if fraction is not None and fraction >= 1:
                # other output may follow
                self._finish_bar()
        elif fraction and fraction < 1 and now - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = now
            minutes = (now - self._started) * (1 - fraction) / fraction / 60
            self._console.print(f"{detail}: {100 * fraction:.0f} %, {minutes:.1f} min left")

    def message(self, text: str) -> None:
        """Print a line."""
        self._console.print(text)

    def cancelled(self) -> bool:
        """Return False: Ctrl-C ends a command at once."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._finish_bar()
        sys.stderr.flush()

    def _update_bar(self, fraction: float | None) -> None:
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._detail, total=None)
        assert self._task is not None
        total = None if fraction is None else 1.0
        self._bar.update(self._task, completed=fraction or 0.0, total=total)

    def _finish_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
