"""Cost of matching an observed person with a known one, and the optimal assignment."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pymaf_live.tracking.appearance import Appearance, appearance_distance
from pymaf_live.tracking.overlap import joints_extent
from pymaf_live.tracking.tracks import trunk_centre
from pymaf_live.types import Array

_REACH, _REACH_PER_SECOND = 0.15, 0.7
"""Expected distance from the predicted position, in extents of the person: at once, and added for
each second unseen."""
_MAX_DISTANCE = 2.5
"""Multiple of that distance beyond which it is another person."""
_APPEARANCE_SCALE = 0.12
"""Appearance distance that counts as 1: one person's stays below 0.08 throughout a video, two
people's in similar clothes lies from 0.15 on (three dancers in blue jeans)."""
_UNKNOWN_APPEARANCE = 0.6
"""Cost of appearances that cannot be compared: between those of the same and of another person."""

INFEASIBLE = np.inf
"""Cost of a pair that cannot be the same person."""


class KnownPerson(Protocol):
    """A person whose position can be predicted; a `Track` or a `LostTrack`."""

    @property
    def keypoints(self) -> Array | None:
        """(14, 2) frame pixels where last seen."""

    @property
    def last_seen_at(self) -> float:
        """Time of that, s."""

    @property
    def appearance(self) -> Appearance | None:
        """Averaged appearance, if known."""

    def predicted_shift(self, time: float) -> Array:
        """Return the shift (2,) from there to the predicted position, frame pixels."""


def match_cost(
    known: KnownPerson, time: float, centre: Array, appearance: Appearance | None
) -> float:
    """Return the cost of an observed person being a known one: 0 is a perfect match, 1 a poor one.

    Parameters
    ----------
    known : KnownPerson
    time : float
        Time of the frame, s.
    centre : (2,) array
        Trunk centre of the observed person, frame pixels.
    appearance : Appearance or None
        Appearance of the observed person.

    Returns
    -------
    float
        `INFEASIBLE` if they are too far apart.
    """
    if known.keypoints is None:
        return INFEASIBLE
    unseen_s = max(time - known.last_seen_at, 0.0)
    if not np.isfinite(unseen_s):
        return INFEASIBLE
    last = trunk_centre(known.keypoints)
    predicted = last + known.predicted_shift(time)
    # a person who stops or turns back is near the last position, not near the predicted one
    distance = min(float(np.hypot(*(centre - predicted))), float(np.hypot(*(centre - last))))
    reach = (_REACH + _REACH_PER_SECOND * unseen_s) * joints_extent(known.keypoints)
    relative = distance / max(reach, 1e-6)
    if relative > _MAX_DISTANCE:
        return INFEASIBLE
    return relative + normalised_appearance_distance(known.appearance, appearance)


def normalised_appearance_distance(known: Appearance | None, observed: Appearance | None) -> float:
    """Return the appearance distance in match-cost units: below about 0.6 alike, above 1.2 not."""
    if known is None or observed is None:
        return _UNKNOWN_APPEARANCE
    distance = appearance_distance(known, observed)
    return _UNKNOWN_APPEARANCE if distance is None else distance / _APPEARANCE_SCALE


def solve_assignment(costs: Array) -> dict[int, int]:
    """Return row -> column of the cheapest one-to-one assignment.

    Parameters
    ----------
    costs : (N, M) array
        Pairs of cost `INFEASIBLE` are left out.
    """
    feasible = np.isfinite(costs)
    if not feasible.any():
        return {}
    # SciPy loads slowly, and one person does not need it
    if costs.size == 1:
        return {0: 0}
    from scipy.optimize import linear_sum_assignment

    # larger than all costs together: a feasible pair is never given up for an infeasible one
    large = 1 + float(np.abs(costs[feasible]).sum())
    rows, columns = linear_sum_assignment(np.where(feasible, costs, large))
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if feasible[row, column]
    }
