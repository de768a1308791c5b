"""Entry point: without arguments the window opens, commands run in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pymaf_live.cli import app as cli
from pymaf_live.cli.output import print_error
from pymaf_live.errors import InputError, PymafLiveError
from pymaf_live.sources.camera_address import is_camera
from pymaf_live.system.program import DEBUG_OPTION, run_program

_WINDOW_OPTIONS = ("--model", "--backend")


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window or run a command, and return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments without the program's name; those of the process by default.
    """
    args = list(sys.argv[1:] if arguments is None else arguments)
    missing = _missing_file(args)
    if missing:
        error = InputError(f"there is no file {missing}")
        print_error(error)
        return error.exit_code
    return _open_window(args) if _is_for_window(args) else cli.main(args)


def run() -> None:
    """Run `main` and end the process with its exit code."""
    run_program(main)


def _is_for_window(args: Sequence[str]) -> bool:
    if not args or args[0].startswith(_WINDOW_OPTIONS):
        return True
    first = args[0]
    if first.startswith("-") or first in cli.COMMANDS:
        return False
    # a source opens the window; anything else is left to the command line, which reports it
    return is_camera(first) or "://" in first or Path(first).exists()


def _missing_file(args: Sequence[str]) -> str:
    """Return the first argument if it names a file that does not exist; empty otherwise."""
    first = args[0] if args else ""
    if not first or first.startswith("-") or first in cli.COMMANDS or "://" in first:
        return ""
    names_file = bool(Path(first).suffix) or len(Path(first).parts) > 1
    return first if names_file and not is_camera(first) and not Path(first).exists() else ""


def _open_window(args: Sequence[str]) -> int:
    from ui.app import run_window

    debug = DEBUG_OPTION in args
    try:
        return run_window([text for text in args if text != DEBUG_OPTION])
    except PymafLiveError as error:
        if debug:
            raise
        print_error(error)
        return error.exit_code
