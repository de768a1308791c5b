"""Decides in which frames the detector runs."""

from __future__ import annotations

from pymaf_live.tracking.tracker_config import TrackerConfig
from pymaf_live.tracking.tracks import TrackTable


class DetectionSchedule:
    """Runs the detector often while people are missing and seldom while everybody is tracked.

    Parameters
    ----------
    config : TrackerConfig
    table : TrackTable
        Read only.
    scored : bool
        See `PersonTracker`.
    """

    def __init__(self, config: TrackerConfig, table: TrackTable, *, scored: bool) -> None:
        self._config, self._table, self._scored = config, table, scored
        self._last_run_at: float | None = None
        self.waiting_for_id = False
        """A detected person has no id yet, because it is reserved for somebody just lost."""

    def request(self) -> None:
        """Run the detector on the next frame."""
        self._last_run_at = None

    def mark_run(self, time: float) -> None:
        """Note that the detector runs on a frame at `time` (s)."""
        self._last_run_at = time
        self._table.needs_detection = False

    def is_due(self, time: float) -> bool:
        """Return True if the detector must run on a frame at `time` (s), in the current state."""
        if self._last_run_at is None or self._table.needs_detection or time < self._last_run_at:
            return True
        return time - self._last_run_at >= self._interval(time)

    def _interval(self, time: float) -> float:
        """Return the current interval between detections, s."""
        config, tracks = self._config, self._table.tracks
        interval = config.detection_interval_s
        if not self._scored:
            interval = min(interval, config.search_interval_s)
        if self._everybody_is_tracked():
            interval *= config.idle_interval_factor
        if not tracks:
            return min(interval, config.empty_scene_interval_s)
        recently_lost = (
            len(tracks) < config.people
            and time - self._table.last_ended_at < config.lost_track_buffer_s
        )
        mismatched = any(
            track.mismatch_count >= config.max_appearance_mismatches for track in tracks.values()
        )
        if recently_lost or self.waiting_for_id or mismatched:
            interval = min(interval, config.search_interval_s)
        return interval

    def _everybody_is_tracked(self) -> bool:
        """Return True if everybody wanted is tracked without doubt.

        A detection is then least useful: no track could be started, and the network notices who
        leaves. For several people detection takes four times as long as for one; a single person
        must be a confident one, since nothing else shows a false track.
        """
        tracks = self._table.tracks.values()
        if len(tracks) != self._config.people:
            return False
        confident = self._scored and all(
            track.joint_score >= self._config.confident_joint_score for track in tracks
        )
        return (confident or self._config.people > 1) and not any(
            track.unconfirmed_count or track.missing_frames or track.is_new for track in tracks
        )
