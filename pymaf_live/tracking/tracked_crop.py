"""Crops that the tracker asks for, and observations of the network that it receives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from pymaf_live.tracking.tracks import trunk_centre
from pymaf_live.types import Array, Crop


@dataclass(frozen=True)
class TrackedCrop:
    """Crop of one person in one frame."""

    person: int
    """Id of the person, 0 to people - 1; a person who returns soon keeps it."""
    crop: Crop
    is_new: bool
    """First crop of the track: smoothing restarts, and a refined crop may help."""
    is_upright: bool
    """True if the crop is rotated as the crop rule wants; False while the trunk's orientation is
    unknown."""
    from_user_box: bool = False
    """The crop comes from a user-drawn box: a refined crop counts only if it scores higher."""
    upcoming_crops: tuple[Crop, ...] = ()
    """Crops of this person in the next frames if the track continues; with a lookahead, as many
    as that."""
    alternatives: tuple[Crop, ...] = ()
    """Crops of other sizes at the same place; the one with the highest joint score counts."""

    def candidates(self) -> list[TrackedCrop]:
        """Return this crop and each of the alternatives as a crop of its own."""
        return [
            replace(self, crop=crop, alternatives=()) for crop in (self.crop, *self.alternatives)
        ]


@dataclass(frozen=True)
class TrackObservation:
    """Result of the network in one crop."""

    tracked_crop: TrackedCrop
    """From `PersonTracker.begin_frame` or `PersonTracker.refine_crop`."""
    keypoints: Array
    """(14, 2) projected 'lsp' key points, frame pixels."""
    score: float
    """0..1, probability of a person in the crop."""
    joint_score: float = 1.0
    """0..1, mean score of the joints. The network may be certain of a person on background, but
    then not of the joints."""

    @property
    def person(self) -> int:
        """Id of the person whose crop this is."""
        return self.tracked_crop.person

    @cached_property
    def trunk_centre(self) -> Array:
        """(2,) frame pixels."""
        return trunk_centre(self.keypoints)
