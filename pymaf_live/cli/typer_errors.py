"""Errors of a command as it raised them, past typer, which ends the program for some silently.

For typer an `EOFError` is somebody who closes the terminal at a question, and a broken pipe whoever
read the output: both then end with code 1, silently. Here the one may come from a damaged film and
the other from any of the program's own pipes.
"""

from __future__ import annotations

import errno
import select
import sys
from typing import Any

from typer.core import TyperGroup

from pymaf_live.errors import Interrupted


class RaisedError(Exception):
    """Carries an error past typer; its cause is the error."""


class CommandGroup(TyperGroup):
    """Commands whose errors come out of `main` as they were raised."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Raises
        ------
        RaisedError
            For what typer would end silently.
        Interrupted
            By Ctrl-C.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted; files that were not complete are not there") from error
        except (EOFError, OSError) as error:
            raise RaisedError from error


def nobody_reads(error: BaseException) -> bool:
    """Whether an error only says that whoever read the output went away."""
    if not (isinstance(error, OSError) and error.errno == errno.EPIPE):
        return False
    try:
        outputs = [sys.stdout.fileno(), sys.stderr.fileno()]
        looking = select.poll()
    except (AttributeError, OSError, ValueError):
        return True  # it cannot be told here, and mostly is the reason
    for output in outputs:
        looking.register(output, select.POLLOUT)
    return any(what & (select.POLLERR | select.POLLNVAL) for _, what in looking.poll(0))
