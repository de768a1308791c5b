"""Update of the tracks by the detector: confirm, move, end, resume and start tracks."""

from __future__ import annotations

from collections.abc import Sequence

from pymaf_live.tracking.assignment import normalised_appearance_distance
from pymaf_live.tracking.association import Associator
from pymaf_live.tracking.crop_placement import CropPlacer
from pymaf_live.tracking.detections import DetectionFeatures, describe_detection, prominence
from pymaf_live.tracking.tracker_config import TrackerConfig
from pymaf_live.tracking.tracks import LostTrack, Track, TrackTable
from pymaf_live.types import Crop, Detection, Frame


class DetectionUpdate:
    """Applies detections to the tracks.

    Parameters
    ----------
    config : TrackerConfig
    table : TrackTable
        Updated.
    placer : CropPlacer
    scored : bool
        See `PersonTracker`.
    """

    def __init__(
        self, config: TrackerConfig, table: TrackTable, placer: CropPlacer, *, scored: bool
    ) -> None:
        self._config, self._table, self._placer, self._scored = config, table, placer, scored
        self._associator = Associator(config)
        self.more_people = False
        """More people were detected than may be tracked."""

    def apply(self, frame: Frame, detections: Sequence[Detection]) -> bool:
        """Update the tracks.

        Returns
        -------
        bool
            True if a newcomer waits for an id that is reserved for somebody just lost.
        """
        found = [describe_detection(frame.image, each) for each in detections]
        found.sort(key=lambda each: -prominence(each, frame.image.shape[1]))
        known: list[Track | LostTrack] = [
            *self._table.tracks.values(),
            *self._table.recently_lost(frame.time, self._config.lost_track_buffer_s),
        ]
        matches = self._associator.match_detections(known, found, frame.time)
        newcomers: list[DetectionFeatures] = []
        detected: set[int] = set()
        for number, each in enumerate(found):
            match = known[matches[number]] if number in matches else None
            here = [track for track in self._table.tracks.values() if each.overlaps(track)]
            if match is None and not here:
                newcomers.append(each)
            if match is None and len(here) == 1:
                match = here[0]
            if match is None:
                continue
            detected.add(match.person)
            if isinstance(match, LostTrack):
                self._resume(match, each, here, frame)
            elif any(match is track for track in here):
                self._confirm(match, each, frame.time)
            else:
                self._relocate(match, each, here, frame)
        self._count_unconfirmed(detected, frame.time, others_seen=bool(newcomers))
        return self._start_tracks(newcomers, frame)

    def _resume(
        self, lost: LostTrack, found: DetectionFeatures, here: Sequence[Track], frame: Frame
    ) -> None:
        """Resume a lost track; the tracks in its place were on the wrong person."""
        for track in here:
            self._table.end(track, frame.time)
        self._resume_at(lost, found, frame)

    def _resume_at(self, lost: LostTrack, found: DetectionFeatures, frame: Frame) -> None:
        crop, is_upright = self._crop_of(found, frame)
        self._table.resume(lost, crop, frame.time, is_upright=is_upright)

    def _confirm(self, track: Track, found: DetectionFeatures, time: float) -> None:
        track.unconfirmed_count, track.last_detected_at = 0, time
        mismatched = track.mismatch_count >= self._config.max_appearance_mismatches
        if mismatched and found.appearance is not None:
            # no one here resembles the person more: their appearance has changed
            track.update_appearance(found.appearance, time)

    def _relocate(
        self, track: Track, found: DetectionFeatures, here: Sequence[Track], frame: Frame
    ) -> None:
        """Move a track whose person was detected elsewhere, once the track is in doubt."""
        track.unconfirmed_count += 1
        state = track.last_verified if track.mismatch_count else track.as_lost()
        in_doubt = (
            track.mismatch_count >= self._config.max_appearance_mismatches
            or track.unconfirmed_count >= self._config.max_unconfirmed_detections
            or track.missing_frames
        )
        if state is None or not in_doubt:
            return
        for other in here:
            self._table.end(other, frame.time)
        self._table.lost[track.person] = state
        self._resume_at(state, found, frame)

    def _count_unconfirmed(self, detected: set[int], time: float, *, others_seen: bool) -> None:
        """End tracks that detections repeatedly failed to confirm."""
        config = self._config
        for track in list(self._table.tracks.values()):
            if self._scored and track.joint_score >= config.confident_joint_score:
                continue
            if track.person not in detected and (others_seen or not self._scored):
                track.unconfirmed_count += 1
                if track.unconfirmed_count >= config.max_unconfirmed_detections:
                    self._table.end(track, time, remember=False)

    def _start_tracks(self, newcomers: Sequence[DetectionFeatures], frame: Frame) -> bool:
        waiting = False
        for found in newcomers:
            if len(self._table.tracks) >= self._config.people:
                self.more_people = True
                break
            person = self._free_id(found, frame.time)
            if person is None:
                waiting = True
                continue
            crop, is_upright = self._crop_of(found, frame)
            self._table.tracks[person] = Track(
                person, crop, is_upright, last_detected_at=frame.time
            )
        return waiting

    def _crop_of(self, found: DetectionFeatures, frame: Frame) -> tuple[Crop, bool]:
        return self._placer.from_detection(frame.image, found)

    def _free_id(self, found: DetectionFeatures, time: float) -> int | None:
        """Return an id for a newcomer; None while all free ids are reserved for people just lost.

        In this order: the id of somebody lost long ago with a similar appearance, an unused id,
        the id that has been free for longest.
        """
        table, config = self._table, self._config

        def distance(lost: LostTrack) -> float:
            return normalised_appearance_distance(lost.appearance, found.appearance)

        free = [person for person in range(1, config.people + 1) if person not in table.tracks]
        unused = [person for person in free if person not in table.lost]
        expired = [table.lost[person] for person in free if person in table.lost]
        expired = [
            lost for lost in expired if time - lost.last_seen_at > config.lost_track_buffer_s
        ]
        similar = [lost for lost in expired if distance(lost) < config.reid_appearance_distance]
        if similar:
            return min(similar, key=distance).person
        if unused:
            return unused[0]
        return min(expired, key=lambda lost: lost.last_seen_at).person if expired else None
