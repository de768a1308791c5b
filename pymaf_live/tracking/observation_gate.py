"""Decides which results of the network show a person at all."""

from __future__ import annotations

import numpy as np

from pymaf_live.tracking.detections import enclosed_points
from pymaf_live.tracking.detector import Detector
from pymaf_live.tracking.overlap import joints_extent, same_person
from pymaf_live.tracking.tracked_crop import TrackObservation
from pymaf_live.tracking.tracker_config import TrackerConfig
from pymaf_live.tracking.tracks import Track
from pymaf_live.types import Array, Frame

_CLOSE_UP_SHARE = 0.25
"""Share of key points outside the image from which on it shows only a part of a person."""


class ObservationGate:
    """Judges observations by their key points, their scores and, in doubt, the detector.

    Parameters
    ----------
    config : TrackerConfig
    detector : Detector or None
        Not closed.
    scored : bool
        See `PersonTracker`.
    """

    def __init__(self, config: TrackerConfig, detector: Detector | None, *, scored: bool) -> None:
        self._config, self._detector, self._scored = config, detector, scored

    def is_credible(self, observation: TrackObservation, track: Track | None, frame: Frame) -> bool:
        """Return True if an observation in a track's crop shows a person."""
        config = self._config
        if track is None or not self.is_plausible(observation.keypoints, frame):
            return False
        confident = self._scored and observation.joint_score >= config.confident_joint_score
        if confident and _is_close_up(observation.keypoints, frame):
            # the network knows these joints, but rarely a part of a person as a person
            return True
        if track.is_new:
            return observation.score >= config.new_track_score
        if observation.score < config.keep_score:
            return False
        if not self._scored or observation.joint_score >= config.min_joint_score:
            return True
        return self._is_detected(track, observation.keypoints, frame)

    def is_plausible(self, keypoints: Array, frame: Frame) -> bool:
        """Return True if key points (14, 2), frame pixels, could be a person in the frame."""
        if not np.isfinite(keypoints).all():
            return False
        height, width = frame.image.shape[:2]
        smallest = min(self._config.min_extent_px, width, height)
        largest = self._config.max_extent * max(width, height)
        if not smallest <= joints_extent(keypoints) <= largest:
            return False
        low, high = keypoints.min(axis=0), keypoints.max(axis=0)
        return bool((high > 0).all() and (low < (width, height)).all())

    def _is_detected(self, track: Track, keypoints: Array, frame: Frame) -> bool:
        """Return True if the detector sees somebody at the key points.

        A positive answer holds for `search_interval_s`.
        """
        if self._detector is None:
            return True
        if 0 <= frame.time - track.last_detected_at < self._config.search_interval_s:
            return True
        found = self._detector.detect(frame.image)
        if not any(same_person(keypoints, enclosed_points(person)) for person in found):
            return False
        track.last_detected_at = frame.time
        return True


def _is_close_up(keypoints: Array, frame: Frame) -> bool:
    """Return True if a good part of the key points (14, 2) is outside the frame."""
    height, width = frame.image.shape[:2]
    outside = ((keypoints < 0) | (keypoints >= (width, height))).any(axis=1)
    return bool(outside.mean() > _CLOSE_UP_SHARE)
