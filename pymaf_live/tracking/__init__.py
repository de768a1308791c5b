"""Finding people and following them: detection, tracks, the next crop."""

from pymaf_live.tracking.crop import CropRule
from pymaf_live.tracking.detector import Detector, open_detector
from pymaf_live.tracking.tracker import FollowedCrop, Following, Seen

__all__ = ["CropRule", "Detector", "FollowedCrop", "Following", "Seen", "open_detector"]
