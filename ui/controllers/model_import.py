"""Files under their owners' terms, brought by a person: SMPL's body and PyMAF's checkpoint.

The body is read by the program itself. The checkpoint takes torch, which the program does without:
the trainer imports it in a process of its own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pymaf_live.body import Body
from pymaf_live.body.registry import import_body, user_model_folder
from pymaf_live.errors import Interrupted, ModelError, PymafLiveError
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.system.trainer_entry import TrainerMissingError, find_entry, run_in_trainer
from ui.state.model import Building, ModelState
from ui.system.task_runner import TaskRunner

T = TypeVar("T")

_NAME = "pymaf"
"""Of the imported model and of its body, as the trainer's command calls them."""


class ModelImporter:
    """Owned by `Models`.

    Parameters
    ----------
    state : ModelState
        Its `building` and `complaint` are written here.
    tasks : TaskRunner
    complain : callable
        Shows why something failed.
    tell : callable
        Shows what was done.
    add : callable
        Takes an imported model file on the list.
    """

    def __init__(
        self,
        state: ModelState,
        tasks: TaskRunner,
        complain: Callable[[Exception], None],
        tell: Callable[[str], None],
        add: Callable[[Path], None],
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._complain = complain
        self._tell = tell
        self._add = add
        self._stop: threading.Event | None = None

    def import_body(self, path: Path) -> None:
        """Take SMPL's own file into the person's folder of bodies."""
        name = body_name(path)
        stop = self._begin(f"Reading {path.name}…")

        def done(body: Body) -> None:
            self._tell(
                f"{path.name} is here as the body {name}: {len(body.template)} vertices, "
                f"{body.joint_count} joints. Models made for it can be added, and takes "
                "exported on it."
            )

        self._run(stop, "bring body", lambda: import_body(path, name), done)

    def import_checkpoint(self, checkpoint: Path, smpl: Path) -> None:
        """Make a model file of PyMAF's published checkpoint and its body, and choose it."""
        try:
            find_entry("import_pymaf")
        except TrainerMissingError as error:
            self._complain(error)
            return
        stop = self._begin(f"Importing {checkpoint.name}; this may take a minute or two")
        self._run(stop, "bring checkpoint", lambda: imported(checkpoint, smpl, stop), self._add)

    def cancel(self) -> None:
        """End what goes on."""
        if self._stop is not None:
            self._stop.set()
            self._state.building.set(Building("Ending the import…", "", None, stopping=True))

    def _begin(self, text: str) -> threading.Event:
        self.cancel()
        self._stop = threading.Event()
        self._state.complaint.set("")
        self._state.building.set(Building(text, "", None))
        return self._stop

    def _run(
        self, stop: threading.Event, name: str, work: Callable[[], T], done: Callable[[T], None]
    ) -> None:
        def after(then: Callable[[], None]) -> None:
            if self._stop is stop:
                self._stop = None
                self._state.building.set(None)
                then()

        self._tasks.submit(
            name,
            work,
            lambda result: after(lambda: done(result)),
            lambda error: after(lambda: self._complain(error)),
        )


def body_name(path: Path) -> str:
    """What to call a body by its file: letters, digits, - and _."""
    name = re.sub("[^A-Za-z0-9_]+", "-", path.stem).strip("-_")[:40]
    return name if name and name != "open" else "smpl"


def imported(checkpoint: Path, smpl: Path, stop: threading.Event) -> Path:
    """Convert a checkpoint in a child process and return the model file.

    Raises
    ------
    ModelError
        If the checkpoint cannot be converted.
    Interrupted
        If `stop` was set.
    """
    arguments = {
        "checkpoint": str(checkpoint),
        "smpl": str(smpl),
        "name": _NAME,
        "out": str(user_model_folder() / f"{_NAME}.onnx"),
    }
    try:
        return Path(run_in_trainer("import_pymaf", arguments, reporter=_StopReporter(stop)))
    except Interrupted:
        raise
    except PymafLiveError as error:
        raise ModelError(f"the checkpoint was not imported: {error}") from error


class _StopReporter(SilentReporter):
    """Reporter that is cancelled by an event."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def cancelled(self) -> bool:
        """Return True once the event is set."""
        return self._stop.is_set()
