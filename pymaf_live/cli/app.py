"""Entry point of the command line: the commands, and errors as one line with an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from pymaf_live import __version__
from pymaf_live.cli.commands.bench import bench
from pymaf_live.cli.commands.character import character
from pymaf_live.cli.commands.doctor import doctor
from pymaf_live.cli.commands.export import export
from pymaf_live.cli.commands.live import live
from pymaf_live.cli.commands.process import process
from pymaf_live.cli.commands.recover import recover
from pymaf_live.cli.output import PROGRAM, print_error, with_advice
from pymaf_live.errors import ModelError, PymafLiveError, UsageError
from pymaf_live.system.typer_errors import (
    CommandGroup,
    RaisedError,
    is_output_closed,
    usage_message,
)

_COMMAND_FUNCTIONS = (process, export, live, recover, character, bench, doctor)
COMMANDS = tuple(function.__name__ for function in _COMMAND_FUNCTIONS)
"""Names of the commands."""

_OLD_OPTION_NAMES = {"smooth": "smoothing"}
"""Former names of options; still accepted, not shown in the help."""

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: _OLD_OPTION_NAMES.get(name, name),
    },
    help="Estimate 3D body motion from video and export it to other programs. Without a command "
    "the window opens.",
)
for _function in _COMMAND_FUNCTIONS:
    app.command()(_function)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options before a command; `main` has handled --debug already, at any position."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and print errors as one line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 some inputs failed, 2 wrong usage, 3 input unusable, 4 output
        unusable, 5 model or back-end unusable, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments or ["--help"], prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except PymafLiveError as error:
        if debug:
            raise
        print_error(with_advice(error))
        return error.exit_code
    except Exception as error:
        cause = error.__cause__ if isinstance(error, RaisedError) else error
        if is_output_closed(cause or error):
            # nothing can be printed any more; keep the interpreter from trying at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        if debug:
            raise
        return _print_unexpected(cause if isinstance(cause, Exception) else error)
    return code if isinstance(code, int) else 0


def _print_unexpected(error: Exception) -> int:
    if isinstance(error, (typer.Exit, typer.Abort)):
        return int(getattr(error, "exit_code", 1))
    usage = usage_message(error)
    if usage is not None:
        print_error(f"{usage}; see {PROGRAM} --help")
        return UsageError.exit_code
    if isinstance(error, MemoryError):
        print_error("out of memory; try smaller images or fewer people")
        return 1
    if isinstance(error, ImportError) and ".so" in str(error):
        # a bare server lacks what OpenCV's wheel links to (libGL)
        print_error(f"a system library is missing ({error}); run {PROGRAM} doctor for the remedy")
        return ModelError.exit_code
    print_error(f"unexpected error: {type(error).__name__}: {error}; --debug shows the traceback")
    return 1
