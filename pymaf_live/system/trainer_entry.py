"""Functions of the trainer that the program runs, each in a process of its own.

The runtime does not import the trainer, which needs torch. The trainer publishes the functions as
entry points of the group ``pymaf_live.trainer`` (pyproject.toml); `run_in_trainer` looks one up and
runs it in a child process, so that torch's memory is freed afterwards and the work can be
cancelled at any time. Arguments and result travel as JSON.

Entry points exist where the package is installed (``pip install '.[train]'``), not in a bare
checkout.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pymaf_live.errors import (
    InputError,
    Interrupted,
    ModelError,
    OutputError,
    PymafLiveError,
    UsageError,
)
from pymaf_live.system.reporter import SILENT, Reporter

GROUP = "pymaf_live.trainer"
"""Entry-point group that the trainer's functions are published under."""

_POLL_SECONDS = 0.1
_ERRORS = {kind.exit_code: kind for kind in (UsageError, InputError, OutputError, ModelError)}


class TrainerMissingError(ModelError):
    """The trainer or torch is not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(f"{missing} is not installed; run: pip install 'pymaf-live[train]'")


def find_entry(name: str) -> EntryPoint:
    """Return the entry point of one of the trainer's functions.

    Raises
    ------
    TrainerMissingError
        If the trainer or torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise TrainerMissingError("torch")
    for entry in entry_points(group=GROUP, name=name):
        return entry
    raise TrainerMissingError("the trainer")


def run_in_trainer(
    name: str,
    arguments: Mapping[str, str | float | None],
    *,
    reporter: Reporter = SILENT,
    timeout: float | None = None,
) -> Any:
    """Run one of the trainer's functions in a child process and return its result.

    Parameters
    ----------
    name : str
        Name of the entry point, such as 'import_pymaf'.
    arguments : mapping
        Keyword arguments of the function; JSON values.
    reporter : Reporter
        Only `cancelled` is used: the child process is killed then.
    timeout : float, optional
        Seconds; unlimited by default.

    Returns
    -------
    object
        Result of the function, as JSON carries it.

    Raises
    ------
    TrainerMissingError
        If the trainer or torch is not installed.
    PymafLiveError
        Error of the function, of the same class.
    ModelError
        If the function fails otherwise, or takes longer than `timeout`.
    Interrupted
        If the reporter was cancelled.
    """
    entry = find_entry(name)
    # -P keeps a package of the same name in the working directory out
    command = [sys.executable, "-P", "-m", "pymaf_live.system.trainer_entry", entry.value]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": _search_path()},
        )
    except OSError as error:
        raise ModelError(f"the trainer cannot be started: {error.strerror or error}") from error
    limit = None if timeout is None else time.monotonic() + timeout
    text: str | None = json.dumps(dict(arguments))
    with process:
        while True:
            with suppress(subprocess.TimeoutExpired):
                output, errors = process.communicate(text, timeout=_POLL_SECONDS)
                break
            text = None  # sent by the first call
            cancelled = reporter.cancelled()
            if cancelled or (limit is not None and time.monotonic() > limit):
                process.kill()
                process.communicate()
                if cancelled:
                    raise Interrupted("cancelled")
                raise ModelError(f"{name} took longer than {timeout:.0f} s")
    if process.returncode == 0:
        return json.loads(output)
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    reason = lines[-1] if lines else f"exit code {process.returncode}"
    raise _ERRORS.get(process.returncode, ModelError)(reason)


def _search_path() -> str:
    """Return PYTHONPATH for the child: the modules of this process, installed or not."""
    return os.pathsep.join([*(path for path in sys.path if path), os.environ.get("PYTHONPATH", "")])


def _main(value: str) -> int:
    """Run the function `value` ("module:function") on arguments from stdin; print its result."""
    # libraries print to stdout; the result must stay alone there
    result_stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        function = EntryPoint("", value, GROUP).load()
        result = function(**json.load(sys.stdin))
    except PymafLiveError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    json.dump(str(result) if isinstance(result, Path) else result, result_stream)
    result_stream.close()
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
