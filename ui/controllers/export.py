"""Writes a take in the formats that a person chose, with progress, a way out and a report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pymaf_live.export.options import ExportedFile, ExportOptions
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes.take import Take
from pymaf_live.workflows.export import ExportRequest, ExportResult, export, export_targets
from ui.state.export import ExportProgress, ExportState, all_formats
from ui.state.window import Message, TakePhase, WindowState
from ui.system.task_runner import TaskRunner

_SHOWN_EVERY = 0.1
_TELLS_AFTER = 1.0
"""Seconds of work from which on the time left can be told."""


class Exporting:
    """Owned by the controller.

    Parameters
    ----------
    state : WindowState
        Its take's phase, its message and its export are written here.
    tasks : TaskRunner
    take : callable
        The take to write; called in an errand's thread, may raise.
    failed : callable
        Tells a person of an error.
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        take: Callable[[], Take],
        failed: Callable[[Exception], None],
    ) -> None:
        self._state = state
        self._export: ExportState = state.export
        self._tasks = tasks
        self._take = take
        self._failed = failed
        self._stop = threading.Event()
        self._part = ("", 0.0)
        """What is being written and how far all is; set in the errand's thread."""
        self._begun = 0.0
        self._next_shown = 0.0
        self._looked = False
        state.take.watch(lambda status: self._look() if status.phase is TakePhase.READY else None)

    def start(
        self, stem: Path, formats: tuple[str, ...], options: ExportOptions, force: bool
    ) -> None:
        """Write the take as `stem` with each format's ending."""
        status = self._state.take.value
        if status.phase is not TakePhase.READY:
            return
        self._state.take.set(replace(status, phase=TakePhase.EXPORTING))
        self._export.chosen.set(formats)
        self._export.options.set(options)
        self._stop = stop = threading.Event()
        self._begun = time.monotonic()
        self._part = ("Preparing…", 0.0)
        self._export.progress.set(ExportProgress(*self._part))
        request = ExportRequest(export_targets(stem, formats), options, force=force)

        def work() -> ExportResult:
            return export(self._take(), request, _ExportReporter(stop, self._set_part))

        def done(result: ExportResult) -> None:
            self._export.progress.set(None)
            written = list(result.files)
            files = tuple(each.path for each in written)
            if result.interrupted:
                self._state.take.set(status)
                kept = f" {_names(written)} had been written before." if written else ""
                self._state.message.set(Message("note", f"The export was cancelled.{kept}", files))
                return
            self._state.take.set(replace(status, exported=True))
            text = report(stem.parent, written, self._hints(formats))
            self._state.message.set(Message("done", text, files))

        def failed(error: Exception) -> None:
            self._export.progress.set(None)
            self._state.take.set(status)
            self._failed(error)

        self._tasks.submit("export", work, done, failed)

    def _set_part(self, text: str, fraction: float) -> None:
        self._part = (text, fraction)

    def cancel(self) -> None:
        """Write no further; the file in the making goes away."""
        self._stop.set()
        progress = self._export.progress.value
        if progress is not None:
            self._export.progress.set(replace(progress, text="Cancelling…", stopping=True))

    def tick(self) -> None:
        """Bring the progress up to date; never blocks."""
        progress, now = self._export.progress.value, time.monotonic()
        if progress is None or progress.stopping or now < self._next_shown:
            return
        self._next_shown = now + _SHOWN_EVERY
        text, fraction = self._part
        spent = now - self._begun
        left = spent * (1 - fraction) / fraction if fraction > 0 and spent > _TELLS_AFTER else None
        self._export.progress.set(ExportProgress(text, fraction, left))

    def close(self) -> None:
        """Write no further."""
        self._stop.set()

    def _look(self) -> None:
        """Load the formats once there is something to export, so that the sheet opens at once."""
        if not self._looked:
            self._looked = True
            self._tasks.submit("formats", all_formats, self._export.formats.set, self._failed)

    def _hints(self, formats: tuple[str, ...]) -> list[str]:
        return [each.hint for each in all_formats() if each.name in formats and each.hint]


class _ExportReporter(SilentReporter):
    """Reporter of the worker thread: keeps the newest progress, cancels with the stop event."""

    def __init__(self, stop: threading.Event, show: Callable[[str, float], None]) -> None:
        self._stop, self._show = stop, show

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Keep what is shown at the next tick."""
        self._show(f"{detail[:1].upper()}{detail[1:]}…", fraction or 0.0)

    def cancelled(self) -> bool:
        """Return True once the user has cancelled."""
        return self._stop.is_set()


def report(folder: Path, written: list[ExportedFile], hints: list[str]) -> str:
    """What a person reads after an export: the files, and what reading them again showed."""
    if not written:
        return "Nobody is in the take: nothing was written."
    lines = [f"Wrote {_names(written)} to {folder}"]
    lines += [found for each in written if (found := _found(each))]
    return "\n".join([*lines, *hints])


def _names(written: list[ExportedFile]) -> str:
    return ", ".join(each.path.name for each in written)


def _found(each: ExportedFile) -> str:
    facts = []
    if each.joint_error is not None:
        facts.append(f"joints at most {1000 * each.joint_error:.2g} mm off")
    if each.rate is not None:
        facts.append(f"{each.rate:.3f}".rstrip("0").rstrip(".") + " frames a second")
    checked = f"{each.path.name} read again: {', '.join(facts)}" if facts else ""
    note = f"{each.path.name}: {each.note}" if each.note and not checked else each.note
    return "; ".join(text for text in (checked, note) if text)
