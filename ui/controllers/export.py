"""Write the current take in the chosen formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pymaf_live.errors import Interrupted
from pymaf_live.export.options import ExportedFile, ExportOptions
from pymaf_live.system.reporter import Reporter, StepReporter
from pymaf_live.takes.take import Take
from pymaf_live.workflows.background import write_body_video_in_background
from pymaf_live.workflows.body_video import BodyVideoRequest
from pymaf_live.workflows.export import ExportRequest, ExportResult, export, export_targets
from ui.controllers.messages import Messages
from ui.controllers.take_store import TakeStore
from ui.controllers.takes import TakesController
from ui.controllers.task_progress import TaskProgress
from ui.state.commands import ExportCommands
from ui.state.export import ExportProgress, all_formats, file_stems, video_target
from ui.state.window import TakePhase, WindowState
from ui.system.task_runner import TaskRunner

_FILES_SHARE = 0.2
"""Part of the progress that motion files take where a video is written as well."""
_UPDATE_INTERVAL = 0.1
"""Seconds between two updates of the progress."""


class ExportController(ExportCommands):
    """Exports takes, and reports what was written.

    Parameters
    ----------
    state : WindowState
        Written here: `export`, and the phase of `take`.
    tasks : TaskRunner
    takes : TakesController
        Has the takes to write.
    store : TakeStore
    messages : Messages
    write_video : callable, optional
        Writes a video with the body; blocks.
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        takes: TakesController,
        store: TakeStore,
        messages: Messages,
        write_video: Callable[[BodyVideoRequest, Reporter], str] = write_body_video_in_background,
    ) -> None:
        self._window = state
        self._state = state.export
        self._tasks = tasks
        self._takes = takes
        self._store = store
        self._messages = messages
        self._write_video = write_video
        self._progress = TaskProgress(state.export.progress, _UPDATE_INTERVAL)
        self._formats_requested = False
        state.take.watch(lambda status: self._on_take_change(status.phase))

    def start(
        self,
        stem: Path,
        formats: tuple[str, ...],
        force: bool,
        options: ExportOptions | None = None,
        takes: tuple[str, ...] = (),
        *,
        video: bool = False,
        transparent_video: bool = False,
    ) -> None:
        """See `ExportCommands.start`."""
        options = options or ExportOptions()
        status = self._window.take.value
        if status.phase not in (TakePhase.NONE, TakePhase.READY) or (
            status.phase is TakePhase.NONE and not takes
        ):
            return
        self._window.take.set(replace(status, phase=TakePhase.EXPORTING))
        self._state.formats.set(formats)
        self._state.video.set(video)
        self._state.transparent_video.set(transparent_video)
        self._state.options.set(options)
        task = self._progress.start(ExportProgress("Preparing…", 0.0))
        stems = self._stems(stem, takes)

        def work() -> ExportResult:
            results = []
            for number, (take_id, path) in enumerate(stems.items()):
                take = self._takes.stored_take(take_id) if takes else self._takes.current_take()
                request = ExportRequest(export_targets(path, formats), options, force=force)
                exported = take_id or self._takes.current_id
                step = StepReporter(task, number / len(stems), (number + 1) / len(stems))
                # most of the time goes into the video
                share = (_FILES_SHARE if formats else 0.0) if video else 1.0
                results.append(export(take, request, StepReporter(step, 0.0, share)))
                if video and not results[-1].interrupted:
                    rest = StepReporter(step, share, 1.0)
                    results[-1] = self._with_video(results[-1], take, exported, path, force, rest)
                if results[-1].interrupted:
                    break
                if exported is not None and results[-1].files:
                    self._store.mark_exported(exported)
            return _joined(results)

        def done(result: ExportResult) -> None:
            self._progress.end()
            written = list(result.files)
            files = [each.path for each in written]
            self._store.refresh()
            if result.interrupted:
                self._window.take.set(status)
                finished = f" Already written: {_names(written)}." if written else ""
                self._messages.note(f"The export was cancelled.{finished}", files)
                return
            own = not takes or self._takes.current_id in takes
            if own:
                self._mark_open_take()
            self._window.take.set(replace(status, exported=status.exported or own))
            hints = [each.hint for each in all_formats() if each.name in formats and each.hint]
            self._messages.done(report(stem.parent, written, hints, len(stems)), files)

        def failed(error: Exception) -> None:
            self._progress.end()
            self._window.take.set(status)
            self._messages.error(error)

        self._tasks.submit("export", work, done, failed)

    def _with_video(
        self,
        result: ExportResult,
        take: Take,
        take_id: str | None,
        stem: Path,
        force: bool,
        reporter: Reporter,
    ) -> ExportResult:
        """Write a take's video with the body and add it to the result of its export."""
        library, transparent = self._store.library, self._state.transparent_video.value
        target = video_target(stem, transparent=transparent)
        request = BodyVideoRequest(
            take,
            target,
            library.about(take_id).file if take_id is not None else None,
            library.image_copies(take_id) if take_id is not None else None,
            body_style=self._window.view.body_style.value,
            transparent=transparent,
            force=force,
        )
        try:
            notice = self._write_video(request, reporter)
        except Interrupted:
            return replace(result, not_written=(target,))
        return replace(result, files=(*result.files, ExportedFile(target, note=notice)))

    def _mark_open_take(self) -> None:
        """Keep the mark of the open take, which is written with its next edit."""
        opened = self._window.takes.opened.value
        if opened is not None:
            about = opened.stored.about.model_copy(update={"exported": True})
            stored = replace(opened.stored, about=about)
            self._window.takes.opened.set(replace(opened, stored=stored))

    def _stems(self, stem: Path, takes: tuple[str, ...]) -> dict[str, Path]:
        """Return the path without ending for each take; the id '' stands for the current one."""
        if len(takes) < 2:
            return {(takes or ("",))[0]: stem}
        names = {each.id: each.about.name for each in self._window.takes.entries.value}
        return dict(
            zip(takes, file_stems(stem.parent, [names.get(i, i) for i in takes]), strict=True)
        )

    def cancel(self) -> None:
        """See `ExportCommands.cancel`."""
        self._progress.cancel()

    def tick(self) -> None:
        """Update the progress when it is due; never blocks."""
        due = self._progress.due()
        if due is None:
            return
        task, progress = due
        text = f"{task.detail[:1].upper()}{task.detail[1:]}…" if task.detail else progress.text
        self._state.progress.set(ExportProgress(text, task.fraction or 0.0, task.seconds_left))

    def close(self) -> None:
        """Cancel the export: the window is closing."""
        self._progress.close()

    def _on_take_change(self, phase: TakePhase) -> None:
        """Load the formats once there is a take, so that the dialog opens at once."""
        if phase is TakePhase.READY and not self._formats_requested:
            self._formats_requested = True
            self._tasks.submit(
                "formats", all_formats, self._state.available.set, self._messages.error
            )


def _joined(results: list[ExportResult]) -> ExportResult:
    """Return the results of several takes as one."""
    return ExportResult(
        files=tuple(file for each in results for file in each.files),
        empty=tuple(path for each in results for path in each.empty),
        not_written=tuple(path for each in results for path in each.not_written),
    )


def report(folder: Path, written: list[ExportedFile], hints: list[str], takes: int = 1) -> str:
    """Return the report of an export: the files, and the figures from reading them back."""
    if not written:
        return "There are no people in the take: nothing was written."
    what = _names(written) if takes == 1 else f"{len(written)} files of {takes} takes"
    lines = [f"Wrote {what} to {folder}"]
    lines += [line for each in written if (line := _readback(each))]
    return "\n".join([*lines, *hints])


def _names(written: list[ExportedFile]) -> str:
    return ", ".join(each.path.name for each in written)


def _readback(file: ExportedFile) -> str:
    facts = []
    if file.joint_error is not None:
        facts.append(f"joints within {1000 * file.joint_error:.2g} mm")
    if file.rate is not None:
        facts.append(f"{file.rate:.3f}".rstrip("0").rstrip(".") + " frames per second")
    checked = f"{file.path.name} read back: {', '.join(facts)}" if facts else ""
    note = f"{file.path.name}: {file.note}" if file.note and not checked else file.note
    return "; ".join(text for text in (checked, note) if text)
