"""The kinds of error a user can meet, each with its exit code and one line to read."""

from __future__ import annotations

from typing import ClassVar


class PymafLiveError(Exception):
    """Base of all errors that are told to the user as one line.

    Parameters
    ----------
    message : str
        What is wrong and, where something can be done, what to do; one line.
    """

    exit_code: ClassVar[int] = 1


class UsageError(PymafLiveError):
    """The command or a setting was used wrongly."""

    exit_code = 2


class InputError(PymafLiveError):
    """A source (video, picture, folder, camera, stream, boxes file, take) cannot be used."""

    exit_code = 3


class OutputError(PymafLiveError):
    """A result cannot be written."""

    exit_code = 4


class ModelError(PymafLiveError):
    """A model, a body file or an inference back-end cannot be used."""

    exit_code = 5


class Interrupted(PymafLiveError):  # noqa: N818 - the event, not a fault
    """The user stopped the work; what was done so far is complete on disk."""

    exit_code = 130
