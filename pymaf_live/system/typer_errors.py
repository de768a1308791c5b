"""Error handling for typer applications that report every failure in one line.

Typer ends the program silently with exit code 1 on an `EOFError` (taken for a closed prompt) and on
a broken pipe (taken for a reader that went away). Here an `EOFError` may come from a damaged video
and a broken pipe from any pipe of the program, so both must reach `main`.
"""

from __future__ import annotations

import errno
import select
import sys
from typing import Any

from typer.core import TyperGroup

from pymaf_live.errors import Interrupted


class RaisedError(Exception):
    """Carries an error past typer; its `__cause__` is the error."""


class CommandGroup(TyperGroup):
    """Typer group whose errors leave `main` as they were raised."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Raises
        ------
        RaisedError
            Wraps the errors that typer would swallow.
        Interrupted
            After Ctrl-C.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted; incomplete files were removed") from error
        except (EOFError, OSError) as error:
            raise RaisedError from error


def usage_message(error: BaseException) -> str | None:
    """Return typer's text of a usage error without its full stop, None for other errors."""
    format_message = getattr(error, "format_message", None)
    return str(format_message()).rstrip(".") if callable(format_message) else None


def is_output_closed(error: BaseException) -> bool:
    """Return True if a broken pipe means that the reader of stdout or stderr went away."""
    if not (isinstance(error, OSError) and error.errno == errno.EPIPE):
        return False
    try:
        descriptors = [sys.stdout.fileno(), sys.stderr.fileno()]
        poll = select.poll()
    except (AttributeError, OSError, ValueError):
        return True  # cannot be determined here; a closed output is the usual reason
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLOUT)
    return any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))
