"""Person detection and tracking, and the placement of crops."""

from pymaf_live.tracking.crop import CropRule
from pymaf_live.tracking.detector import Detector, open_detector
from pymaf_live.tracking.tracked_crop import TrackedCrop, TrackObservation
from pymaf_live.tracking.tracker import PersonTracker
from pymaf_live.tracking.tracker_config import TrackerConfig

__all__ = [
    "CropRule",
    "Detector",
    "PersonTracker",
    "TrackObservation",
    "TrackedCrop",
    "TrackerConfig",
    "open_detector",
]
