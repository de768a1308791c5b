"""The one entry: no arguments open the window, commands go to the command line."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from pymaf_live.cli import app as cli
from pymaf_live.cli.output import print_error
from pymaf_live.errors import PymafLiveError
from pymaf_live.sources.camera_address import is_camera
from pymaf_live.system.bounded_queue import THREAD_PREFIX
from pymaf_live.system.native_logs import filter_native_logs

_WINDOW_OPTIONS = ("--model", "--backend")


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window, or run a command; give the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; the process's own by default.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    return _open_window(given) if _is_for_window(given) else cli.main(given)


def run() -> None:
    """The program: `main`, then the end of the process with its exit code."""
    if "--debug" in sys.argv:
        code = main()
    else:
        with filter_native_logs():
            code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if any(thread.name.startswith(THREAD_PREFIX) for thread in threading.enumerate()):
        # a model that is still being loaded, a device that hangs in its driver: taking the
        # interpreter down around such a thread would end in an abort instead of the exit code
        os._exit(code)
    sys.exit(code)


def _is_for_window(given: Sequence[str]) -> bool:
    if not given or given[0].startswith(_WINDOW_OPTIONS):
        return True
    first = given[0]
    if first.startswith("-") or first in cli.COMMANDS:
        return False
    # something to look at; a mistyped command is none
    return is_camera(first) or "://" in first or Path(first).is_file()


def _open_window(given: Sequence[str]) -> int:
    from ui.app import run_window

    debug = "--debug" in given
    try:
        return run_window([text for text in given if text != "--debug"])
    except PymafLiveError as error:
        if debug:
            raise
        print_error(error)
        return error.exit_code
