"""The people of a take: names, who belongs together, and who is left out.

Every change gives a new take and leaves the old one as it was, for undoing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from pymaf_live.errors import UsageError
from pymaf_live.takes.editing import taken_rows
from pymaf_live.takes.take import Take

LONGEST_NAME = 60


def people_of(take: Take) -> tuple[int, ...]:
    """Numbers of the people of a take, rising."""
    return tuple(int(number) for number in np.unique(take.person))


def names_of(take: Take) -> dict[int, str]:
    """Names that people of a take were given, by their numbers."""
    return dict(zip(take.person_number, take.person_name, strict=True))


def with_name(take: Take, person: int, name: str) -> Take:
    """The take with a person's name; an empty one takes the name away.

    Raises
    ------
    UsageError
        If nobody has that number.
    """
    _require(take, person)
    return with_names(take, {**names_of(take), person: name})


def with_names(take: Take, names: Mapping[int, str]) -> Take:
    """The take with the names of all its people in place of those that it had.

    Of people who are not in it, and empty ones, nothing is kept.
    """
    there = people_of(take)
    cut = {number: " ".join(name.split())[:LONGEST_NAME] for number, name in names.items()}
    return _with_names(take, {number: name for number, name in cut.items() if number in there})


def merged(take: Take, person: int, into: int) -> Take:
    """The take with two numbers of one person made one.

    Where both are there in a frame one row stays: one that was measured goes before one that was
    carried over a gap, and among equals that of `into`. The name of `into` stays too; where it
    has none it gets the other's.

    Raises
    ------
    UsageError
        If nobody has one of the numbers, or they are the same.
    """
    _require(take, person)
    _require(take, into)
    if person == into:
        raise UsageError("a person cannot be merged with itself")
    ours = np.isin(take.person, (person, into))
    # first of each frame: measured before carried over, then that of `into`
    order = np.lexsort((take.person != into, take.predicted, take.frame))
    order = order[ours[order]]
    first = np.r_[True, np.diff(take.frame[order]) > 0]
    kept = ~ours
    kept[order[first]] = True
    numbers = np.where(take.person == person, into, take.person)
    together = taken_rows(replace(take, person=numbers), np.flatnonzero(kept))
    sorted_rows = np.lexsort((together.person, together.frame))
    names = names_of(take)
    other = names.pop(person, "")
    names.setdefault(into, other)
    return _with_names(taken_rows(together, sorted_rows), names)


def without_people(take: Take, people: Collection[int]) -> Take:
    """The take without some people; their names go with them."""
    kept = np.flatnonzero(~np.isin(take.person, list(people)))
    names = {number: name for number, name in names_of(take).items() if number not in people}
    return _with_names(taken_rows(take, kept), names)


def _require(take: Take, person: int) -> None:
    if person not in take.person:
        raise UsageError(f"the take has no person {person}")


def _with_names(take: Take, names: dict[int, str]) -> Take:
    ordered = sorted((number, name) for number, name in names.items() if name)
    return replace(
        take,
        person_number=tuple(number for number, _ in ordered),
        person_name=tuple(name for _, name in ordered),
    )
