"""Person tracker: who is tracked, and where the next crops lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pymaf_live.tracking.appearance import extract_appearance
from pymaf_live.tracking.assignment import normalised_appearance_distance
from pymaf_live.tracking.association import Associator, group_by_person, observation_for
from pymaf_live.tracking.crop import CropRule, stabilised
from pymaf_live.tracking.crop_placement import CropPlacer, is_well_placed, shifted
from pymaf_live.tracking.detection_schedule import DetectionSchedule
from pymaf_live.tracking.detection_update import DetectionUpdate
from pymaf_live.tracking.detector import Detector
from pymaf_live.tracking.observation_gate import ObservationGate
from pymaf_live.tracking.overlap import overlapping
from pymaf_live.tracking.shot_cuts import ShotCutDetector
from pymaf_live.tracking.tracked_crop import TrackedCrop, TrackObservation
from pymaf_live.tracking.tracker_config import TrackerConfig
from pymaf_live.tracking.tracks import LostTrack, Track, TrackTable
from pymaf_live.tracking.trunk_orientation import TrunkOrientationEstimator
from pymaf_live.types import Array, Frame

_DEFAULT_CONFIG = TrackerConfig()
_DEFAULT_RULE = CropRule()


class PersonTracker:
    """Tracks people from frame to frame: the next crop comes from the last accepted result.

    Call for each frame, in this order:

    1. `begin_frame` returns the crops to run inference on. It runs the detector if one is due.
    2. `refine_crop`, optionally, returns a better crop for a result, to run inference on again.
    3. `update` takes the results of all crops and returns who is in them.
    4. `predicted_crops`, optionally, returns the crops of the next frames.

    Results are associated with people by predicted position and by appearance, over all crops of a
    frame at once, so that people who cross or occlude one another keep their ids. Not thread-safe.

    Parameters
    ----------
    detector : Detector, optional
        None where only user-drawn boxes are used. Not closed by the tracker.
    crop_size : int
        Side of the network's input in pixels.
    config : TrackerConfig
    rule : CropRule
        Crop rule of the network.
    scored : bool
        False if the network's scores mean nothing; the detector then runs more often, and people
        it no longer detects are dropped.
    orientation : TrunkOrientationEstimator, optional
        Created on first use by default.

    Examples
    --------
    >>> tracker = PersonTracker(None, 256)
    >>> frame = Frame(0, 0.0, np.zeros((480, 640, 3), np.uint8))
    >>> tracker.begin_frame(frame, boxes=np.zeros((0, 4)))
    []
    >>> tracker.update([])
    []
    """

    def __init__(
        self,
        detector: Detector | None,
        crop_size: int,
        config: TrackerConfig = _DEFAULT_CONFIG,
        *,
        rule: CropRule = _DEFAULT_RULE,
        scored: bool = True,
        orientation: TrunkOrientationEstimator | None = None,
    ) -> None:
        self.config = config
        self._detector = detector
        self._scored = scored
        self._placer = CropPlacer(crop_size, rule, orientation)
        self._cuts = ShotCutDetector()
        self._table = TrackTable()
        self._associator = Associator(config)
        self._gate = ObservationGate(config, detector, scored=scored)
        self._schedule = DetectionSchedule(config, self._table, scored=scored)
        self._detections = DetectionUpdate(config, self._table, self._placer, scored=scored)
        self._frame: Frame | None = None
        self._user_boxes = False
        """The frame's crops come from user-drawn boxes."""
        self._awaits_update = False
        self.starts_shot = False
        """The frame does not continue the one before: motion must not be smoothed across it."""

    @property
    def notice(self) -> str:
        """Message that more people are visible than are tracked; empty until that happens."""
        if not self._detections.more_people:
            return ""
        people = self.config.people
        who = "the one in front is" if people == 1 else f"the nearest {people} are"
        return f"more people are in the image than may be tracked: {who} tracked"

    def reset(self) -> None:
        """Forget all people: the next frame does not continue the last one."""
        self._table.clear()
        self._cuts.reset()
        self._schedule.request()

    def begin_frame(self, frame: Frame, boxes: Array | None = None) -> list[TrackedCrop]:
        """Start a frame and return the crops to run inference on.

        Parameters
        ----------
        frame : Frame
        boxes : (N, 4) array, optional
            User-drawn boxes in frame pixels, one per person, in place of detection and tracking.
            Each is to be tried in several sizes (`TrackedCrop.alternatives`). The trunk's
            orientation is estimated inside each box; where that fails, the crop is upright in the
            frame and `is_upright` is False.

        Returns
        -------
        list of TrackedCrop
            The person tracked for longest first.
        """
        previous, self._frame = self._frame, frame
        self._awaits_update = True
        self._user_boxes = boxes is not None
        self.starts_shot = False
        if boxes is not None:
            return self._crops_of_boxes(frame, boxes)
        self.starts_shot = self._cuts.is_cut(frame.image) or _restarts(previous, frame)
        if self.starts_shot:
            self._table.cut()
            self._schedule.request()
        if self.needs_detection(frame.time) and self._detector is not None:
            self._schedule.mark_run(frame.time)
            self._schedule.waiting_for_id = self._detections.apply(
                frame, self._detector.detect(frame.image)
            )
        return [self._tracked_crop(track, frame) for track in self._table.tracks.values()]

    def refine_crop(self, crop: TrackedCrop, keypoints: Array) -> TrackedCrop | None:
        """Return a better crop of a new person after the first inference, or None if it is good.

        Parameters
        ----------
        crop : TrackedCrop
        keypoints : (14, 2) array
            Projected 'lsp' key points of the first result, frame pixels.

        Raises
        ------
        RuntimeError
            If no frame was begun.
        """
        frame = self._current_frame("refine_crop")
        track = self._table.tracks.get(crop.person)
        if track is None or not crop.is_new or not self._gate.is_plausible(keypoints, frame):
            return None
        refined = self._placer.from_keypoints(keypoints, crop.crop, frame.image)
        if crop.is_upright and not track.from_user_box and is_well_placed(crop.crop, refined):
            return None
        track.crop, track.is_upright = refined, True
        return replace(crop, crop=refined, is_upright=True)

    def update(self, observations: Sequence[TrackObservation]) -> list[int | None]:
        """Update the tracks with the network's results for all crops of the frame.

        Parameters
        ----------
        observations : sequence of TrackObservation
            One for each crop of `begin_frame`, or its refined crop.

        Returns
        -------
        list
            For each observation the id of the person it shows, usually that of its crop; None
            where no one is to be shown. Of several observations of one person, one is shown. A new
            track that is not confirmed ends at once; a person who was tracked is searched for at
            the predicted position for a few more frames.

        Raises
        ------
        RuntimeError
            If no frame was begun since the last update.
        """
        frame = self._current_frame("update")
        self._awaits_update = False
        if self._user_boxes:
            # the user says that a person is there
            return [
                each.person if np.isfinite(each.keypoints).all() else None for each in observations
            ]
        current = self._table.tracks
        credible = [
            each
            for each in observations
            if self._gate.is_credible(each, current.get(each.person), frame)
        ]
        groups = group_by_person(credible)
        tracks = [current[each.person] for each in observations if each.person in current]
        known: list[Track | LostTrack] = list(tracks)
        if groups:
            buffer_s = self.config.lost_track_buffer_s
            known += self._table.recently_lost(frame.time, buffer_s)
        shown: dict[int, int] = {}
        for row, column in self._associator.match_observations(known, groups, frame).items():
            observation = observation_for(known[row], groups[column])
            self._continue_track(known[row], observation, frame)
            shown[id(observation)] = known[row].person
        for track in tracks:
            if track.last_seen_frame != frame.index:
                self._count_missing(track, frame)
        self._update_appearances(frame)
        return [shown.get(id(each)) for each in observations]

    def predicted_crops(self) -> list[TrackedCrop]:
        """Return the crops predicted for the next frames; `upcoming_crops` starts with the next.

        Empty without a lookahead. A shot cut, the detector or the next result may overrule them.

        Raises
        ------
        RuntimeError
            If the current frame was not updated yet.
        """
        if self._frame is None or not self.config.lookahead_frames:
            return []
        if self._awaits_update:
            raise RuntimeError("predicted_crops() must be called after update()")
        crops = [
            self._tracked_crop(track, self._frame)
            for track in self._table.tracks.values()
            if not track.missing_frames and not track.is_new
        ]
        return [replace(each, upcoming_crops=(each.crop, *each.upcoming_crops)) for each in crops]

    def needs_detection(self, time: float) -> bool:
        """Return True if the detector would run on a frame at `time` (s), in the current state."""
        return self._detector is not None and self._schedule.is_due(time)

    def _current_frame(self, method: str) -> Frame:
        if self._frame is None or not self._awaits_update:
            raise RuntimeError(f"{method}() needs a frame: call begin_frame() first")
        return self._frame

    def _crops_of_boxes(self, frame: Frame, boxes: Array) -> list[TrackedCrop]:
        self._table.clear()
        crops = []
        for person, box in enumerate(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), start=1):
            crop, is_upright = self._placer.from_user_box(frame.image, box)
            track = Track(person, crop, is_upright, from_user_box=True)
            self._table.tracks[person] = track
            # without scores nothing tells which size is best
            alternatives = self._placer.alternatives(box, crop) if self._scored else ()
            crops.append(replace(self._tracked_crop(track, frame), alternatives=alternatives))
        return crops

    def _tracked_crop(self, track: Track, frame: Frame) -> TrackedCrop:
        crop, upcoming = track.crop, track.upcoming_crops
        if track.missing_frames and track.keypoints is not None:
            # a hidden person is assumed to keep moving
            crop, upcoming = shifted(crop, track.predicted_shift(frame.time)), ()
        return TrackedCrop(
            track.person, crop, track.is_new, track.is_upright, track.from_user_box, upcoming
        )

    def _continue_track(
        self, known: Track | LostTrack, observation: TrackObservation, frame: Frame
    ) -> None:
        current = observation.tracked_crop.crop
        upcoming = observation.tracked_crop.upcoming_crops
        keypoints, place = observation.keypoints, self._placer.from_keypoints
        if isinstance(known, LostTrack):
            track = self._table.resume(known, current, frame.time)
        else:
            track = known
        if not upcoming or observation.person != known.person:
            track.crop = stabilised(place(keypoints, current, frame.image), current)
            track.upcoming_crops = (track.crop,) * self.config.lookahead_frames
        else:
            # inference on the next frames has started at these crops already
            track.crop, last = upcoming[0], upcoming[-1]
            newest = stabilised(place(keypoints, last, frame.image), last)
            track.upcoming_crops = (*upcoming[1:], newest)
        track.update(keypoints, frame.index, frame.time)
        track.joint_score = observation.joint_score
        self._table.lost.pop(track.person, None)

    def _count_missing(self, track: Track, frame: Frame) -> None:
        track.missing_frames += 1
        if track.is_new or track.missing_frames >= self.config.max_missing_frames:
            self._table.end(track, frame.time)

    def _update_appearances(self, frame: Frame) -> None:
        """Sample the appearance of people who are not occluded."""
        config, tracks = self.config, self._table.tracks
        for track in [each for each in tracks.values() if each.last_seen_frame == frame.index]:
            assert track.keypoints is not None
            elapsed = frame.time - track.appearance_updated_at
            if elapsed < config.appearance_interval_s and not track.mismatch_count:
                continue
            if any(
                other is not track
                and other.keypoints is not None
                and overlapping(track.keypoints, other.keypoints)
                for other in tracks.values()
            ):
                continue
            observed = extract_appearance(frame.image, track.keypoints)
            if observed is None:
                continue
            is_known = (
                track.appearance is not None
                and track.appearance_samples >= config.min_appearance_samples
            )
            distance = normalised_appearance_distance(track.appearance, observed)
            if is_known and distance >= config.appearance_gate:
                track.mismatch_count += 1
            else:
                track.update_appearance(observed, frame.time)


def _restarts(previous: Frame | None, frame: Frame) -> bool:
    """Return True if a looping video is at its start again: a cut, however similar the images."""
    if previous is None or previous.file_time is None or frame.file_time is None:
        return False
    return frame.file_time < previous.file_time
