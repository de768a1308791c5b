"""Selection of people and of a time range of a take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.errors import UsageError
from pymaf_live.takes.editing import trim_of, with_trim
from pymaf_live.takes.people import merged, people_of, without_people
from pymaf_live.takes.take import Take

_TIME_TOLERANCE = 1e-6
"""Seconds; times that users type are rounded."""


@dataclass(frozen=True)
class TakeSelection:
    """Part of a take; by default all of it."""

    people: tuple[int, ...] = ()
    """Numbers of the people to keep; empty keeps all."""
    merge: tuple[tuple[int, ...], ...] = ()
    """Groups of numbers that belong to one person, who gets the first one."""
    min_seen: float = 0.0
    """Seconds; people who were measured for a shorter time in all are left out."""
    start: float | None = None
    """Seconds from the first frame of the take; None: from its trim on."""
    end: float | None = None
    """Seconds from the first frame of the take; None: to the end of its trim."""


@dataclass(frozen=True)
class SelectedTake:
    """Selected part of a take."""

    take: Take
    """Its trim is the time range."""
    too_short: tuple[int, ...]
    """Numbers of the people who were left out because of `TakeSelection.min_seen`."""


def select(take: Take, selection: TakeSelection) -> SelectedTake:
    """Return the selected part of a take: people merged, then chosen, then the time range.

    Raises
    ------
    UsageError
        If a person is not in the take, or no frame is in the time range.
    """
    for group in selection.merge:
        for person in group:
            _require_person(take, person)
        for person in group[1:]:
            if person in people_of(take) and person != group[0]:
                take = merged(take, person, group[0])
    for person in selection.people:
        _require_person(take, person)
    too_short = tuple(
        person
        for person in people_of(take)
        if _seconds_seen(take, person) < selection.min_seen - _TIME_TOLERANCE
    )
    others = set(people_of(take)) - set(selection.people) if selection.people else set()
    left_out = {*too_short, *others}
    take = without_people(take, left_out) if left_out else take
    return SelectedTake(_in_time_range(take, selection), too_short)


def _require_person(take: Take, person: int) -> None:
    people = people_of(take)
    if person not in people:
        numbers = ", ".join(map(str, people)) or "no one"
        raise UsageError(f"the take has no person {person}; it has {numbers}")


def _seconds_seen(take: Take, person: int) -> float:
    """Return the time for which a person was measured, in seconds."""
    rows = int(np.count_nonzero((take.person == person) & ~take.predicted))
    return rows / float(take.frame_rate)


def _in_time_range(take: Take, selection: TakeSelection) -> Take:
    if selection.start is None and selection.end is None:
        return take
    times = np.asarray(take.frame_time, dtype=np.float64)
    times = times - times[0]
    first, last = trim_of(take)
    inside = (np.arange(len(times)) >= first) & (np.arange(len(times)) <= last)
    if selection.start is not None:
        inside &= times >= selection.start - _TIME_TOLERANCE
    if selection.end is not None:
        inside &= times <= selection.end + _TIME_TOLERANCE
    frames = np.flatnonzero(inside)
    if not len(frames):
        raise UsageError(
            f"no frame is in the time range; the take lasts from {times[first]:g} to "
            f"{times[last]:g} s"
        )
    return with_trim(take, int(frames[0]), int(frames[-1]))
