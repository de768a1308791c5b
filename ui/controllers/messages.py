"""Messages of the controllers to the user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pymaf_live.errors import Interrupted
from ui.state.observable import Observable
from ui.state.window import Message
from ui.system.error_text import error_text, sentence


class Messages:
    """Shows one message at a time in the window.

    Parameters
    ----------
    message : Observable of Message or None
        Written here.
    """

    def __init__(self, message: Observable[Message | None]) -> None:
        self._message = message
        self._muted = False

    def error(self, error: Exception) -> None:
        """Show an error; a cancellation is shown as a note."""
        if not isinstance(error, Interrupted):
            self._message.set(Message("error", error_text(error)))
        elif not self._muted:
            self._message.set(Message("note", sentence(str(error))))

    def error_line(self, text: str) -> None:
        """Show text as an error."""
        self._message.set(Message("error", text))

    def note(self, text: str, files: Sequence[Path] = ()) -> None:
        """Show a note."""
        self._message.set(Message("note", text, tuple(files)))

    def done(self, text: str, files: Sequence[Path] = ()) -> None:
        """Show that something has been completed, with the files it has written."""
        self._message.set(Message("done", text, tuple(files)))

    def take(self, text: str, take_id: str) -> None:
        """Show that a take is ready, with a button that opens it."""
        self._message.set(Message("done", text, take_id=take_id))

    def clear(self) -> None:
        """Remove the message."""
        self._message.set(None)

    def mute_cancellations(self) -> None:
        """Show no further cancellations: the window is closing."""
        self._muted = True
