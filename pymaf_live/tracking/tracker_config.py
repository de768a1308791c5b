"""Parameters of the person tracker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerConfig:
    """Parameters of `PersonTracker`; lengths in *extents* are relative to the person's size.

    The extent of a person is the larger side of the box of their key points.
    """

    people: int = 1
    """Maximum number of people to track."""
    lookahead_frames: int = 0
    """Number of frames that a crop is known before it is cut. A crop then comes from an earlier
    result than the last one, so that inference on upcoming frames can start early."""

    # accepting the network's results

    new_track_score: float = 0.5
    """Minimum person score of the first result of a track; below it, the track is dropped."""
    keep_score: float = 0.3
    """Minimum person score of a tracked person; below it, they are missing in the frame."""
    min_joint_score: float = 0.25
    """Mean joint score below which a tracked person is shown only where the detector sees somebody
    too. Of crops on background 34 % (`lite`) and 19 % (`full`) pass `keep_score`, 5 % this; of
    crops on people in videos fewer than 0.2 % fail it, but of people cut off or seated up to
    19 %."""
    confident_joint_score: float = 0.5
    """Mean joint score from which on a miss of the detector is ignored. Of 332 crops on background
    that pass `keep_score` none comes near it (`lite` .35, `full` .45); for people tracked in a
    street and a dance the median is .6 to .75, and it is below .5 in one frame of twenty, while
    the detector misses fully visible people for seconds."""
    max_speed: float = 3.0
    """Fastest motion of a trunk between results, extents per second (about 5 m/s); beyond it, the
    network has switched to a neighbour."""
    max_jump: float = 0.12
    """Allowance for noise on top of `max_speed`, in extents."""
    min_extent_px: float = 8.0
    """Smallest plausible extent of a person in pixels."""
    max_extent: float = 4.0
    """Largest plausible extent of a person as a multiple of the frame's larger side."""

    # ending and resuming tracks

    max_missing_frames: int = 3
    """Number of successive frames a person may be missing before the track ends."""
    max_unconfirmed_detections: int = 3
    """Number of successive detections of others, but not of this person, before a track ends."""
    lost_track_buffer_s: float = 2.0
    """Time that the position of a lost person is kept, so that they get the same id when they
    return."""

    # when the detector runs

    detection_interval_s: float = 1.0
    """Interval of detections while somebody is tracked, to find newcomers."""
    empty_scene_interval_s: float = 0.1
    """Interval of detections while no one is tracked."""
    search_interval_s: float = 0.25
    """Interval of detections while others are tracked and somebody was lost recently."""
    idle_interval_factor: float = 2.0
    """Factor on `detection_interval_s` while everybody wanted is tracked without doubt."""

    # appearance and re-identification

    appearance_interval_s: float = 0.1
    """Interval at which the appearance of a person is sampled."""
    min_appearance_samples: int = 3
    """Number of samples before an appearance is known well enough to recognise a mismatch."""
    max_appearance_mismatches: int = 3
    """Number of successive mismatches before the detector checks who is there."""
    appearance_gate: float = 1.1
    """Normalised appearance distance from which on a sample is another person."""
    reid_appearance_distance: float = 0.7
    """Normalised appearance distance below which a person lost long ago is re-identified by
    appearance alone."""
    max_reid_cost: float = 1.6
    """Match cost up to which a lost person is re-identified: a little off the expected position
    and a little different in appearance."""
    self_match_bonus: float = 0.3
    """Reduction of the cost of a crop's result for the crop's own person: ids are exchanged only
    where position and appearance clearly say so."""
    new_track_cost: float = 1.5
    """Cost of a new track for its own crop: a returning person takes precedence."""
