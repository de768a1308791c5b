"""Edit the open take: trim, markers and people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pymaf_live.takes.editing import (
    trim_of,
    with_held_span,
    with_marker,
    with_moved_marker,
    with_trim,
    without_marker,
    without_span,
)
from pymaf_live.takes.library import StoredTake
from pymaf_live.takes.take import Take
from ui.controllers.take_review import TakeReviewController
from ui.state.commands import TakeEditCommands
from ui.state.take import TakesState


class TakeEditController(TakeEditCommands):
    """Makes edits of the open take; all of them can be undone.

    Parameters
    ----------
    state : TakesState
    review : TakeReviewController
        Applies the edits.
    person : callable
        Returns the number of the selected person, None if no one is selected.
    """

    def __init__(
        self,
        state: TakesState,
        review: TakeReviewController,
        person: Callable[[], int | None],
    ) -> None:
        self._state = state
        self._review = review
        self._person = person

    def trim(self, first: int, last: int) -> None:
        """See `TakeEditCommands.trim`."""
        take = self._take
        if take is not None:
            edited = with_trim(take, first, last)
            if edited.trim != take.trim:
                self._edit_take("trim", edited)

    def set_start(self) -> None:
        """See `TakeEditCommands.set_start`."""
        take, frame = self._take, self._frame
        if take is not None:
            self.trim(frame, max(frame, trim_of(take)[1]))

    def set_end(self) -> None:
        """See `TakeEditCommands.set_end`."""
        take, frame = self._take, self._frame
        if take is not None:
            self.trim(min(frame, trim_of(take)[0]), frame)

    def reset_trim(self) -> None:
        """See `TakeEditCommands.reset_trim`."""
        take = self._take
        if take is not None:
            self.trim(0, len(take.frame_time) - 1)

    def add_marker(self, name: str) -> None:
        """See `TakeEditCommands.add_marker`."""
        take = self._take
        if take is not None:
            self._edit_take("marker", with_marker(take, self._frame, name))

    def remove_marker(self, frame: int) -> None:
        """See `TakeEditCommands.remove_marker`."""
        take = self._take
        if take is not None and frame in take.marker_frame:
            self._edit_take("removing a marker", without_marker(take, frame))

    def move_marker(self, frame: int, to: int) -> None:
        """See `TakeEditCommands.move_marker`."""
        take = self._take
        if take is not None and frame in take.marker_frame:
            edited = with_moved_marker(take, frame, to)
            if edited.marker_frame != take.marker_frame:
                self._edit_take("moving a marker", edited)

    def select_span(self, first: int, last: int) -> None:
        """See `TakeEditCommands.select_span`."""
        if self._take is not None:
            self._state.span.set((min(first, last), max(first, last)))

    def start_span(self) -> None:
        """See `TakeEditCommands.start_span`."""
        span = self._state.span.value
        self.select_span(self._frame, max(self._frame, span[1] if span else 0))

    def end_span(self) -> None:
        """See `TakeEditCommands.end_span`."""
        span = self._state.span.value
        self.select_span(min(self._frame, span[0] if span else self._frame), self._frame)

    def hold_span(self) -> None:
        """See `TakeEditCommands.hold_span`."""
        self._change_span("hold", with_held_span)

    def delete_span(self) -> None:
        """See `TakeEditCommands.delete_span`."""
        self._change_span("deleting a span", without_span)

    def _change_span(self, text: str, change: Callable[[Take, int, int, int | None], Take]) -> None:
        """Change the selected person in the selected span, or everyone if no one is selected."""
        opened, span = self._state.opened.value, self._state.span.value
        if opened is None or span is None:
            return
        first, last = span
        person, stored = self._person(), opened.stored
        about = stored.about.model_copy(
            update={"edited_spans": (*stored.about.edited_spans, (first, last))}
        )
        # the measurement too: smoothing the take again must not bring the deleted motion back
        self._review.edit(
            text,
            StoredTake(
                about,
                change(stored.take, first, last, person),
                change(stored.raw, first, last, person),
            ),
        )
        self._state.span.set(None)

    def change_people(self, text: str, change: Callable[[Take], Take]) -> None:
        """Change the people of the open take and of its measurement; can be undone.

        Parameters
        ----------
        text : str
            Name of the edit as it follows 'Undo'.
        change : callable
            Returns the changed take.
        """
        opened = self._state.opened.value
        if opened is not None:
            stored = opened.stored
            edited = replace(stored, take=change(stored.take), raw=change(stored.raw))
            self._review.edit(text, edited)

    def undo(self) -> None:
        """See `TakeEditCommands.undo`."""
        self._review.undo_stack.undo()

    def redo(self) -> None:
        """See `TakeEditCommands.redo`."""
        self._review.undo_stack.redo()

    @property
    def _take(self) -> Take | None:
        opened = self._state.opened.value
        return opened.stored.take if opened is not None else None

    @property
    def _frame(self) -> int:
        return self._state.playhead.value.frame

    def _edit_take(self, text: str, take: Take) -> None:
        opened = self._state.opened.value
        if opened is not None:
            self._review.edit(text, replace(opened.stored, take=take))
