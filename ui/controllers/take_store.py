"""Access to the take library in threads, with writes in order."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress

from pymaf_live.errors import PymafLiveError
from pymaf_live.takes.library import StoredTake, TakeLibrary
from ui.controllers.messages import Messages
from ui.state.take import TakesState
from ui.system.task_runner import TaskRunner


class TakeStore:
    """Reads and writes takes of the library without blocking the window.

    Writes are numbered: one that is overtaken by a newer write or by a deletion has no effect.

    Parameters
    ----------
    state : TakesState
        Its `entries` are written here.
    tasks : TaskRunner
    messages : Messages
    library : TakeLibrary, optional
        The user's by default.
    """

    def __init__(
        self,
        state: TakesState,
        tasks: TaskRunner,
        messages: Messages,
        library: TakeLibrary | None = None,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._messages = messages
        self.library = library or TakeLibrary()
        self._numbers = itertools.count(1)
        self._written: dict[str, int] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """List the takes of the library."""
        self._tasks.submit(
            "list takes", self.library.entries, self._state.entries.set, self._messages.error
        )

    def load(self, take_id: str) -> StoredTake:
        """Read a take; blocks, for a task's thread.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        with self._lock:
            return self.library.load(take_id)

    def save(self, take_id: str, stored: StoredTake) -> None:
        """Write an edited take."""
        number = next(self._numbers)

        def work() -> None:
            with self._lock:
                if self._written.get(take_id, 0) < number:
                    self.library.save(take_id, stored)
                    self._written[take_id] = number

        self._tasks.submit("save take", work, lambda _: self.refresh(), self._messages.error)

    def rename(self, take_id: str, name: str) -> None:
        """Rename a take."""

        def work() -> None:
            with self._lock:
                self.library.rename(take_id, name)

        self._tasks.submit("rename take", work, lambda _: self.refresh(), self._on_failed)

    def mark_exported(self, take_id: str) -> None:
        """Note that a take has been exported; blocks, for a task's thread."""
        with self._lock, suppress(PymafLiveError):  # a take may have been deleted meanwhile
            self.library.mark_exported(take_id)

    def delete(self, take_id: str) -> None:
        """Delete a take; pending writes of it have no effect."""

        def work() -> None:
            with self._lock:
                self._written[take_id] = next(self._numbers)
                self.library.delete(take_id)

        self._tasks.submit("delete take", work, lambda _: self.refresh(), self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        self._messages.error(error)
        self.refresh()
