"""Lines for the terminal: results go to stdout, notes and errors to stderr."""

from __future__ import annotations

import sys

from pymaf_live.errors import EndlessSourceError, OutputExistsError, PymafLiveError

PROGRAM = "pymaf-live"
"""Name of the program in its messages."""


def print_stderr(line: str) -> None:
    """Print one line to stderr, whatever characters `line` contains."""
    sys.stderr.write(single_line(line) + "\n")
    sys.stderr.flush()


def print_error(error: object) -> None:
    """Print an error to stderr as one line that starts with the program's name."""
    print_stderr(f"{PROGRAM}: {error}")


def print_note(text: str) -> None:
    """Print a note to stderr: something worth reading that is not an error."""
    print_stderr(f"note: {text}")


def single_line(text: str) -> str:
    """Return `text` without line breaks and control characters, which file names may contain."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in words)


def with_advice(error: PymafLiveError) -> str:
    """Return the text of an error, with the option or command that helps."""
    if isinstance(error, OutputExistsError):
        return f"{error}; add --force to replace {'them' if error.others else 'it'}"
    if isinstance(error, EndlessSourceError):
        return f"{error}; record it with {PROGRAM} live"
    return str(error)
