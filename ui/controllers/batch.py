"""Processes files one after the other in the background, as the command `process` does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import Interrupted, OutputExistsError, PymafLiveError
from pymaf_live.system.reporter import Reporter
from ui.state.batch import BatchFile, BatchState, FilePhase
from ui.system.task_runner import TaskRunner

if TYPE_CHECKING:
    from pymaf_live.pipeline.options import PipelineOptions
    from pymaf_live.workflows.process import ProcessOptions, Summary

_SHOWN_EVERY = 0.2
_TELLS_AFTER = 1.0
"""Seconds of work from which on the time left can be told."""


Process = Callable[[str, "ProcessOptions", Reporter], "Summary"]
"""Processes an input, as `process_file`."""


class Batch:
    """Owned by the controller.

    Parameters
    ----------
    state : BatchState
        Written here.
    tasks : TaskRunner
    options : callable
        How frames become people now.
    process : callable, optional
    """

    def __init__(
        self,
        state: BatchState,
        tasks: TaskRunner,
        options: Callable[[], PipelineOptions],
        process: Process | None = None,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._options = options
        self._process = process or process_file
        self._texts: list[str] = []
        """Of all files that were ever added; a file's number counts in it from 1."""
        self._now: tuple[int, _Progress] | None = None
        """Number of the file that runs, and how far it is."""
        self._next_shown = 0.0

    def add(self, paths: Iterable[Path]) -> None:
        """Put files and folders of pictures at the end; those that wait already are left out."""
        waiting = {each.text for each in self._state.files.value if not each.phase.over}
        added = []
        for path in paths:
            text = str(path)
            if text not in waiting:
                waiting.add(text)
                self._texts.append(text)
                added.append(BatchFile(len(self._texts), text))
        self._state.files.set((*self._state.files.value, *added))
        self._go_on()

    def start(self) -> None:
        """Process what waits, and what is added, until `stop`."""
        if self._state.folder.value is None:
            return
        self._state.running.set(True)
        self._go_on()

    def stop(self) -> None:
        """Finish the file that runs with what is there of it, and begin no other."""
        self._state.running.set(False)
        if self._now is not None:
            self.cancel(self._now[0])

    def cancel(self, number: int) -> None:
        """Let a file be: one that waits goes off the list, one that runs ends with what is there.

        One that is over goes off the list too; its results stay.
        """
        if self._now is not None and self._now[0] == number:
            self._now[1].stop.set()
            self._change(number, phase=FilePhase.STOPPING, seconds_left=None)
        else:
            kept = tuple(each for each in self._state.files.value if each.number != number)
            self._state.files.set(kept)

    def again(self, number: int) -> None:
        """Have a file that failed or was stopped wait once more."""
        for each in self._state.files.value:
            if each.number == number and each.phase in (FilePhase.FAILED, FilePhase.STOPPED):
                self._change(number, phase=FilePhase.WAITING, line="", fraction=None, files=())
        self._go_on()

    def clear(self) -> None:
        """Take all that is over off the list; results stay."""
        kept = tuple(each for each in self._state.files.value if not each.phase.over)
        self._state.files.set(kept)

    def tick(self) -> None:
        """Bring the progress up to date; never blocks."""
        now = time.monotonic()
        if self._now is None or now < self._next_shown:
            return
        self._next_shown = now + _SHOWN_EVERY
        number, progress = self._now
        if not progress.stop.is_set():
            left = progress.seconds_left(now)
            doing = progress.detail[:1].upper() + progress.detail[1:]
            self._change(number, fraction=progress.fraction, seconds_left=left, doing=doing)

    def close(self) -> None:
        """End at once: of the file that runs nothing is kept."""
        self._state.running.set(False)
        if self._now is not None:
            self._now[1].abandon.set()

    def _go_on(self) -> None:
        folder = self._state.folder.value
        if not self._state.running.value or self._now is not None or folder is None:
            return
        waiting = [e for e in self._state.files.value if e.phase is FilePhase.WAITING]
        if not waiting:
            self._state.running.set(False)
            return
        file = waiting[0]
        progress = _Progress()
        self._now = file.number, progress
        self._change(file.number, phase=FilePhase.RUNNING, fraction=None, line="", doing="")
        options = self._process_options(folder, self._name(file))

        def work() -> Summary:
            _require_writable(options)
            return self._process(file.text, options, progress)

        def done(summary: Summary) -> None:
            phase = FilePhase.STOPPED if summary.interrupted else FilePhase.DONE
            self._over(file.number, phase, _outcome(summary), tuple(summary.files), progress)

        def failed(error: Exception) -> None:
            known = isinstance(error, PymafLiveError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            if isinstance(error, OutputExistsError):
                text = (
                    f"the folder already has {error.path.name}; allow replacing or choose another"
                )
            self._over(file.number, FilePhase.FAILED, text[:1].upper() + text[1:], (), progress)

        self._tasks.submit("batch", work, done, failed)

    def _over(
        self,
        number: int,
        phase: FilePhase,
        line: str,
        files: tuple[Path, ...],
        progress: _Progress,
    ) -> None:
        self._now = None
        fraction = 1.0 if phase is FilePhase.DONE else progress.fraction
        self._change(
            number, phase=phase, line=line, files=files, fraction=fraction, seconds_left=None
        )
        self._go_on()

    def _name(self, file: BatchFile) -> str:
        """A name for its results that no other file of this run has, on the list or not."""
        from pymaf_live.workflows.result_names import result_names

        return result_names(self._texts)[file.number - 1]

    def _process_options(self, folder: Path, name: str) -> ProcessOptions:
        from pymaf_live.workflows.process import ProcessOptions

        return ProcessOptions(
            out=folder,
            name=name,
            pipeline=self._options(),
            overlay=self._state.overlay.value,
            exports=self._state.exports.value,
            export_options=self._state.options.value,
            smoothing="offline",
            force=self._state.force.value,
        )

    def _change(self, number: int, **changes: object) -> None:
        self._state.files.set(
            tuple(
                replace(each, **changes) if each.number == number else each  # type: ignore[arg-type]
                for each in self._state.files.value
            )
        )


def process_file(text: str, options: ProcessOptions, reporter: Reporter) -> Summary:
    """Process one input as the command does."""
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.process import process

    return process(open_source(text), options, reporter).summary


class _Progress:
    """Reporter of the running file: written in the task's thread, read in the window's."""

    def __init__(self) -> None:
        self.fraction: float | None = None
        self.detail = ""
        self.stop = threading.Event()
        self.abandon = threading.Event()
        self._begun: float | None = None

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Note the progress; see `Reporter`."""
        self._give_up()
        if self._begun is None:  # loading the models says nothing about the speed
            self._begun = time.monotonic()
        self.fraction, self.detail = fraction, detail

    def message(self, text: str) -> None:
        """Ignore the message: notices are part of the summary."""

    def cancelled(self) -> bool:
        """Return True once the file is to end with what is done; see `Reporter`."""
        self._give_up()
        return self.stop.is_set()

    def seconds_left(self, now: float) -> float | None:
        """At the speed so far."""
        begun, fraction = self._begun, self.fraction
        if begun is None or not fraction or now - begun < _TELLS_AFTER:
            return None
        return (now - begun) * (1 - fraction) / fraction

    def _give_up(self) -> None:
        if self.abandon.is_set():
            raise Interrupted("the window was closed")


def _require_writable(options: ProcessOptions) -> None:
    from pymaf_live.workflows.result_names import require_writable

    require_writable([options.name], options)


def _outcome(summary: Summary) -> str:
    """What became of an input, in one line."""
    if summary.interrupted and not summary.frames:
        return "Stopped before its first frame; nothing was written"
    who = f"{summary.people} people" if summary.people != 1 else "1 person"
    seen = (
        f"{who} in {summary.frames_with_people} of {summary.frames} frames"
        if summary.rows
        else f"nobody in {summary.frames} frames"
    )
    said = [f"Stopped: {seen} so far" if summary.interrupted else seen[:1].upper() + seen[1:]]
    if summary.failures:
        name, why = summary.failures[0]
        more = f" and {len(summary.failures) - 1} more" if len(summary.failures) > 1 else ""
        said.append(f"left out {name}{more}: {why}")
    return "; ".join([*said, *summary.notices])
