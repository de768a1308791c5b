"""Bind the settings file to the state of the window."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pydantic import ValidationError

from pymaf_live.errors import OutputError
from pymaf_live.settings import Settings, load_settings, save_settings
from ui.state.setting import UNCHANGED, bound_settings
from ui.state.window import Message, WindowState

_log = logging.getLogger(__name__)


class SettingsBinding:
    """Loads the settings into the state, and writes what has changed."""

    def __init__(self) -> None:
        self.settings, self._notice = load_settings()
        self._write_lock = threading.Lock()
        self._requests = 0
        self._written = 0
        self._failed = False

    def apply(self, state: WindowState) -> None:
        """Set the state from the settings."""
        for bound in bound_settings(state):
            bound.load(getattr(self.settings, bound.name))
        if self._notice:
            state.message.set(Message("note", self._notice))

    def save(self, state: WindowState) -> None:
        """Write the settings if they have changed; a failure is logged."""
        write = self.pending_write(state, retry=True)
        if write is not None:
            write()

    def pending_write(
        self, state: WindowState, *, retry: bool = False
    ) -> Callable[[], None] | None:
        """Return the function that writes the current settings; None if they are stored already.

        The function may run in any thread. One that runs after a newer one does nothing.

        Parameters
        ----------
        state : WindowState
        retry : bool
            Also return it if the last write of the same settings failed.
        """
        changes = {
            bound.name: value
            for bound in bound_settings(state)
            if (value := bound.value()) is not UNCHANGED
        }
        try:
            settings = Settings.model_validate({**dict(self.settings), **changes})
        except ValidationError as error:
            _log.warning("the settings were not saved: %s", error)
            return None
        if settings == self.settings and not (retry and self._failed):
            return None
        self.settings = settings
        self._requests += 1
        number = self._requests

        def write() -> None:
            with self._write_lock:
                if number < self._written:
                    return
                self._written = number
                try:
                    save_settings(settings)
                    self._failed = False
                except OutputError as error:
                    self._failed = True
                    _log.warning("the settings were not saved: %s", error)

        return write
