"""Terminal output that never fails because of a character."""

from __future__ import annotations

import contextlib
import io
import sys


def escape_unencodable_output() -> None:
    r"""Print characters that the terminal's encoding lacks as escapes, such as \u65e5.

    By default Python raises UnicodeEncodeError: with cp1252, which Windows uses for redirected
    output, a Japanese file name in a message would end the program.
    """
    for stream in (sys.stdout, sys.stderr):
        # streams that a test or an embedding program put there may have no such setting
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors="backslashreplace")


def encodable(text: str) -> str:
    """Return text with ``?`` for characters that UTF-8 lacks, such as bytes of odd file names."""
    return text.encode(errors="replace").decode()
