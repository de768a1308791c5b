"""State of tracked and lost people: position, velocity and appearance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.tracking.appearance import Appearance, blend_appearance
from pymaf_live.tracking.overlap import joints_extent
from pymaf_live.types import Array, Crop

_VELOCITY_TIME_S = 0.2
"""Time constant of the velocity average."""
_EXTRAPOLATION_S = 0.6
"""Time constant at which a hidden person's velocity decays: no one walks straight on for long."""
_MAX_SPEED = 2.0
"""Limit of a measured speed, extents per second."""

_APPEARANCE_TIME_S = 3.0
"""Time constant of the appearance average: clothes stay, folds and light change slowly."""
_EVEN_SAMPLES = 5
"""Number of first appearance samples that are averaged with equal weight."""


@dataclass(eq=False)
class Track:
    """State of a tracked person."""

    person: int
    crop: Crop
    is_upright: bool
    is_new: bool = True
    from_user_box: bool = False
    upcoming_crops: tuple[Crop, ...] = ()
    """The crops after `crop`, as far as they are known."""
    keypoints: Array | None = None
    """(14, 2) frame pixels of the last accepted result."""
    trunk_centre: Array = field(default_factory=lambda: np.zeros(2))
    """(2,) frame pixels; kept, like `extent`, because every match cost needs it."""
    extent: float = 0.0
    """Larger side of the box of the key points, pixels."""
    joint_score: float = 0.0
    """Mean joint score of the last accepted result."""
    last_seen_frame: int = -1
    last_seen_at: float = 0.0
    """Time of the last accepted result, s."""
    missing_frames: int = 0
    unconfirmed_count: int = 0
    """Successive detections that did not see the person."""
    last_detected_at: float = -np.inf
    """Time when the detector last saw the person, s."""
    velocity: Array = field(default_factory=lambda: np.zeros(2))
    """(2,) frame pixels per second, of the trunk."""
    appearance: Appearance | None = None
    appearance_samples: int = 0
    appearance_updated_at: float = -np.inf
    mismatch_count: int = 0
    """Successive appearance samples that did not match the person."""
    last_verified: LostTrack | None = None
    """State when the appearance last matched."""

    def predicted_shift(self, time: float) -> Array:
        """Return the shift (2,) from the last position to the predicted one, frame pixels."""
        return extrapolate(self.velocity, time - self.last_seen_at)

    def update(self, keypoints: Array, frame: int, time: float) -> None:
        """Update position and velocity from an accepted result.

        Parameters
        ----------
        keypoints : (14, 2) array
            Frame pixels.
        frame : int
            Index of the frame.
        time : float
            Time of the frame, s.
        """
        points = np.array(keypoints, dtype=np.float64)
        centre, extent = trunk_centre(points), joints_extent(points)
        if self.keypoints is not None and time > self.last_seen_at:
            elapsed = time - self.last_seen_at
            velocity = (centre - self.trunk_centre) / elapsed
            limit = _MAX_SPEED * extent
            speed = float(np.hypot(*velocity))
            if speed > limit:
                velocity *= limit / speed
            gain = 1 - np.exp(-elapsed / _VELOCITY_TIME_S)
            self.velocity = self.velocity + gain * (velocity - self.velocity)
        self.keypoints, self.trunk_centre, self.extent = points, centre, extent
        self.last_seen_frame, self.last_seen_at = frame, time
        self.is_upright, self.is_new, self.missing_frames = True, False, 0

    def update_appearance(self, appearance: Appearance, time: float) -> None:
        """Average a matching sample of the unoccluded person into the appearance."""
        self.appearance_samples, self.mismatch_count = self.appearance_samples + 1, 0
        if self.appearance is None:
            self.appearance = appearance
        else:
            elapsed = max(time - self.appearance_updated_at, 0.0)
            gain = 1 - float(np.exp(-elapsed / _APPEARANCE_TIME_S))
            if self.appearance_samples <= _EVEN_SAMPLES:
                gain = 1 / self.appearance_samples
            self.appearance = blend_appearance(self.appearance, appearance, gain)
        self.appearance_updated_at = time
        self.last_verified = self.as_lost()

    def as_lost(self) -> LostTrack | None:
        """Return the state to remember after the track ends; None if it was never confirmed."""
        if self.keypoints is None:
            return None
        return LostTrack(
            self.person,
            self.keypoints,
            self.velocity,
            self.last_seen_at,
            self.appearance,
            self.appearance_samples,
        )


@dataclass(frozen=True)
class LostTrack:
    """Last state of a person whose track has ended."""

    person: int
    keypoints: Array
    """(14, 2) frame pixels when last seen."""
    velocity: Array
    """(2,) frame pixels per second, of the trunk."""
    last_seen_at: float
    """Time of the frame in which the person was last seen, s; -inf after a shot cut, when the
    position means nothing."""
    appearance: Appearance | None
    appearance_samples: int

    def predicted_shift(self, time: float) -> Array:
        """Return the shift (2,) from the last position to the predicted one, frame pixels."""
        return extrapolate(self.velocity, time - self.last_seen_at)


class TrackTable:
    """Current and lost tracks by person id, oldest first."""

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}
        self.lost: dict[int, LostTrack] = {}
        self.last_ended_at = -np.inf
        """Time when a track last ended, s."""
        self.needs_detection = False
        """A confirmed track has ended, so the detector must run on the next frame."""

    def clear(self) -> None:
        """Remove all tracks and forget all lost people."""
        self.tracks, self.lost = {}, {}
        self.last_ended_at = -np.inf
        self.needs_detection = False

    def end(self, track: Track, time: float, *, remember: bool = True) -> None:
        """End a track; with `remember`, keep its last state for re-identification."""
        if track.keypoints is not None:
            # a track that was never confirmed was a false detection, which would come again
            self.needs_detection = True
        self._remove(track, time, remember=remember)

    def resume(self, lost: LostTrack, crop: Crop, time: float, *, is_upright: bool = True) -> Track:
        """Continue a lost track at a crop; it stays among the lost until the network confirms."""
        track = Track(
            lost.person,
            crop,
            is_upright,
            appearance=lost.appearance,
            appearance_samples=lost.appearance_samples,
            last_detected_at=time,
        )
        self.tracks[lost.person] = track
        return track

    def recently_lost(self, time: float, buffer_s: float) -> list[LostTrack]:
        """Return people lost within the last `buffer_s` seconds who are not tracked again."""
        return [
            lost
            for person, lost in self.lost.items()
            if person not in self.tracks and time - lost.last_seen_at <= buffer_s
        ]

    def cut(self) -> None:
        """End all tracks at a shot cut: positions become meaningless, appearances stay."""
        for track in list(self.tracks.values()):
            self._remove(track, -np.inf)
        self.lost = {
            person: replace(lost, last_seen_at=-np.inf) for person, lost in self.lost.items()
        }

    def _remove(self, track: Track, time: float, *, remember: bool = True) -> None:
        del self.tracks[track.person]
        self.last_ended_at = time
        lost = track.last_verified if track.mismatch_count else track.as_lost()
        if remember and lost is not None:
            self.lost[track.person] = lost


def extrapolate(velocity: Array, seconds: float) -> Array:
    """Return the shift (2,) of a velocity (2,) that decays exponentially over `seconds`."""
    decay = 1 - np.exp(-max(seconds, 0.0) / _EXTRAPOLATION_S)
    return np.asarray(velocity * (_EXTRAPOLATION_S * decay))


def trunk_centre(keypoints: Array) -> Array:
    """Return the centre (2,) of hips and shoulders of LSP key points (14, 2)."""
    return np.asarray(keypoints[[*LSP_HIPS, *LSP_SHOULDERS]].mean(axis=0))
