"""Import files that users obtain themselves: SMPL's body and PyMAF's checkpoint.

The program reads the body itself. Converting the checkpoint needs PyTorch, so the trainer does it
in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pymaf_live.body import Body
from pymaf_live.body.registry import import_body as import_body_file
from pymaf_live.body.registry import user_model_folder
from pymaf_live.errors import Interrupted, ModelError, PymafLiveError
from pymaf_live.system.trainer_entry import TrainerMissingError, find_entry, run_in_trainer
from ui.state.model import BuildProgress, ModelState
from ui.system.task import Task
from ui.system.task_runner import TaskRunner

T = TypeVar("T")

_NAME = "pymaf"
"""Name of the imported model and its body; the same as on the trainer's command line."""


class ModelImporter:
    """Imports one file at a time.

    Parameters
    ----------
    state : ModelState
        Written here: `build` and `error`.
    tasks : TaskRunner
    show_error : callable
        Shows why an import failed.
    show_done : callable
        Shows what was imported.
    add : callable
        Adds the imported model file to the list.
    """

    def __init__(
        self,
        state: ModelState,
        tasks: TaskRunner,
        show_error: Callable[[Exception], None],
        show_done: Callable[[str], None],
        add: Callable[[Path], None],
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._show_error = show_error
        self._show_done = show_done
        self._add = add
        self._task: Task | None = None

    def import_body(self, path: Path) -> None:
        """Import an SMPL body file into the user's folder of bodies."""
        name = body_name(path)
        task = self._start(f"Reading {path.name}…")

        def done(body: Body) -> None:
            self._show_done(
                f"{path.name} was imported as the body {name}: {len(body.template)} vertices, "
                f"{body.joint_count} joints. You can now add models made for it and export takes "
                "with it."
            )

        self._submit(task, "import body", lambda: import_body_file(path, name), done)

    def import_checkpoint(self, checkpoint: Path, smpl: Path) -> None:
        """Convert a published PyMAF checkpoint and its body to a model file, and choose it."""
        try:
            find_entry("import_pymaf")
        except TrainerMissingError as error:
            self._show_error(error)
            return
        task = self._start(f"Importing {checkpoint.name}; this may take a minute or two")
        self._submit(task, "import checkpoint", lambda: convert(checkpoint, smpl, task), self._add)

    def cancel(self) -> None:
        """Cancel the running import."""
        if self._task is not None:
            self._task.cancel()
            self._state.build.set(BuildProgress("Cancelling the import…", "", None, stopping=True))

    def _start(self, text: str) -> Task:
        self.cancel()
        self._task = Task(text)
        self._state.error.set("")
        self._state.build.set(BuildProgress(text, "", None))
        return self._task

    def _submit(
        self, task: Task, name: str, work: Callable[[], T], done: Callable[[T], None]
    ) -> None:
        def finish(callback: Callable[[], None]) -> None:
            if self._task is task:
                self._task = None
                self._state.build.set(None)
                callback()

        self._tasks.submit(
            name,
            work,
            lambda result: finish(lambda: done(result)),
            lambda error: finish(lambda: self._show_error(error)),
        )


def body_name(path: Path) -> str:
    """Return a name for a body derived from its file: letters, digits, - and _."""
    name = re.sub("[^A-Za-z0-9_]+", "-", path.stem).strip("-_")[:40]
    return name if name and name != "open" else "smpl"


def convert(checkpoint: Path, smpl: Path, task: Task) -> Path:
    """Convert a checkpoint in a child process and return the model file.

    Raises
    ------
    ModelError
        If the checkpoint cannot be converted.
    Interrupted
        If `task` was cancelled.
    """
    arguments = {
        "checkpoint": str(checkpoint),
        "smpl": str(smpl),
        "name": _NAME,
        "out": str(user_model_folder() / f"{_NAME}.onnx"),
    }
    try:
        return Path(run_in_trainer("import_pymaf", arguments, reporter=task))
    except Interrupted:
        raise
    except PymafLiveError as error:
        raise ModelError(f"the checkpoint was not imported: {error}") from error
