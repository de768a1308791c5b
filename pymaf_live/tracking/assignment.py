"""Who is who: people seen in a frame are given to people known, by place and by looks."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pymaf_live.tracking.appearance import Look, unlikeness
from pymaf_live.tracking.overlap import joints_extent
from pymaf_live.tracking.tracks import trunk_middle
from pymaf_live.types import Array

_NEAR, _FARTHER = 0.15, 0.7
"""How far off the expected place a person may well be: in extents of the person, at once and more
for each second unseen."""
_MOST_OFF = 2.5
"""Of that distance; beyond, it is somebody else."""
_STRANGE = 0.12
"""Unlikeness of looks: one person's from day to day of a film stays below 0.08, two people's in
like clothes lies from 0.15 on (three dancers in blue jeans)."""
_UNKNOWN = 0.6
"""Cost of looks that cannot be compared: between one person's and another's."""

NOBODY = np.inf

DEAREST_RETURN = 1.6
"""Cost up to which somebody lost is known again: a little off the place and a little strange."""

STRANGER = 1.1
"""Strangeness from which on a look is not the person's."""


class Known(Protocol):
    """Somebody whose place can be told for any moment; a `Track` or a `Lost`."""

    @property
    def keypoints(self) -> Array | None:
        """(14, 2) frame pixels where last seen."""

    @property
    def seen_at(self) -> float:
        """Time of that, s."""

    @property
    def look(self) -> Look | None:
        """What the person looks like, as far as learnt."""

    def moved_on(self, time: float) -> Array:
        """(2,) frame pixels from there to the place expected."""


def cost_of(known: Known, time: float, middle: Array, look: Look | None) -> float:
    """What speaks against a person seen being somebody known: 0 nothing, about 1 a good deal.

    Parameters
    ----------
    known : Known
    time : float
        Of the frame, s.
    middle : (2,) array
        Of the trunk of the person seen, frame pixels.
    look : Look or None
        Of the person seen.

    Returns
    -------
    float
        `NOBODY` where it cannot be.
    """
    if known.keypoints is None:
        return NOBODY
    unseen_for = max(time - known.seen_at, 0.0)
    if not np.isfinite(unseen_for):
        return NOBODY
    last = trunk_middle(known.keypoints)
    expected = last + known.moved_on(time)
    # whoever stops or turns back is near the last place, not near the expected one
    off = min(float(np.hypot(*(middle - expected))), float(np.hypot(*(middle - last))))
    reach = (_NEAR + _FARTHER * unseen_for) * joints_extent(known.keypoints)
    way = off / max(reach, 1e-6)
    return way + strangeness(known.look, look) if way <= _MOST_OFF else NOBODY


def strangeness(known: Look | None, now: Look | None) -> float:
    """How unlike somebody known a person looks: up to about 0.6 alike, from about 1.2 on not."""
    unlike = None if known is None or now is None else unlikeness(known, now)
    return _UNKNOWN if unlike is None else unlike / _STRANGE


def assigned(costs: Array) -> dict[int, int]:
    """Row to column of the cheapest one-to-one assignment.

    Parameters
    ----------
    costs : (N, M) array
        `NOBODY` where a pair cannot be; such pairs are left out.
    """
    possible = np.isfinite(costs)
    if not possible.any():
        return {}
    # SciPy loads slowly, and one person needs none of it
    if costs.size == 1:
        return {0: 0}
    from scipy.optimize import linear_sum_assignment

    # dearer than all together: a possible pair is never given up for an impossible one
    never = 1 + float(np.abs(costs[possible]).sum())
    rows, columns = linear_sum_assignment(np.where(possible, costs, never))
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if possible[row, column]
    }
