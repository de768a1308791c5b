"""People of a take: names, merging and removal.

Every edit returns a new take and leaves the given one unchanged, so that edits can be undone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from pymaf_live.errors import UsageError
from pymaf_live.takes.editing import select_rows
from pymaf_live.takes.take import Take

MAX_NAME_LENGTH = 60


def people_of(take: Take) -> tuple[int, ...]:
    """Return the numbers of the people of a take, increasing."""
    return tuple(int(number) for number in np.unique(take.person))


def names_of(take: Take) -> dict[int, str]:
    """Return the names of people by their numbers; people without a name are left out."""
    return dict(zip(take.person_number, take.person_name, strict=True))


def with_name(take: Take, person: int, name: str) -> Take:
    """Return the take with the name of a person; an empty name removes it.

    Raises
    ------
    UsageError
        If no person has that number.
    """
    _require_person(take, person)
    return with_names(take, {**names_of(take), person: name})


def with_names(take: Take, names: Mapping[int, str]) -> Take:
    """Return the take with other names in place of all existing ones.

    Empty names and names of people who are not in the take are dropped.
    """
    numbers = people_of(take)
    cleaned = {number: " ".join(name.split())[:MAX_NAME_LENGTH] for number, name in names.items()}
    return _with_names(
        take, {number: name for number, name in cleaned.items() if number in numbers}
    )


def merged(take: Take, person: int, into: int) -> Take:
    """Return the take with two numbers of one person merged into one.

    Where both have a row in a frame one row stays: a measured one before a predicted one, then that
    of `into`. The name of `into` stays; where it has none, it takes the other's.

    Raises
    ------
    UsageError
        If no person has one of the numbers, or they are equal.
    """
    _require_person(take, person)
    _require_person(take, into)
    if person == into:
        raise UsageError("a person cannot be merged with itself")
    either = np.isin(take.person, (person, into))
    # first row of each frame: measured before predicted, then that of `into`
    order = np.lexsort((take.person != into, take.predicted, take.frame))
    order = order[either[order]]
    first = np.r_[True, np.diff(take.frame[order]) > 0]
    keep = ~either
    keep[order[first]] = True
    numbers = np.where(take.person == person, into, take.person)
    combined = select_rows(replace(take, person=numbers), np.flatnonzero(keep))
    sorted_rows = np.lexsort((combined.person, combined.frame))
    names = names_of(take)
    other = names.pop(person, "")
    names.setdefault(into, other)
    return _with_names(select_rows(combined, sorted_rows), names)


def without_people(take: Take, people: Collection[int]) -> Take:
    """Return the take without some people and their names."""
    rows = np.flatnonzero(~np.isin(take.person, list(people)))
    names = {number: name for number, name in names_of(take).items() if number not in people}
    return _with_names(select_rows(take, rows), names)


def _require_person(take: Take, person: int) -> None:
    if person not in take.person:
        raise UsageError(f"the take has no person {person}")


def _with_names(take: Take, names: dict[int, str]) -> Take:
    ordered = sorted((number, name) for number, name in names.items() if name)
    return replace(
        take,
        person_number=tuple(number for number, _ in ordered),
        person_name=tuple(name for _, name in ordered),
    )
