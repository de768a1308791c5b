"""What a detector sees, made comparable with the people who are followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.tracking.appearance import Look, look_of
from pymaf_live.tracking.blazepose_landmarks import BODY_POINTS, as_lsp, spanning_points
from pymaf_live.tracking.overlap import joints_extent, same_person
from pymaf_live.tracking.tracks import Track, trunk_middle
from pymaf_live.types import Array, Detection, Image

_OFF_CENTRE = 0.5
"""How much less the one at the picture's edge counts for being in front than one in the middle."""


@dataclass(frozen=True)
class Sighting:
    """A detected person."""

    detection: Detection
    points: Array
    """(N, 2) frame pixels, that span the person as the crop rule wants."""
    middle: Array
    """(2,) of the trunk."""
    look: Look | None

    def lies_on(self, track: Track) -> bool:
        """Whether the detector saw a person where a track's person is."""
        return track.keypoints is not None and same_person(track.keypoints, self.points)


def sighting_of(image: Image, person: Detection) -> Sighting:
    """What is to be known of a detection."""
    points = spanning(person)
    if person.keypoints is not None and len(person.keypoints) == BODY_POINTS:
        lsp = as_lsp(person.keypoints)
        return Sighting(person, points, trunk_middle(lsp), look_of(image, lsp))
    middle = (points if person.trunk is None else person.trunk).mean(axis=0)
    return Sighting(person, points, middle, None)


def spanning(person: Detection) -> Array:
    """(N, 2) points that span a detected person as the crop rule wants."""
    if person.keypoints is not None and len(person.keypoints) == BODY_POINTS:
        return spanning_points(person.keypoints)
    return np.asarray(person.box, dtype=np.float64).reshape(2, 2)


def in_front(seen: Sighting, width: int) -> float:
    """How much a detected person is the one in front: large, sure, and in the middle."""
    off_centre = min(abs(float(seen.middle[0]) / (width / 2) - 1), 1.0)
    prominence = seen.detection.score * joints_extent(seen.points)
    return prominence * (1 - _OFF_CENTRE * off_centre)
