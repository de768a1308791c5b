"""What is known of people followed and of people lost: where, how fast, what they look like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.tracking.appearance import Look, blended
from pymaf_live.tracking.overlap import joints_extent
from pymaf_live.types import Array, Crop

_QUICK = 0.2
"""Seconds over which a speed is averaged."""
_GOES_ON = 0.6
"""Seconds for which a hidden person's speed lasts: far ahead nobody walks straight on."""
_MOST_SPEED = 2.0
"""Extents a second that are believed of a measured speed."""

_LEARNT_IN = 3.0
"""Seconds: clothes stay, but folds and light change slowly."""
_FIRST_LOOKS = 5
"""Looks that are averaged evenly before learning becomes slow."""


@dataclass
class Track:
    """A person who is followed."""

    person: int
    crop: Crop
    turned: bool
    new: bool = True
    given: bool = False
    coming: tuple[Crop, ...] = ()
    """The crops after `crop`, as far as they are known."""
    keypoints: Array | None = None
    """(14, 2) frame pixels of the last accepted result."""
    middle: Array = field(default_factory=lambda: np.zeros(2))
    """(2,) of the trunk, and the larger extent of the key points: asked for by everybody near."""
    extent: float = 0.0
    joints: float = 0.0
    """Of that result, the joints' mean score."""
    seen_in: int = -1
    seen_at: float = 0.0
    missing: int = 0
    doubts: int = 0
    vouched_at: float = -np.inf
    """When the detector saw the person last."""
    speed: Array = field(default_factory=lambda: np.zeros(2))
    """(2,) frame pixels a second, of the trunk."""
    look: Look | None = None
    looks: int = 0
    looked_at: float = -np.inf
    strange: int = 0
    """Looks in a row that were not like the person."""
    sure: Lost | None = None
    """Where the person was when last seen like itself."""

    def moved_on(self, time: float) -> Array:
        """(2,) frame pixels from the last seen place to where the person should be."""
        return carried(self.speed, time - self.seen_at)

    def see(self, keypoints: Array, frame: int, time: float) -> None:
        """Take over an accepted result."""
        points = np.array(keypoints, dtype=np.float64)
        middle, extent = trunk_middle(points), joints_extent(points)
        if self.keypoints is not None and time > self.seen_at:
            since = time - self.seen_at
            speed = (middle - self.middle) / since
            most = _MOST_SPEED * extent
            size = float(np.hypot(*speed))
            if size > most:
                speed *= most / size
            self.speed = self.speed + (1 - np.exp(-since / _QUICK)) * (speed - self.speed)
        self.keypoints, self.middle, self.extent = points, middle, extent
        self.seen_in, self.seen_at = frame, time
        self.turned, self.new, self.missing = True, False, 0

    def learn(self, look: Look, time: float) -> None:
        """Take a look at the unhidden person into what is known."""
        self.looks, self.strange = self.looks + 1, 0
        if self.look is None:
            self.look = look
        else:
            slow = 1 - float(np.exp(-max(time - self.looked_at, 0.0) / _LEARNT_IN))
            share = 1 / self.looks if self.looks <= _FIRST_LOOKS else slow
            self.look = blended(self.look, look, share)
        self.looked_at = time
        self.sure = self.as_lost()

    def as_lost(self) -> Lost | None:
        """What is to be remembered; None of somebody who never was seen."""
        if self.keypoints is None:
            return None
        return Lost(self.person, self.keypoints, self.speed, self.seen_at, self.look, self.looks)


@dataclass(frozen=True)
class Lost:
    """A person who was followed and is not any more."""

    person: int
    keypoints: Array
    """(14, 2) frame pixels when last seen."""
    speed: Array
    seen_at: float
    """Of the frame in which the person was last seen, s; -inf where the place means nothing."""
    look: Look | None
    looks: int

    def moved_on(self, time: float) -> Array:
        """(2,) frame pixels from the last seen place to where the person should be."""
        return carried(self.speed, time - self.seen_at)


@dataclass
class Roll:
    """Tracks by person number, oldest first, and whoever was lost."""

    tracks: dict[int, Track] = field(default_factory=dict)
    lost: dict[int, Lost] = field(default_factory=dict)
    ended_at: float = -np.inf

    def end(self, track: Track, time: float, *, remember: bool = True) -> None:
        """Follow somebody no more."""
        del self.tracks[track.person]
        self.ended_at = time
        lost = track.sure if track.strange else track.as_lost()
        if remember and lost is not None:
            self.lost[track.person] = lost

    def cut(self) -> None:
        """Follow nobody: who is where has nothing to do with the frame before, looks have."""
        for track in list(self.tracks.values()):
            self.end(track, -np.inf)
        self.lost = {number: replace(lost, seen_at=-np.inf) for number, lost in self.lost.items()}


def carried(speed: Array, seconds: float) -> Array:
    """(2,) way at a speed (2,) that dies away."""
    return np.asarray(speed * (_GOES_ON * (1 - np.exp(-max(seconds, 0.0) / _GOES_ON))))


def trunk_middle(keypoints: Array) -> Array:
    """(2,) middle of hips and shoulders of LSP's key points (14, 2)."""
    return np.asarray(keypoints[[*LSP_HIPS, *LSP_SHOULDERS]].mean(axis=0))
