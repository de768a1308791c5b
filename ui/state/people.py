"""Who is in the picture and what was chosen about them, as values to watch; knows no widgets."""

from __future__ import annotations

from dataclasses import dataclass, field

from pymaf_live.types import FrameResult, Person
from ui.state.observable import Observable

_TOUCHED = 0.06
"""Of a joints' box, by which skin and clothes go beyond it."""


@dataclass
class PeopleState:
    """The people of the source or take that is looked at."""

    seen_ids: Observable[tuple[int, ...]] = field(
        default_factory=lambda: Observable[tuple[int, ...]](())
    )
    """Numbers of everybody seen so far, rising."""
    names: Observable[dict[int, str]] = field(
        default_factory=lambda: Observable[dict[int, str]]({})
    )
    """Given by a person; a new mapping for every change."""
    hidden_ids: Observable[frozenset[int]] = field(
        default_factory=lambda: Observable[frozenset[int]](frozenset())
    )
    """Not drawn; recorded all the same."""
    selected_id: Observable[int | None] = field(
        default_factory=lambda: Observable[int | None](None)
    )
    """Whom the page and the picture point out."""
    solo: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Only the chosen person is drawn."""
    max_people: Observable[int] = field(default_factory=lambda: Observable(0))
    """Followed at most; 0: live the one in front, several in files."""

    def is_visible(self, person: int) -> bool:
        """Whether a person is drawn."""
        if self.solo.value and self.selected_id.value is not None:
            return person == self.selected_id.value
        return person not in self.hidden_ids.value

    def name_of(self, person: int) -> str:
        """What a person is called."""
        return self.names.value.get(person) or f"Person {person + 1}"

    def add_seen(self, result: FrameResult) -> None:
        """Note who is in a frame."""
        now = {person.id for person in result.people}
        if not now.issubset(self.seen_ids.value):
            self.seen_ids.set(tuple(sorted(now.union(self.seen_ids.value))))

    def set_hidden(self, person: int, muted: bool) -> None:
        """Draw a person or do not."""
        others = self.hidden_ids.value - {person}
        self.hidden_ids.set(others | {person} if muted else others)

    def rename(self, person: int, name: str) -> None:
        """Give a person a name; an empty one takes it away."""
        names = {number: text for number, text in self.names.value.items() if number != person}
        given = " ".join(name.split())
        self.names.set({**names, person: given} if given else names)

    def reset(self, there: tuple[int, ...] = (), names: dict[int, str] | None = None) -> None:
        """Begin anew with other people."""
        self.selected_id.set(None)
        self.solo.set(False)
        self.hidden_ids.set(frozenset())
        self.names.set(dict(names or {}))
        self.seen_ids.set(there)


def visible_people(people: tuple[Person, ...], state: PeopleState) -> tuple[Person, ...]:
    """Those of a frame's people who are drawn."""
    return tuple(person for person in people if state.is_visible(person.id))


def person_at(people: tuple[Person, ...], x: float, y: float) -> int | None:
    """Number of the person at a place of the picture, the nearest of several; None: nobody is."""
    there = [person for person in people if _touches(person, x, y)]
    return min(there, key=lambda one: one.joints[0, 2]).id if there else None


def _touches(person: Person, x: float, y: float) -> bool:
    x0, y0, x1, y1 = person.box
    spare = _TOUCHED * max(x1 - x0, y1 - y0)
    return bool(x0 - spare <= x <= x1 + spare and y0 - spare <= y <= y1 + spare)
