"""Show the open take, and apply and save its edits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pymaf_live.body import Body
from pymaf_live.takes.doubt import doubt_of
from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.library import StoredTake
from pymaf_live.workflows.take_images import open_take_images
from ui.controllers.take_player import TakePlayer
from ui.controllers.take_store import TakeStore
from ui.controllers.take_tasks import TakeTasks
from ui.controllers.undo import UndoStack
from ui.state.commands import TakeReviewCommands
from ui.state.take import OpenTake, Playhead
from ui.state.window import Phase, TakePhase, TakeStatus, WindowState, take_status
from ui.system.task_runner import TaskRunner

_SAVE_DELAY = 1.0
"""Seconds after the last edit before the take is written, so that many edits cost one write."""


class TakeReviewController(TakeReviewCommands):
    """Plays the open take, and keeps its edits and their undo stack.

    Parameters
    ----------
    state : WindowState
        Written here: the open take and its playhead; while a take is open also `phase`, `result`,
        `body` and `take`.
    tasks : TaskRunner
    take_tasks : TakeTasks
    store : TakeStore
    close_source : callable
        Closes what is open; the phase is EMPTY afterwards.
    latest_status : callable
        Returns the status of the latest recording, shown once no take is open.
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        take_tasks: TakeTasks,
        store: TakeStore,
        close_source: Callable[[], None],
        latest_status: Callable[[], TakeStatus],
    ) -> None:
        self._window = state
        self._state = state.takes
        self._tasks = tasks
        self._take_tasks = take_tasks
        self._store = store
        self._close_source = close_source
        self._latest_status = latest_status
        self.undo_stack = UndoStack(state.takes.undo_text, state.takes.redo_text)
        self._player: TakePlayer | None = None
        self._save_at: float | None = None
        state.speed.watch(self._on_speed_change)

    # -- opening and closing ------------------------------------------------------------------

    def show(self, opened: OpenTake, body: Body) -> None:
        """Show a take in place of the current source."""
        self._close_source()
        self._window.body.set(body)
        self.undo_stack.clear()
        stored = opened.stored
        copies = self._store.library.image_copies(opened.id)
        self._window.mirror.set(False)
        self._window.live.set(False)
        self._state.doubt.set(doubt_of(stored))
        self._state.opened.set(opened)
        self._window.phase.set(Phase.PAUSED)
        self._player = TakePlayer(
            stored.take,
            stored.raw,
            lambda: open_take_images(stored.raw, stored.about.file, copies),
            self._window.result.set,
            lambda frame, playing: self._state.playhead.set(Playhead(frame, playing)),
        )
        self._player.set_speed(self._window.speed.value)
        self._window.take.set(take_status(stored.about))

    def put_away(self) -> None:
        """Close the open take; unsaved edits are saved."""
        if self._player is None:
            return
        self.save()
        player, self._player = self._player, None
        self.undo_stack.clear()
        self._take_tasks.cancel()
        self._state.drawing_box.set(False)
        self._state.opened.set(None)
        self._state.doubt.set(None)
        self._state.span.set(None)
        self._state.playhead.set(Playhead())
        self._tasks.submit("close take", player.close, lambda _: None, lambda _: None)
        self._window.take.set(self._latest_status())

    def take_deleted(self, take_id: str) -> None:
        """Close the open take without saving if it is the one that is being deleted."""
        opened = self._state.opened.value
        if opened is not None and opened.id == take_id:
            self._save_at = None
            self._close_source()

    # -- playing ------------------------------------------------------------------------------

    def play(self) -> None:
        """Play from the current frame."""
        if self._player is not None:
            self._player.play()
            self._window.phase.set(Phase.PLAYING)

    def pause(self) -> None:
        """Hold the current frame."""
        if self._player is not None:
            self._player.pause()
            self._window.phase.set(Phase.PAUSED)

    def seek(self, frame: int) -> None:
        """See `TakeReviewCommands.seek`."""
        if self._player is not None:
            self._player.seek(frame)

    def _on_speed_change(self, speed: float) -> None:
        if self._player is not None:
            self._player.set_speed(speed)

    def step(self, frames: int) -> None:
        """See `TakeReviewCommands.step`."""
        if self._player is not None:
            self.pause()
            self._player.seek(self._player.frame + frames)

    def go_to_doubt(self, *, forward: bool) -> None:
        """See `TakeReviewCommands.go_to_doubt`."""
        doubt, player = self._state.doubt.value, self._player
        if doubt is None or player is None:
            return
        find = doubt.next_place if forward else doubt.previous_place
        frame = find(player.frame)
        if frame is not None:
            self.pause()
            player.seek(frame)

    # -- editing ------------------------------------------------------------------------------

    def edit(self, text: str, edited: StoredTake) -> None:
        """Replace the open take by an edited one; can be undone.

        Parameters
        ----------
        text : str
            Name of the edit as it follows 'Undo'.
        edited : StoredTake
        """
        opened = self._state.opened.value
        if opened is None:
            return
        before = opened.stored
        self._replace(edited)
        self.undo_stack.push(text, lambda: self._replace(before), lambda: self._replace(edited))

    def rename(self, name: str) -> None:
        """Rename the open take; saved at the next tick."""
        opened = self._state.opened.value
        if opened is not None:
            about = opened.stored.about.model_copy(update={"name": name})
            self._state.opened.set(replace(opened, stored=replace(opened.stored, about=about)))
            self._save_at = time.monotonic()

    def save(self) -> None:
        """Write the open take if it has unsaved edits."""
        opened = self._state.opened.value
        if self._save_at is not None and opened is not None:
            self._save_at = None
            self._store.save(opened.id, opened.stored)

    def _replace(self, stored: StoredTake) -> None:
        opened = self._state.opened.value
        if opened is None or self._player is None:
            return
        # the name is not part of the edits: undoing an edit keeps it
        about = stored.about.model_copy(update={"name": opened.stored.about.name})
        stored = replace(stored, about=about)
        self._state.doubt.set(doubt_of(stored))
        self._state.opened.set(replace(opened, stored=stored))
        self._player.replace(stored.take, stored.raw)
        first, last = trim_of(stored.take)
        seconds = float(stored.take.frame_time[last] - stored.take.frame_time[first])
        rows = int(np.diff(np.searchsorted(stored.take.frame, [first, last + 1]))[0])
        self._window.take.set(TakeStatus(TakePhase.READY, seconds, rows))
        self._save_at = time.monotonic() + _SAVE_DELAY

    # -- timer --------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """True while no take is open, or the open one stands still and is drawn."""
        return self._player is None or self._player.settled

    def tick(self) -> None:
        """Show the frame that is due; save edits after a delay."""
        if self._player is not None and self._player.tick(self._window.loop.value):
            self._window.phase.set(Phase.PAUSED)
        if self._save_at is not None and time.monotonic() >= self._save_at:
            self.save()
