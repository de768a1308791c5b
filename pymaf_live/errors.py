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


class EndlessSourceError(UsageError):
    """Live source where one of finite length is needed.

    Parameters
    ----------
    name : str
        Name of the source.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        """Return the cause; the remedy depends on the front end."""
        return f"{self.name} is live and has no end"


class InputError(PymafLiveError):
    """Unusable source: video, image, folder, camera, stream, boxes file or take."""

    exit_code = 3


class BodyMismatchError(InputError):
    """Take and chosen model that belong to different bodies.

    Parameters
    ----------
    model : str
        Model that the take was made with; may be empty.
    """

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        """Return the cause; the remedy depends on the front end."""
        return f"the take has the body of {self.model or 'another model'}"


class OutputError(PymafLiveError):
    """Result that cannot be written."""

    exit_code = 4


class OutputExistsError(OutputError):
    """Output file or folder that already exists and must not be replaced.

    Parameters
    ----------
    path : Path
        The existing file or folder.
    others : int
        Number of further results that exist.
    """

    def __init__(self, path: Path, others: int = 0) -> None:
        super().__init__(path, others)
        self.path = path
        self.others = others

    def __str__(self) -> str:
        """Return the cause; the remedy depends on the front end."""
        if self.others:
            return f"{self.path} and {self.others} more already exist"
        return f"{self.path} already exists"


class ModelError(PymafLiveError):
    """Unusable model, body file or inference back-end."""

    exit_code = 5


class Interrupted(PymafLiveError):  # noqa: N818 - an event, not a fault
    """Work stopped by the user; everything finished until then is complete on disk."""

    exit_code = 130
