"""Smooth the open take in another way, and lock its feet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from pymaf_live.takes.library import StoredTake
from pymaf_live.takes.take import Take
from pymaf_live.types import Legs
from pymaf_live.workflows.resmooth import MotionOptions, resmooth
from ui.controllers.messages import Messages
from ui.controllers.take_review import TakeReviewController
from ui.controllers.take_tasks import TakeTasks
from ui.state.commands import MotionCommands
from ui.state.take import Smoothing, TakesState
from ui.system.task import Task

_MAX_CACHED = 6
"""Processed takes that are kept, so that going back to a choice takes no time."""


class MotionController(MotionCommands):
    """Processes the measurement of the open take in a thread and applies the result as an edit.

    Parameters
    ----------
    state : TakesState
    take_tasks : TakeTasks
    review : TakeReviewController
    smoothing_strength : callable
        Returns the strength of the offline smoothing, 0..1.
    legs : callable
        Returns the pose of legs that are not seen.
    messages : Messages
    """

    def __init__(
        self,
        state: TakesState,
        take_tasks: TakeTasks,
        review: TakeReviewController,
        smoothing_strength: Callable[[], float],
        legs: Callable[[], Legs],
        messages: Messages,
    ) -> None:
        self._state = state
        self._take_tasks = take_tasks
        self._review = review
        self._smoothing_strength = smoothing_strength
        self._legs = legs
        self._messages = messages
        self._cache: OrderedDict[MotionOptions, tuple[Take, Take]] = OrderedDict()
        """Measurement and processed take of the latest choices."""

    def set_smoothing(self, smoothing: Smoothing) -> None:
        """See `MotionCommands.set_smoothing`."""
        opened = self._state.opened.value
        if opened is not None and opened.stored.take.smoothing != smoothing:
            self._process(smoothing, opened.stored.about.feet_locked)

    def lock_feet(self, locked: bool) -> None:
        """See `MotionCommands.lock_feet`."""
        opened = self._state.opened.value
        if opened is not None and opened.stored.about.feet_locked != locked:
            self._process(smoothing_of(opened.stored.take), locked)

    def _process(self, smoothing: Smoothing, lock: bool) -> None:
        opened = self._state.opened.value
        if opened is None or self._take_tasks.has_cancellable:
            return
        options = MotionOptions(smoothing, lock, self._smoothing_strength() or 0.5, self._legs())
        stored = opened.stored
        raw, take = self._cache.get(options, (None, None))
        if raw is stored.raw and take is not None:
            about = stored.about.model_copy(update={"feet_locked": lock})
            self._apply(opened.id, StoredTake(about, take, stored.raw))
            return
        # going back to what is shown now takes no time either
        shown = replace(options, smoothing=smoothing_of(stored.take))
        self._remember(replace(shown, lock_feet=stored.about.feet_locked), stored)

        def done(result: StoredTake) -> None:
            self._remember(options, result)
            self._apply(opened.id, result)

        task = Task("Smoothing…", can_cancel=True)
        self._take_tasks.submit(
            task, lambda task: resmooth(stored, options, task), done, self._messages.error
        )

    def _apply(self, take_id: str, result: StoredTake) -> None:
        current = self._state.opened.value
        if current is None or current.id != take_id or current.stored.raw is not result.raw:
            return
        shown = current.stored.take  # trim, markers and names may have changed meanwhile
        take = replace(
            result.take,
            trim=shown.trim,
            marker_frame=shown.marker_frame,
            marker_name=shown.marker_name,
            person_number=shown.person_number,
            person_name=shown.person_name,
        )
        locked = {"feet_locked": result.about.feet_locked}
        about = current.stored.about.model_copy(update=locked)
        self._review.edit("smoothing", StoredTake(about, take, result.raw))

    def _remember(self, options: MotionOptions, stored: StoredTake) -> None:
        self._cache[options] = (stored.raw, stored.take)
        self._cache.move_to_end(options)
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)


def smoothing_of(take: Take) -> Smoothing:
    """Return the smoothing of a take among those that can be chosen."""
    if take.smoothing == "refine":
        return "refine"
    return "off" if take.smoothing == "off" else "offline"
