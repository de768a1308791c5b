"""Manage the library of takes."""

from __future__ import annotations

from pathlib import Path

from pymaf_live.body import Body
from pymaf_live.body.registry import body_by_hash
from pymaf_live.errors import InputError
from pymaf_live.takes import trimmed
from pymaf_live.takes.library import TakeEntry, clean_name
from pymaf_live.takes.take import Take
from pymaf_live.workflows.import_take import import_take
from ui.controllers.messages import Messages
from ui.controllers.recording import RecordingController
from ui.controllers.take_review import TakeReviewController
from ui.controllers.take_store import TakeStore
from ui.controllers.take_tasks import TakeTasks
from ui.state.commands import TakeCommands
from ui.state.take import OpenTake, TakesState
from ui.system.task import Task
from ui.system.task_runner import TaskRunner

_SMOOTHING_SECONDS = 120.0
"""Longest wait of an export for a take that is still being smoothed."""
_NO_TAKE = "there is no take; record one, or open one from the list"


class TakesController(TakeCommands):
    """Opens, renames and deletes takes of the library.

    Parameters
    ----------
    state : TakesState
    tasks : TaskRunner
    take_tasks : TakeTasks
    store : TakeStore
    review : TakeReviewController
        Shows the take that is opened.
    recording : RecordingController
        Has the latest recording.
    messages : Messages
    """

    def __init__(
        self,
        state: TakesState,
        tasks: TaskRunner,
        take_tasks: TakeTasks,
        store: TakeStore,
        review: TakeReviewController,
        recording: RecordingController,
        messages: Messages,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._take_tasks = take_tasks
        self._store = store
        self._review = review
        self._recording = recording
        self._messages = messages
        self._latest_request = 0
        self._closed = False

    def open(self, take_id: str) -> None:
        """See `TakeCommands.open`."""
        self._review.save()
        self._latest_request += 1
        request_id = self._latest_request

        def done(result: tuple[OpenTake, Body]) -> None:
            if request_id == self._latest_request and not self._closed:
                self._review.show(*result)

        self._take_tasks.submit(
            Task("Opening the take…"), lambda _: self._load(take_id), done, self._messages.error
        )

    def open_file(self, path: Path) -> None:
        """See `TakeCommands.open_file`."""
        self._messages.clear()

        def done(entry: TakeEntry) -> None:
            self._store.refresh()
            self.open(entry.id)

        self._tasks.submit(
            "import take",
            lambda: import_take(self._store.library, path),
            done,
            self._messages.error,
        )

    def open_latest(self) -> None:
        """See `TakeCommands.open_latest`."""
        latest = self._recording.latest
        if latest is not None and latest.ready.is_set() and latest.id is not None:
            self.open(latest.id)
        elif self._state.entries.value:
            self.open(self._state.entries.value[0].id)

    def rename(self, take_id: str, name: str) -> None:
        """See `TakeCommands.rename`."""
        name = clean_name(name)
        entries = self._state.entries.value
        before = next((each.about.name for each in entries if each.id == take_id), None)
        if not name or before is None or name == before:
            return
        self._rename(take_id, name)
        self._review.undo_stack.push(
            "rename", lambda: self._rename(take_id, before), lambda: self._rename(take_id, name)
        )

    def delete(self, take_id: str) -> None:
        """See `TakeCommands.delete`."""
        self._review.take_deleted(take_id)
        self._review.undo_stack.clear()
        self._recording.take_deleted(take_id)
        self._store.delete(take_id)

    def stored_take(self, take_id: str) -> Take:
        """Return a take of the library as it is exported: trimmed, with its latest edits.

        For a task's thread.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        opened = self._state.opened.value
        if opened is not None and opened.id == take_id:
            return trimmed(opened.stored.take)
        return trimmed(self._store.load(take_id).take)

    @property
    def current_id(self) -> str | None:
        """Id of the open take, else of the latest recording; None if there is none."""
        opened, latest = self._state.opened.value, self._recording.latest
        if opened is not None:
            return opened.id
        return latest.id if latest is not None else None

    def current_take(self) -> Take:
        """Return the take to export: the open one, else the latest recording; trimmed.

        Waits until the take has been smoothed; for a task's thread.

        Raises
        ------
        InputError
            If there is no take, or its smoothing takes too long.
        """
        opened = self._state.opened.value
        if opened is not None:
            return trimmed(opened.stored.take)
        latest = self._recording.latest
        if latest is None:
            raise InputError(_NO_TAKE)
        if not latest.ready.wait(_SMOOTHING_SECONDS):
            raise InputError("the take is still being smoothed; try again later")
        if latest.error is not None:
            raise latest.error
        if latest.id is None:
            raise InputError(_NO_TAKE)
        return trimmed(self._store.load(latest.id).take)

    def _load(self, take_id: str) -> tuple[OpenTake, Body]:
        stored = self._store.load(take_id)
        file = stored.about.file
        full_size = file is not None and file.exists()
        has_images = full_size or self._store.library.image_copies(take_id) is not None
        opened = OpenTake(take_id, stored, full_size, has_images)
        return opened, body_by_hash(stored.take.body_sha256)

    def close(self) -> None:
        """Show no more takes: the window is closing."""
        self._closed = True

    def _rename(self, take_id: str, name: str) -> None:
        opened = self._state.opened.value
        if opened is not None and opened.id == take_id:
            self._review.rename(name)
        else:
            self._store.rename(take_id, name)
