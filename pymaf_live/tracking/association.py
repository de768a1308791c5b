"""Association of the network's and the detector's results with known people.

All results of a frame are matched at once, by predicted position and by appearance, so that people
who cross or occlude one another keep their ids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pymaf_live.tracking.appearance import Appearance, extract_appearance
from pymaf_live.tracking.assignment import INFEASIBLE, match_cost, solve_assignment
from pymaf_live.tracking.detections import DetectionFeatures
from pymaf_live.tracking.overlap import same_person
from pymaf_live.tracking.tracked_crop import TrackObservation
from pymaf_live.tracking.tracker_config import TrackerConfig
from pymaf_live.tracking.tracks import LostTrack, Track
from pymaf_live.types import Array, Frame

Observations = Sequence[TrackObservation]
"""Observations of one person, from their own crop and from neighbours' crops; the best first."""


def group_by_person(observations: Observations) -> list[list[TrackObservation]]:
    """Group observations that lie on the same person, the highest score first."""
    people: list[list[TrackObservation]] = []
    for observation in sorted(observations, key=lambda each: -each.score):
        for group in people:
            if same_person(group[0].keypoints, observation.keypoints):
                group.append(observation)
                break
        else:
            people.append([observation])
    return people


def observation_for(known: Track | LostTrack, group: Observations) -> TrackObservation:
    """Return the group's observation from the known person's own crop, or else the best one."""
    own = [each for each in group if each.person == known.person]
    return own[0] if own and isinstance(known, Track) else group[0]


class Associator:
    """Matches results with known people by the costs of a tracker's configuration."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config

    def match_observations(
        self, known: Sequence[Track | LostTrack], groups: Sequence[Observations], frame: Frame
    ) -> dict[int, int]:
        """Match observed people with known ones.

        Parameters
        ----------
        known : sequence of Track or LostTrack
        groups : sequence
            From `group_by_person`.
        frame : Frame

        Returns
        -------
        dict
            Index in `known` -> index in `groups`, one-to-one.
        """
        if not known or not groups:
            return {}
        feasible = np.array(
            [[self._is_feasible(row, group, frame.time) for group in groups] for row in known]
        )
        if feasible.sum(axis=0).max() <= 1 and feasible.sum(axis=1).max() <= 1:
            # unambiguous by position: appearances are not needed
            return {int(row): int(column) for row, column in np.argwhere(feasible)}
        costs = np.full(feasible.shape, INFEASIBLE)
        for column, group in enumerate(groups):
            appearances: dict[int, Appearance | None] = {}
            for row in map(int, np.flatnonzero(feasible[:, column])):
                costs[row, column] = self._observation_cost(known[row], group, frame, appearances)
        return solve_assignment(costs)

    def match_detections(
        self,
        known: Sequence[Track | LostTrack],
        detections: Sequence[DetectionFeatures],
        time: float,
    ) -> dict[int, int]:
        """Match detections of a frame at `time` (s) with known people.

        Returns
        -------
        dict
            Index in `detections` -> index in `known`, one-to-one.
        """
        costs = np.array(
            [[self._detection_cost(row, found, time) for found in detections] for row in known]
        ).reshape(len(known), len(detections))
        return {column: row for row, column in solve_assignment(costs).items()}

    def _is_feasible(self, known: Track | LostTrack, group: Observations, time: float) -> bool:
        if isinstance(known, Track):
            own = observation_for(known, group)
            if own.person != known.person and (known.is_new or own.tracked_crop.is_new):
                return False
            return self._can_have_moved(known, own.trunk_centre, time)
        return all(not each.tracked_crop.is_new for each in group) and (
            match_cost(known, time, group[0].trunk_centre, None) < INFEASIBLE
        )

    def _can_have_moved(self, track: Track, centre: Array, time: float) -> bool:
        """Return True if the track's person can have moved to a trunk centre (2,) by `time`."""
        if track.keypoints is None:
            return True
        shift = centre - track.trunk_centre
        distance = min(math.hypot(*shift), math.hypot(*(shift - track.predicted_shift(time))))
        limit = self._config.max_jump + self._config.max_speed * (time - track.last_seen_at)
        return distance <= limit * track.extent

    def _observation_cost(
        self,
        known: Track | LostTrack,
        group: Observations,
        frame: Frame,
        appearances: dict[int, Appearance | None],
    ) -> float:
        """Return the cost of a pair; `appearances` caches those of the group's observations."""
        config = self._config
        own = observation_for(known, group)
        if isinstance(known, Track) and known.is_new:
            return config.new_track_cost
        if id(own) not in appearances:
            appearances[id(own)] = extract_appearance(frame.image, own.keypoints)
        appearance, centre = appearances[id(own)], own.trunk_centre
        if isinstance(known, LostTrack):
            cost = match_cost(known, frame.time, centre, appearance) + config.self_match_bonus
            return cost if cost <= config.max_reid_cost else INFEASIBLE
        if known.mismatch_count and known.last_verified is not None:
            # the track may be on somebody else already, so its last verified position counts
            cost = match_cost(known.last_verified, frame.time, centre, appearance)
        else:
            cost = match_cost(known, frame.time, centre, appearance)
        # a person who moved fast may still be in their own crop
        cost = min(cost, config.max_reid_cost * 2)
        return cost - (config.self_match_bonus if own.person == known.person else 0.0)

    def _detection_cost(
        self, known: Track | LostTrack, found: DetectionFeatures, time: float
    ) -> float:
        config, position = self._config, known
        if (
            isinstance(known, Track)
            and known.mismatch_count >= config.max_appearance_mismatches
            and known.last_verified is not None
        ):
            position = known.last_verified
        cost = match_cost(position, time, found.trunk_centre, found.appearance)
        if isinstance(known, Track) and not known.mismatch_count and found.overlaps(known):
            return min(cost, config.max_reid_cost)
        return cost if cost <= config.max_reid_cost else INFEASIBLE
