"""Frames of a take where the network is not confident, or where the motion is not measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pymaf_live.takes.library import StoredTake
from pymaf_live.types import Array, Mask

DOUBTFUL_SCORE = 0.4
"""Mean joint score below which a frame counts as doubtful."""
_JOINED = 3
"""Doubtful runs with at most this many frames between them are one place."""


@dataclass(frozen=True)
class Doubt:
    """Confidence over the F frames of a take."""

    score: Array
    """(F,) mean joint score 0..1 of the least confident person; NaN in frames without people."""
    interpolated: Mask
    """(F,) True where the smoothing filled a gap for someone."""
    corrected: Mask
    """(F,) True where the user drew a box, held or deleted the motion."""

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """(N, 2) first and last frame of each doubtful place, in order."""
        doubtful = self.interpolated | (np.nan_to_num(self.score, nan=1.0) < DOUBTFUL_SCORE)
        # what the user has set is no longer in doubt
        frames = np.flatnonzero(doubtful & ~self.corrected)
        if not len(frames):
            return np.zeros((0, 2), np.int64)
        gaps = np.flatnonzero(np.diff(frames) > _JOINED + 1)
        first = frames[np.r_[0, gaps + 1]]
        last = frames[np.r_[gaps, len(frames) - 1]]
        return np.stack([first, last], axis=1)

    def next_place(self, frame: int) -> int | None:
        """Return the first frame of the next doubtful place after a frame, or None."""
        later = self.places[self.places[:, 0] > frame, 0]
        return int(later[0]) if len(later) else None

    def previous_place(self, frame: int) -> int | None:
        """Return the first frame of the last place that starts before a frame, or None."""
        earlier = self.places[self.places[:, 0] < frame, 0]
        return int(earlier[-1]) if len(earlier) else None


def doubt_of(stored: StoredTake) -> Doubt:
    """Return where a take is doubtful.

    Scores are those of the measurement: smoothing gives a filled gap the scores around it.
    """
    take, raw = stored.take, stored.raw
    count = len(take.frame_time)
    score = np.full(count, np.inf)
    np.minimum.at(score, raw.frame, np.nan_to_num(raw.joint_score, nan=0.0).mean(axis=1))
    score[np.isinf(score)] = np.nan
    interpolated = np.zeros(count, bool)
    interpolated[take.frame[take.predicted]] = True
    corrected = np.zeros(count, bool)
    corrected[[frame for frame, _ in stored.about.corrections if frame < count]] = True
    for first, last in stored.about.edited_spans:
        corrected[first : last + 1] = True
    return Doubt(score, interpolated, corrected)
