"""Errors shown to the user, each kind with its exit code.

A message is one line: the cause and, where possible, the remedy. Advice that depends on the front
end (a command-line flag, a button) is added by the front end from the error's data.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class PymafLiveError(Exception):
    """Base of all errors that are shown to the user as one line.

    Parameters
    ----------
    message : str
        Cause and, where possible, remedy; one line.
    """

    exit_code: ClassVar[int] = 1


class UsageError(PymafLiveError):
    """Invalid command, option or setting."""

    exit_code = 2


class InputError(PymafLiveError):
    """Unusable source: video, image, folder, camera, stream, boxes file or take."""

    exit_code = 3


class OutputError(PymafLiveError):
    """Result that cannot be written."""

    exit_code = 4


class OutputExistsError(OutputError):
    """Output file that exists already and must not be replaced.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} already exists"


class ModelError(PymafLiveError):
    """Unusable model, body file or inference back-end."""

    exit_code = 5


class Interrupted(PymafLiveError):  # noqa: N818 - an event, not a fault
    """Work stopped by the user; everything finished until then is complete on disk."""

    exit_code = 130
