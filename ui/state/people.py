"""People of the open source or take: who was seen, their names, and who is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from pymaf_live.types import FrameResult, Person
from ui.state.observable import Observable

_HIT_MARGIN = 0.06
"""Margin around the joints' box for skin and clothes, as a fraction of its larger side."""


@dataclass
class PeopleState:
    """People of the open source or take."""

    seen_ids: Observable[tuple[int, ...]] = field(
        default_factory=lambda: Observable[tuple[int, ...]](())
    )
    """Ids of everybody seen so far, ascending."""
    names: Observable[dict[int, str]] = field(
        default_factory=lambda: Observable[dict[int, str]]({})
    )
    """Names given by the user, by id; every change makes a new mapping."""
    hidden_ids: Observable[frozenset[int]] = field(
        default_factory=lambda: Observable[frozenset[int]](frozenset())
    )
    """People who are not drawn; they are recorded all the same."""
    selected_id: Observable[int | None] = field(
        default_factory=lambda: Observable[int | None](None)
    )
    """Person selected in the list or the image."""
    solo: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Draw only the selected person."""

    def is_visible(self, person: int) -> bool:
        """Return True if a person is drawn."""
        if self.solo.value and self.selected_id.value is not None:
            return person == self.selected_id.value
        return person not in self.hidden_ids.value

    def name_of(self, person: int) -> str:
        """Return the name of a person, or 'Person' with its number."""
        return self.names.value.get(person) or f"Person {person}"

    def add_seen(self, result: FrameResult) -> None:
        """Add the people of a frame."""
        ids = {person.id for person in result.people}
        if not ids.issubset(self.seen_ids.value):
            self.seen_ids.set(tuple(sorted(ids.union(self.seen_ids.value))))

    def set_hidden(self, person: int, hidden: bool) -> None:
        """Hide or show a person."""
        others = self.hidden_ids.value - {person}
        self.hidden_ids.set(others | {person} if hidden else others)

    def rename(self, person: int, name: str) -> None:
        """Name a person; an empty name removes it."""
        names = {number: text for number, text in self.names.value.items() if number != person}
        cleaned = " ".join(name.split())
        self.names.set({**names, person: cleaned} if cleaned else names)

    def reset(self, seen_ids: tuple[int, ...] = (), names: dict[int, str] | None = None) -> None:
        """Start with other people."""
        self.selected_id.set(None)
        self.solo.set(False)
        self.hidden_ids.set(frozenset())
        self.names.set(dict(names or {}))
        self.seen_ids.set(seen_ids)


def visible_people(people: tuple[Person, ...], state: PeopleState) -> tuple[Person, ...]:
    """Return the people of a frame who are drawn."""
    return tuple(person for person in people if state.is_visible(person.id))


def person_at(people: tuple[Person, ...], x: float, y: float) -> int | None:
    """Return the id of the nearest person at an image position (pixels); None if there is none."""
    hit = [person for person in people if _contains(person, x, y)]
    return min(hit, key=lambda person: person.joints[0, 2]).id if hit else None


def _contains(person: Person, x: float, y: float) -> bool:
    x0, y0, x1, y1 = person.box
    margin = _HIT_MARGIN * max(x1 - x0, y1 - y0)
    return bool(x0 - margin <= x <= x1 + margin and y0 - margin <= y <= y1 + margin)
