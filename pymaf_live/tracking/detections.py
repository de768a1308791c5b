"""Detections with the features that association needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.tracking.appearance import Appearance, extract_appearance
from pymaf_live.tracking.blazepose_landmarks import as_lsp, spanning_points
from pymaf_live.tracking.blazepose_output import BODY_POINTS
from pymaf_live.tracking.overlap import joints_extent, same_person
from pymaf_live.tracking.tracks import Track, trunk_centre
from pymaf_live.types import Array, Detection, Image

_OFF_CENTRE_PENALTY = 0.5
"""Reduction of the prominence of a person at the image's edge relative to one in the centre."""


@dataclass(frozen=True)
class DetectionFeatures:
    """A detected person, comparable with tracked ones."""

    detection: Detection
    points: Array
    """(N, 2) frame pixels; the points that the crop rule encloses."""
    trunk_centre: Array
    """(2,) frame pixels."""
    appearance: Appearance | None

    def overlaps(self, track: Track) -> bool:
        """Return True if the detection and the track's person are at the same place."""
        return track.keypoints is not None and same_person(track.keypoints, self.points)


def describe_detection(image: Image, person: Detection) -> DetectionFeatures:
    """Compute the features of a detection in its image (H, W, 3) uint8 RGB."""
    points = enclosed_points(person)
    if person.keypoints is not None and len(person.keypoints) == BODY_POINTS:
        lsp = as_lsp(person.keypoints)
        return DetectionFeatures(person, points, trunk_centre(lsp), extract_appearance(image, lsp))
    centre = (points if person.trunk is None else person.trunk).mean(axis=0)
    return DetectionFeatures(person, points, centre, None)


def enclosed_points(person: Detection) -> Array:
    """Return the points (N, 2) of a detected person that the crop rule encloses, frame pixels."""
    if person.keypoints is not None and len(person.keypoints) == BODY_POINTS:
        return spanning_points(person.keypoints)
    return np.asarray(person.box, dtype=np.float64).reshape(2, 2)


def prominence(person: DetectionFeatures, width: int) -> float:
    """Rate a person in an image of `width` pixels: large, certain, central people are in front."""
    off_centre = min(abs(float(person.trunk_centre[0]) / (width / 2) - 1), 1.0)
    size = person.detection.score * joints_extent(person.points)
    return size * (1 - _OFF_CENTRE_PENALTY * off_centre)
