"""Name, merge and remove people, and choose whom to stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from pymaf_live.errors import UsageError
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.takes.people import merged, names_of, people_of, with_name, without_people
from pymaf_live.takes.take import Take
from pymaf_live.types import FrameResult
from ui.state.commands import PeopleCommands
from ui.state.take import OpenTake
from ui.state.window import SourceChoice, WindowState

Reconfigured = Callable[[Exception | None], None]


class PeopleEditor(Protocol):
    """Part of `TakeEditController` that changes people."""

    def change_people(self, text: str, change: Callable[[Take], Take]) -> None:
        """Change the people of the open take and of its measurement; can be undone."""


class PeopleController(PeopleCommands):
    """Keeps the list of people up to date and edits it.

    Parameters
    ----------
    state : WindowState
        Its `people` are written here.
    editor : PeopleEditor
        Edits the open take.
    choose_streamed : callable
        Called with the person to stream; None streams the one tracked longest.
    options : callable
        Returns the current pipeline options.
    reconfigure : callable
        Applies other pipeline options.
    tell : callable, optional
        Shows what was changed.
    """

    def __init__(
        self,
        state: WindowState,
        editor: PeopleEditor,
        choose_streamed: Callable[[int | None], None],
        options: Callable[[], PipelineOptions],
        reconfigure: Callable[[PipelineOptions, Reconfigured | None], None],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._window, self._state, self._editor = state, state.people, editor
        self._options, self._reconfigure = options, reconfigure
        self._tell = tell
        self._take_id: str | None = None
        state.preferences.people.set(options().people)
        state.preferences.people.watch(self._on_max_people_change)
        state.people.selected_id.watch(choose_streamed)
        state.source.watch(self._on_source_change)
        state.result.watch(self._on_result_change)
        state.takes.opened.watch(self._on_take_change)

    def name(self, person: int, name: str) -> None:
        """See `PeopleCommands.name`."""
        if self._state.names.value.get(person, "") == " ".join(name.split()):
            return
        if self._take_id is None:
            self._state.rename(person, name)
        else:
            self._editor.change_people("name", lambda take: _renamed(take, person, name))

    def merge(self, person: int, into: int) -> None:
        """See `PeopleCommands.merge`."""
        if self._take_id is not None and person != into:
            self._editor.change_people("merging people", lambda take: _merged(take, person, into))
            self._state.selected_id.set(into)

    def keep_only(self, person: int) -> None:
        """See `PeopleCommands.keep_only`."""
        if self._take_id is not None:
            others = set(self._state.seen_ids.value) - {person}
            self._editor.change_people(
                "removing the others", lambda take: without_people(take, others)
            )

    def _on_max_people_change(self, people: int | None) -> None:
        options = self._options()
        if options.people != people:
            self._reconfigure(replace(options, people=people), lambda _: None)
            most = {None: "Tracking as many people as suit the source", 1: "Tracking one person"}
            self._tell(f"{most.get(people, f'Tracking up to {people} people')}.")

    def _on_source_change(self, source: SourceChoice | None) -> None:
        if source is not None:
            self._state.reset()

    def _on_result_change(self, result: FrameResult | None) -> None:
        if result is not None and self._take_id is None:
            self._state.add_seen(result)

    def _on_take_change(self, opened: OpenTake | None) -> None:
        if opened is None:
            if self._take_id is not None:
                self._state.reset()
            self._take_id = None
            return
        take = opened.stored.take
        if opened.id != self._take_id:
            self._take_id = opened.id
            self._state.reset(people_of(take), names_of(take))
            return
        self._state.names.set(names_of(take))
        self._state.seen_ids.set(people_of(take))
        if self._state.selected_id.value not in self._state.seen_ids.value:
            self._state.selected_id.set(None)


def _renamed(take: Take, person: int, name: str) -> Take:
    return with_name(take, person, name) if person in take.person else take


def _merged(take: Take, person: int, into: int) -> Take:
    try:
        return merged(take, person, into)
    except UsageError:
        # a person that was only carried over gaps is missing in the measurement
        return take
