"""Keeps the state of the people up to date, and does what is asked about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from pymaf_live.errors import UsageError
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.takes.people import merged, names_of, people_of, with_name, without_people
from pymaf_live.takes.take import Take
from pymaf_live.types import FrameResult
from ui.state.take import OpenTake
from ui.state.window import SourceChoice, WindowState

Changed = Callable[[Exception | None], None]


class TakeEdits(Protocol):
    """Changes the open take in a way that can be undone."""

    def change_people(self, text: str, change: Callable[[Take], Take]) -> None:
        """Do something to the people of the open take and of its measurement."""


class People:
    """Names, merges and leaves out people, and chooses whom live out sends.

    Parameters
    ----------
    state : WindowState
    takes : TakeEdits
    choose : callable
        Told whom to stream; None: whoever was followed longest.
    options : callable
        How frames become people now.
    use_options : callable
        Goes on with other options.
    """

    def __init__(
        self,
        state: WindowState,
        takes: TakeEdits,
        choose: Callable[[int | None], None],
        options: Callable[[], PipelineOptions],
        use_options: Callable[[PipelineOptions, Changed | None], None],
    ) -> None:
        self._window, self._state, self._takes = state, state.people, takes
        self._options, self._use_options = options, use_options
        self._take: str | None = None
        state.people.max_people.set(options().people or 0)
        state.people.max_people.watch(self._on_most_change)
        state.people.selected_id.watch(choose)
        state.source.watch(self._on_source_change)
        state.result.watch(self._on_result_change)
        state.takes.opened.watch(self._on_take_change)

    def name(self, person: int, name: str) -> None:
        """Give a person a name; of a take it can be undone."""
        if self._state.names.value.get(person, "") == " ".join(name.split()):
            return
        if self._take is None:
            self._state.rename(person, name)
        else:
            self._takes.change_people("name", lambda take: _if_there(take, person, name))

    def merge(self, person: int, into: int) -> None:
        """Make two people of the open take one; can be undone."""
        if self._take is not None and person != into:
            self._takes.change_people("merged people", lambda take: _merged(take, person, into))
            self._state.selected_id.set(into)

    def keep_only(self, person: int) -> None:
        """Leave everybody else out of the open take; can be undone."""
        if self._take is not None:
            others = set(self._state.seen_ids.value) - {person}
            self._takes.change_people(
                "left out the others", lambda take: without_people(take, others)
            )

    def _on_most_change(self, most: int) -> None:
        options = self._options()
        if (options.people or 0) != most:
            self._use_options(replace(options, people=most or None), lambda _: None)

    def _on_source_change(self, source: SourceChoice | None) -> None:
        if source is not None:
            self._state.reset()

    def _on_result_change(self, result: FrameResult | None) -> None:
        if result is not None and self._take is None:
            self._state.add_seen(result)

    def _on_take_change(self, opened: OpenTake | None) -> None:
        if opened is None:
            if self._take is not None:
                self._state.reset()
            self._take = None
            return
        take = opened.stored.take
        if opened.id != self._take:
            self._take = opened.id
            self._state.reset(people_of(take), names_of(take))
            return
        self._state.names.set(names_of(take))
        self._state.seen_ids.set(people_of(take))
        if self._state.selected_id.value not in self._state.seen_ids.value:
            self._state.selected_id.set(None)


def _if_there(take: Take, person: int, name: str) -> Take:
    return with_name(take, person, name) if person in take.person else take


def _merged(take: Take, person: int, into: int) -> Take:
    try:
        return merged(take, person, into)
    except UsageError:
        # in the measurement one of them may be missing, being carried over gaps alone
        return take
