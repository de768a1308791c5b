"""Process files one after the other in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.settings import DEFAULTS
from pymaf_live.system.reporter import Reporter
from pymaf_live.types import BodyStyle
from ui.state.batch import BatchFile, BatchState, FilePhase
from ui.state.commands import BatchCommands
from ui.system.error_text import error_text
from ui.system.task import Task
from ui.system.task_runner import TaskRunner

if TYPE_CHECKING:
    from pymaf_live.pipeline.options import PipelineOptions
    from pymaf_live.workflows.process import ProcessOptions, Summary

_UPDATE_INTERVAL = 0.2
"""Seconds between two updates of the progress."""

Process = Callable[[str, "ProcessOptions", Reporter], "Summary"]
"""Processes an input, as `process_in_background`."""


class BatchController(BatchCommands):
    """Runs the batch queue.

    Parameters
    ----------
    state : BatchState
        Written here: `files` and `running`.
    tasks : TaskRunner
    options : callable
        Returns the current pipeline options.
    process : callable, optional
        Processes one file.
    body_style : callable, optional
        Returns the appearance of people in the overlays.
    """

    def __init__(
        self,
        state: BatchState,
        tasks: TaskRunner,
        options: Callable[[], PipelineOptions],
        process: Process | None = None,
        body_style: Callable[[], BodyStyle] = lambda: DEFAULTS.body_style,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._options = options
        self._process = process or _process
        self._body_style = body_style
        self._texts: list[str] = []
        """All files that were ever added; a file's number is its position, from 1."""
        self._running: tuple[int, Task] | None = None
        """Number and task of the running file."""
        self._next_update = 0.0

    def add(self, paths: Iterable[Path]) -> None:
        """See `BatchCommands.add`."""
        waiting = {each.text for each in self._state.files.value if not each.phase.finished}
        added = []
        for path in paths:
            text = str(path)
            if text not in waiting:
                waiting.add(text)
                self._texts.append(text)
                added.append(BatchFile(len(self._texts), text))
        self._state.files.set((*self._state.files.value, *added))
        self._start_next()

    def start(self) -> None:
        """See `BatchCommands.start`."""
        if self._state.folder.value is None:
            return
        self._state.running.set(True)
        self._start_next()

    def stop(self) -> None:
        """See `BatchCommands.stop`."""
        self._state.running.set(False)
        if self._running is not None:
            self.cancel(self._running[0])

    def cancel(self, number: int) -> None:
        """See `BatchCommands.cancel`."""
        if self._running is not None and self._running[0] == number:
            self._running[1].cancel()
            self._change(number, phase=FilePhase.STOPPING, seconds_left=None)
        else:
            remaining = tuple(each for each in self._state.files.value if each.number != number)
            self._state.files.set(remaining)

    def retry(self, number: int) -> None:
        """See `BatchCommands.retry`."""
        for each in self._state.files.value:
            if each.number == number and each.phase in (FilePhase.FAILED, FilePhase.STOPPED):
                self._change(number, phase=FilePhase.WAITING, outcome="", fraction=None, files=())
        self._start_next()

    def clear(self) -> None:
        """See `BatchCommands.clear`."""
        remaining = tuple(each for each in self._state.files.value if not each.phase.finished)
        self._state.files.set(remaining)

    def tick(self) -> None:
        """Update the progress when it is due; never blocks."""
        now = time.monotonic()
        if self._running is None or now < self._next_update:
            return
        self._next_update = now + _UPDATE_INTERVAL
        number, task = self._running
        if not task.stopping:
            self._change(
                number,
                fraction=task.fraction,
                seconds_left=task.seconds_left,
                detail=task.detail[:1].upper() + task.detail[1:],
            )

    def close(self) -> None:
        """Abandon the running file; nothing of it is kept."""
        self._state.running.set(False)
        if self._running is not None:
            self._running[1].abandon()

    def _start_next(self) -> None:
        folder = self._state.folder.value
        if not self._state.running.value or self._running is not None or folder is None:
            return
        waiting = [e for e in self._state.files.value if e.phase is FilePhase.WAITING]
        if not waiting:
            self._state.running.set(False)
            return
        file = waiting[0]
        task = Task()
        self._running = file.number, task
        self._change(file.number, phase=FilePhase.RUNNING, fraction=None, outcome="", detail="")
        options = self._process_options(folder, self._result_name(file))

        def work() -> Summary:
            from pymaf_live.workflows.result_names import require_writable

            require_writable([options.name], options)
            return self._process(file.text, options, task)

        def done(summary: Summary) -> None:
            phase = FilePhase.FAILED if summary.output_errors else FilePhase.DONE
            phase = FilePhase.STOPPED if summary.interrupted else phase
            self._finish(file.number, phase, _outcome(summary), tuple(summary.files), task)

        def failed(error: Exception) -> None:
            self._finish(file.number, FilePhase.FAILED, error_text(error), (), task)

        self._tasks.submit("batch", work, done, failed)

    def _finish(
        self, number: int, phase: FilePhase, outcome: str, files: tuple[Path, ...], task: Task
    ) -> None:
        self._running = None
        fraction = 1.0 if phase is FilePhase.DONE else task.fraction
        self._change(
            number, phase=phase, outcome=outcome, files=files, fraction=fraction, seconds_left=None
        )
        self._start_next()

    def _result_name(self, file: BatchFile) -> str:
        """Return a stem for the results that no other file of this run has, listed or removed."""
        from pymaf_live.workflows.result_names import result_names

        return result_names(self._texts)[file.number - 1]

    def _process_options(self, folder: Path, name: str) -> ProcessOptions:
        from pymaf_live.workflows.process import ProcessOptions

        return ProcessOptions(
            out=folder,
            name=name,
            pipeline=self._options(),
            overlay=self._state.overlay.value,
            body_style=self._body_style(),
            exports=self._state.exports.value,
            export_options=self._state.options.value,
            smoothing="refine",
            force=self._state.force.value,
        )

    def _change(self, number: int, **changes: object) -> None:
        self._state.files.set(
            tuple(
                replace(each, **changes) if each.number == number else each  # type: ignore[arg-type]
                for each in self._state.files.value
            )
        )


def _process(text: str, options: ProcessOptions, reporter: Reporter) -> Summary:
    # a process of its own: off-screen drawing and the window's canvas must not share OpenGL state
    from pymaf_live.workflows.background import process_in_background

    return process_in_background(text, options, reporter)


def _outcome(summary: Summary) -> str:
    """Return what became of an input, in one line."""
    if summary.interrupted and not summary.frames:
        return "Stopped before the first frame; nothing was written"
    people = f"{summary.people} people" if summary.people != 1 else "1 person"
    found = (
        f"{people} in {summary.frames_with_people} of {summary.frames} frames"
        if summary.rows
        else f"no people in {summary.frames} frames"
    )
    parts = [f"Stopped: {found} so far" if summary.interrupted else found[:1].upper() + found[1:]]
    if summary.failures:
        name, reason = summary.failures[0]
        more = f" and {len(summary.failures) - 1} more" if len(summary.failures) > 1 else ""
        parts.append(f"skipped {name}{more}: {reason}")
    return "; ".join([*parts, *summary.output_errors, *summary.notices])
