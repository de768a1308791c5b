"""Tracks of a finished take: joined where they broke, and left out where they are too short."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.takes.people import merged, people_of, without_people
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints

MIN_SEEN_S, MIN_SEEN_PART = 0.5, 0.1
"""People measured for less than both, seconds and a part of the take, are false detections."""
_MAX_GAP_S = 2.0
"""Longest gap over which a track is continued."""
_MAX_DISTANCE, _MAX_SPEED = 0.35, 0.6
"""Largest distance between the two ends: heights of the person, plus heights per second of the
gap."""
_MAX_SIZE_RATIO = 1.4
_END_ROWS = 5
"""Rows at each end over which position and size are averaged (median)."""


@dataclass(frozen=True)
class TidyTake:
    """A take with its tracks joined, and what was changed."""

    take: Take
    joined: int
    """Number of tracks that were appended to others."""
    left_out: int
    """Number of people who were left out."""


def tidy_tracks(take: Take, min_seen: float | None = None) -> TidyTake:
    """Join broken tracks of one person, then leave out people who were seen too briefly.

    A track continues another if it starts after its end, within 2 s, near where that one ended and
    at about its size in the image; of several candidates the nearest does. The person who was seen
    longest and people with a name always stay. Takes of separate images are returned as they are.

    Parameters
    ----------
    take : Take
        As measured.
    min_seen : float, optional
        Seconds for which a person must have been measured; 0 keeps everybody. None: 0.5 s or a
        tenth of the take, whichever is shorter.
    """
    if take.picture_name or not len(take.frame):
        return TidyTake(take, 0, 0)
    before = len(people_of(take))
    while (pair := _nearest_continuation(take)) is not None:
        take = merged(take, pair[1], pair[0])
    people = people_of(take)
    if min_seen is None:
        min_seen = min(MIN_SEEN_S, MIN_SEEN_PART * len(take.frame_time) / float(take.frame_rate))
    seen = {
        person: np.count_nonzero((take.person == person) & ~take.predicted) / float(take.frame_rate)
        for person in people
    }
    longest = max(seen, key=lambda person: seen[person])
    kept = {longest, *take.person_number}
    brief = [person for person in people if seen[person] < min_seen and person not in kept]
    left = without_people(take, brief) if brief else take
    return TidyTake(left, before - len(people), len(brief))


def _nearest_continuation(take: Take) -> tuple[int, int] | None:
    """Return the earlier and the later number of one person; None without such tracks."""
    times = np.asarray(take.frame_time, dtype=np.float64)
    rows = {person: np.flatnonzero(take.person == person) for person in people_of(take)}
    best, nearest = None, np.inf
    for earlier, first in rows.items():
        for later, second in rows.items():
            gap = float(times[take.frame[second[0]]] - times[take.frame[first[-1]]])
            if earlier == later or not 0 < gap <= _MAX_GAP_S:
                continue
            distance = _distance(take, first[-_END_ROWS:], second[:_END_ROWS])
            if distance < min(_MAX_DISTANCE + _MAX_SPEED * gap, nearest):
                best, nearest = (earlier, later), distance
    return best


def _distance(take: Take, end: Ints, start: Ints) -> float:
    """Return the distance between two track ends in heights; infinite if their sizes differ."""
    (centre, size), (other, other_size) = (_place(take, rows) for rows in (end, start))
    if max(size, other_size) > _MAX_SIZE_RATIO * min(size, other_size):
        return np.inf
    return float(np.linalg.norm(centre - other)) / max(size, other_size, 1e-9)


def _place(take: Take, rows: Ints) -> tuple[Array, float]:
    """Return the median centre (2,) and diagonal of the boxes of rows, px."""
    box = np.median(np.asarray(take.box[rows], dtype=np.float64), axis=0)
    return (box[:2] + box[2:]) / 2, float(np.hypot(*(box[2:] - box[:2])))
