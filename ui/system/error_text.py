"""Phrase errors for the window: the cause as a sentence, then what to do in the window."""

from __future__ import annotations

import logging

from pymaf_live.errors import (
    BodyMismatchError,
    EndlessSourceError,
    OutputExistsError,
    PymafLiveError,
)

_log = logging.getLogger(__name__)


def error_text(error: Exception) -> str:
    """Return the cause of an error and, where there is one, the remedy in the window.

    The traceback of an error that is not meant for users is logged as well.
    """
    if isinstance(error, PymafLiveError):
        return " ".join(filter(None, (sentence(_cause(error)), _remedy(error))))
    _log.error("unexpected error", exc_info=error)
    return f"Something went wrong inside PyMAF Live ({type(error).__name__}: {error})."


def sentence(text: str) -> str:
    """Return text with a capital first letter and a full stop."""
    text = f"{text[:1].upper()}{text[1:]}"
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


def _cause(error: PymafLiveError) -> str:
    if isinstance(error, OutputExistsError):
        more = f" and {error.others} more of these files" if error.others else ""
        return f"The folder {error.path.parent} already has {error.path.name}{more}"
    return str(error)


def _remedy(error: PymafLiveError) -> str:
    if isinstance(error, OutputExistsError):
        return "Allow replacing files, or choose another name or folder."
    if isinstance(error, BodyMismatchError):
        return "Choose a model with that body on the Model page."
    if isinstance(error, EndlessSourceError):
        return "Open it and record it instead."
    return ""
