"""Files under their owners' terms, brought by a person: SMPL's body and PyMAF's checkpoint.

The body is read by the program itself. The checkpoint takes torch, which the program does without:
the trainer's own command imports it in a process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pymaf_live.body import Body
from pymaf_live.body.registry import adopt, user_models
from pymaf_live.errors import Interrupted, ModelError
from ui.state.model import Building, ModelState
from ui.system.task_runner import Errands

T = TypeVar("T")

_NEEDS_TORCH = (
    "importing PyMAF's checkpoint needs torch, which comes with the extra for training: "
    "pip install 'pymaf-live[train]'"
)
_LOOK_SECONDS = 0.1
_NAME = "pymaf"
"""Of the imported model and of its body, as the trainer's command calls them."""


class Bringing:
    """Owned by `Models`.

    Parameters
    ----------
    state : ModelState
        Its `building` and `complaint` are written here.
    errands : Errands
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
        errands: Errands,
        complain: Callable[[Exception], None],
        tell: Callable[[str], None],
        add: Callable[[Path], None],
    ) -> None:
        self._state = state
        self._errands = errands
        self._complain = complain
        self._tell = tell
        self._add = add
        self._stop: threading.Event | None = None

    def bring_body(self, path: Path) -> None:
        """Take SMPL's own file into the person's folder of bodies."""
        name = body_name(path)
        stop = self._begin(f"Reading {path.name}…")

        def done(body: Body) -> None:
            self._tell(
                f"{path.name} is here as the body {name}: {len(body.template)} vertices, "
                f"{body.joint_count} joints. Models made for it can be added, and takes "
                "exported on it."
            )

        self._run(stop, "bring body", lambda: adopt(path, name), done)

    def bring_checkpoint(self, checkpoint: Path, smpl: Path) -> None:
        """Make a model file of PyMAF's published checkpoint and its body, and choose it."""
        if importlib.util.find_spec("torch") is None or importlib.util.find_spec("trainer") is None:
            self._complain(ModelError(_NEEDS_TORCH))
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

        self._errands.run(
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
    """Run the trainer's import in a process of its own; the model file.

    Raises
    ------
    ModelError
        With what it says, where it fails.
    Interrupted
        If `stop` was set.
    """
    found = importlib.util.find_spec("trainer")
    home = str(Path(found.origin).parents[1]) if found is not None and found.origin else ""
    paths = [home, os.environ.get("PYTHONPATH", "")]
    out = user_models() / f"{_NAME}.onnx"
    # -P: not some other package of that name where the program was started
    command = [sys.executable, "-P", "-m", "trainer", "import", "pymaf", str(checkpoint)]
    command += ["--smpl", str(smpl), "--name", _NAME, "--out", str(out)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
    except OSError as error:
        raise ModelError(f"the import cannot begin: {error.strerror or error}") from error
    with process:
        while True:
            with suppress(subprocess.TimeoutExpired):
                _, said = process.communicate(timeout=_LOOK_SECONDS)
                break
            if stop.is_set():
                process.kill()
                process.communicate()
                raise Interrupted("the checkpoint was not imported: stopped")
    if process.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        why = lines[-1].removeprefix("trainer: ") if lines else "no reason given"
        raise ModelError(f"the checkpoint was not imported: {why}")
    return out
