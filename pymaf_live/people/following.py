"""Who is followed, and where the next crop lies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.people.crop import (
    SIDE,
    CropRule,
    crop_from_box,
    crop_from_points,
    steadied,
    trunk_turn,
)
from pymaf_live.people.cuts import CutFinder
from pymaf_live.people.detector import Detector
from pymaf_live.people.landmarks import BODY_POINTS, spanning_points
from pymaf_live.people.same import joints_extent, same_person
from pymaf_live.people.trunk import TrunkFinder
from pymaf_live.types import Array, Crop, Detection, Frame

NEW_SCORE = 0.5
"""The network must be this sure of a person before following begins."""

KEPT_SCORE = 0.3
"""Below this a followed person is missing in the frame."""

SURE_JOINTS = 0.25
"""A followed person whose joints' mean score lies below this is shown only where the detector sees
somebody too. Of crops on background 34 % (`lite`) and 19 % (`full`) pass `KEPT_SCORE`, 5 % this;
of crops on people in films fewer than 0.2 % fail it, but of people cut off or seated up to 19 %."""

_MOST_MISSING = 3
"""Frames in a row in which a person may be missing before the track ends."""

_MOST_DOUBTS = 3
"""Detections in a row that find somebody, but nobody where the track is, before it ends."""

_SEARCH_EVERY = 0.1
"""Seconds between detections while nobody is followed."""

_SEARCH_ON = 0.25
"""Seconds between detections while others are followed and somebody was lost lately."""

_REMEMBERED = 2.0
"""Seconds for which a lost person's place is kept, so that who returns there keeps the number."""

GIVEN_BOX_SIDE = 1.45
"""Crop side as a multiple of a given box: such boxes lie about 0.1 outside the joints all round,
and 1.75 / 1.2 puts the joints at the crop rule's size (the plateau is broad)."""

_DETECTED_BOX_SIDE = 1.75

_MOST_SPEED = 3.0
_MOST_JUMP = 0.12
"""How far a trunk may move between results, in extents of its person: at most 3 a second (about
5 m/s) and a little for noise. A neighbour stands farther off: the network has changed person."""

_OUR_RULE = CropRule()

# LSP's order, in which the projected key points come
_HIPS, _SHOULDERS = (2, 3), (8, 9)

_LEAST_TRUNK = 0.1
"""Of the larger extent; a trunk seen end on is shorter, and its direction means nothing."""

# how far a first crop may be from the crop rule's before a second pass is worth it
_TURN_OFF = np.radians(30.0)
_CENTRE_OFF = 0.2
_SIDE_OFF = 1.4

# in pixels, and as a multiple of the frame's larger side
_LEAST_EXTENT = 8.0
_MOST_EXTENT = 4.0


@dataclass(frozen=True)
class FollowedCrop:
    """Where to look for one person in one frame."""

    person: int
    """Number of the person, 0 to people - 1; one who returns soon keeps it."""
    crop: Crop
    new: bool
    """The first crop of this track: smoothing starts afresh, and a second look may help."""
    turned: bool
    """Whether the crop is upright along the trunk; if not, the trunk is not known yet."""
    given: bool = False
    """The crop lies about a box that somebody gave: a second look counts only if it is surer."""


@dataclass
class _Track:
    person: int
    crop: Crop
    turned: bool
    new: bool = True
    given: bool = False
    keypoints: Array | None = None
    seen_in: int = -1
    seen_at: float = 0.0
    missing: int = 0
    doubts: int = 0
    vouched_at: float = -np.inf
    """When the detector saw the person last."""


@dataclass
class _Lost:
    keypoints: Array
    time: float


@dataclass
class _Roll:
    """Tracks by person number, oldest first."""

    tracks: dict[int, _Track] = field(default_factory=dict)
    lost: dict[int, _Lost] = field(default_factory=dict)
    ended_at: float = -np.inf


class Following:
    """Follows people from frame to frame: the next crop comes from the last accepted result.

    A detector is asked when nobody is followed, after a loss, at a shot cut, and every
    `detect_every` seconds to see whether others are there. One call order a frame: `crops` (or
    `given_boxes`), perhaps `second_look`, then `accept` for each crop in the order given. Not for
    use from several threads at once.

    Parameters
    ----------
    detector : Detector, optional
        None where only `given_boxes` is used.
    crop_size : int
        Side of the network's input in pixels.
    people : int
        Most people to follow.
    detect_every : float
        Seconds between detections while everybody wanted is followed.
    trunk_finder : TrunkFinder, optional
        Otherwise made when it is needed.
    rule : CropRule
        Of the network.
    scored : bool
        Whether the network says how sure it is of a person. If not, the detector is asked more
        often, and whom it does not find any more is not followed any more.
    """

    def __init__(
        self,
        detector: Detector | None,
        crop_size: int,
        people: int = 1,
        *,
        detect_every: float = 1.0,
        trunk_finder: TrunkFinder | None = None,
        rule: CropRule = _OUR_RULE,
        scored: bool = True,
    ) -> None:
        self._detector = detector
        self._size = crop_size
        self._people = people
        self._detect_every = detect_every
        self._trunk_finder = trunk_finder
        self._trunk_known = rule.turned
        self._rule = rule
        self._scored = scored
        self._cuts = CutFinder()
        self._frame: Frame | None = None
        self._detected_at: float | None = None
        self._roll = _Roll()
        self.detections = 0
        """How often the detector was asked."""

    def reset(self) -> None:
        """Forget everybody: the next frame does not continue the last one."""
        self._roll = _Roll()
        self._cuts.reset()
        self._detected_at = None

    def crops(self, frame: Frame) -> list[FollowedCrop]:
        """Crops of the people in a frame, longest followed first."""
        self._frame = frame
        if self._cuts.is_cut(frame.image):
            # who is where has nothing to do with the shot before
            self._roll = _Roll()
            self._detected_at = None
        if self._must_detect(frame.time):
            self._detect(frame)
        return [self._followed(track) for track in self._roll.tracks.values()]

    def given_boxes(self, frame: Frame, boxes: Array) -> list[FollowedCrop]:
        """Crops for boxes (N, 4) in frame pixels, one a person; nothing is detected or followed.

        The trunk's direction is looked for inside each box; where it is not found the crop is
        upright in the frame and `turned` is false.
        """
        self._frame = frame
        self._roll = _Roll()
        for person, box in enumerate(np.asarray(boxes, dtype=np.float64).reshape(-1, 4)):
            turn = self._turn_in(frame, box)
            side = GIVEN_BOX_SIDE * self._rule.side / SIDE
            crop = crop_from_box(box, turn or 0.0, self._size, side)
            turned = turn is not None or not self._rule.turned
            track = _Track(person, crop, turned, given=True)
            self._roll.tracks[person] = track
        return [self._followed(track) for track in self._roll.tracks.values()]

    def second_look(self, followed: FollowedCrop, keypoints: Array) -> FollowedCrop | None:
        """A better crop after the first pass over a new person, or None where the first was good.

        Parameters
        ----------
        followed : FollowedCrop
        keypoints : (14, 2) array
            Projected 'lsp' key points of the first pass, frame pixels.
        """
        track = self._roll.tracks.get(followed.person)
        if track is None or not followed.new or not self._sensible(keypoints):
            return None
        crop = self._crop_about(keypoints, followed.crop)
        if followed.turned and not track.given and _near(followed.crop, crop):
            return None
        track.crop, track.turned = crop, True
        return replace(followed, crop=crop, turned=True)

    def accept(
        self, followed: FollowedCrop, keypoints: Array, score: float, joints: float = 1.0
    ) -> bool:
        """Take the network's result for a crop.

        Parameters
        ----------
        followed : FollowedCrop
            As `crops` or `second_look` gave it.
        keypoints : (14, 2) array
            Projected 'lsp' key points, frame pixels.
        score : float
            0..1, that a person is in the crop.
        joints : float
            0..1, the joints' mean score: the network may be sure of a person where nobody is, but
            then not of the joints.

        Returns
        -------
        bool
            Whether this is a person to show. If not, a new track ends at once; one that was
            followed is looked for at the same place for a few frames more.
        """
        track = self._roll.tracks.get(followed.person)
        if track is None or self._frame is None:
            return False
        if track.given:
            # whoever gave the box says that somebody is there
            return bool(np.isfinite(keypoints).all())
        wanted = NEW_SCORE if track.new else KEPT_SCORE
        believed = (
            score >= wanted
            and self._sensible(keypoints)
            and self._goes_on(track, keypoints)
            and (
                track.new
                or not self._scored
                or joints >= SURE_JOINTS
                or self._vouched(track, keypoints)
            )
        )
        if not believed:
            track.missing += 1
            if track.new or track.missing >= _MOST_MISSING:
                self._end(track)
            return False
        for other in self._roll.tracks.values():
            # tracks come oldest first, so the one that drifted onto another's person is the younger
            if (
                other is not track
                and other.seen_in == self._frame.index
                and other.keypoints is not None
                and same_person(other.keypoints, keypoints)
            ):
                self._end(track, remember=False)
                return False
        track.crop = steadied(self._crop_about(keypoints, followed.crop), followed.crop)
        track.keypoints = np.array(keypoints, dtype=np.float64)
        track.seen_in, track.seen_at = self._frame.index, self._frame.time
        track.turned, track.new, track.missing = True, False, 0
        return True

    def _followed(self, track: _Track) -> FollowedCrop:
        return FollowedCrop(track.person, track.crop, track.new, track.turned, track.given)

    def _must_detect(self, time: float) -> bool:
        if self._detector is None:
            return False
        if self._detected_at is None or time < self._detected_at:
            return True
        wait = self._detect_every if self._scored else min(self._detect_every, _SEARCH_ON)
        if not self._roll.tracks:
            wait = min(wait, _SEARCH_EVERY)
        elif len(self._roll.tracks) < self._people and time - self._roll.ended_at < _REMEMBERED:
            wait = min(wait, _SEARCH_ON)
        return time - self._detected_at >= wait

    def _detect(self, frame: Frame) -> None:
        assert self._detector is not None
        self._detected_at = frame.time
        self.detections += 1
        found = self._detector.detect(frame.image)
        placed = [(person, _points_of(person)) for person in found]
        free = []
        met: set[int] = set()
        for person, points in placed:
            same = [
                track.person
                for track in self._roll.tracks.values()
                if track.keypoints is not None and same_person(track.keypoints, points)
            ]
            met.update(same)
            if not same:
                free.append((person, points))
        for track in list(self._roll.tracks.values()):
            if track.person in met:
                track.doubts, track.vouched_at = 0, frame.time
            elif free or not self._scored:
                track.doubts += 1
                if track.doubts >= _MOST_DOUBTS:
                    self._end(track, remember=False)
        for person, points in free:
            if len(self._roll.tracks) >= self._people:
                break
            self._begin(frame, person, points)

    def _begin(self, frame: Frame, person: Detection, points: Array) -> None:
        number = self._number_for(points, frame.time)
        turned = person.trunk is not None or not self._rule.turned
        if person.trunk is None:
            guess = self._turn_in(frame, person.box)
            turned = turned or guess is not None
            side = _DETECTED_BOX_SIDE * self._rule.side / SIDE
            crop = crop_from_box(person.box, guess or 0.0, self._size, side)
        else:
            turn = trunk_turn(*person.trunk) if self._rule.turned else 0.0
            crop = crop_from_points(points, turn, self._size, self._rule.side)
        self._roll.lost.pop(number, None)
        self._roll.tracks[number] = _Track(number, crop, turned, vouched_at=frame.time)

    def _number_for(self, points: Array, time: float) -> int:
        roll = self._roll
        free = [number for number in range(self._people) if number not in roll.tracks]
        nearest: tuple[float, int] | None = None
        for number in free:
            lost = roll.lost.get(number)
            if lost is None or time - lost.time > _REMEMBERED:
                continue
            apart = float(np.hypot(*(lost.keypoints.mean(axis=0) - points.mean(axis=0))))
            if nearest is None or apart < nearest[0]:
                nearest = apart, number
        if nearest is not None and nearest[0] < joints_extent(points):
            return nearest[1]
        unused = [number for number in free if number not in roll.lost]
        return (unused or free)[0]

    def _end(self, track: _Track, *, remember: bool = True) -> None:
        del self._roll.tracks[track.person]
        if track.keypoints is None or self._frame is None:
            # never was a person: the detector erred and would err again at once
            return
        self._detected_at = None
        self._roll.ended_at = self._frame.time
        if remember:
            self._roll.lost[track.person] = _Lost(track.keypoints, self._frame.time)

    def _turn_in(self, frame: Frame, box: Array) -> float | None:
        if self._trunk_finder is None and self._trunk_known:
            try:
                self._trunk_finder = TrunkFinder()
            except ModelError:
                # without OpenVINO the network's own first pass must do
                self._trunk_known = False
        if self._trunk_finder is None:
            return None
        guess = self._trunk_finder.find(frame.image, box)
        return None if guess is None else guess.turn

    def _crop_about(self, keypoints: Array, before: Crop) -> Crop:
        points = np.asarray(keypoints, dtype=np.float64)
        if not self._rule.turned:
            return crop_from_points(points, 0.0, self._size, self._rule.side)
        hip, shoulder = points[list(_HIPS)].mean(axis=0), points[list(_SHOULDERS)].mean(axis=0)
        long_enough = np.hypot(*(shoulder - hip)) >= _LEAST_TRUNK * joints_extent(points)
        turn = trunk_turn(hip, shoulder) if long_enough else before.turn
        return crop_from_points(points, turn, self._size, self._rule.side)

    def _vouched(self, track: _Track, keypoints: Array) -> bool:
        """Whether the detector sees somebody where the key points lie; asked only so often."""
        if self._frame is None or self._detector is None:
            return True
        if 0 <= self._frame.time - track.vouched_at < _SEARCH_ON:
            return True
        self.detections += 1
        found = self._detector.detect(self._frame.image)
        if not any(same_person(keypoints, _points_of(person)) for person in found):
            return False
        track.vouched_at = self._frame.time
        return True

    def _goes_on(self, track: _Track, keypoints: Array) -> bool:
        """Whether key points can be where the track's person has got to since."""
        if track.keypoints is None or self._frame is None:
            return True
        trunk = [*_HIPS, *_SHOULDERS]
        moved = keypoints[trunk].mean(axis=0) - track.keypoints[trunk].mean(axis=0)
        allowed = _MOST_JUMP + _MOST_SPEED * (self._frame.time - track.seen_at)
        return float(np.hypot(*moved)) <= allowed * joints_extent(track.keypoints)

    def _sensible(self, keypoints: Array) -> bool:
        """Whether key points could be a person in the frame at all."""
        if self._frame is None or not np.isfinite(keypoints).all():
            return False
        height, width = self._frame.image.shape[:2]
        extent = joints_extent(keypoints)
        if not min(_LEAST_EXTENT, width, height) <= extent <= _MOST_EXTENT * max(width, height):
            return False
        low, high = keypoints.min(axis=0), keypoints.max(axis=0)
        return bool((high > 0).all() and (low < (width, height)).all())


def _points_of(person: Detection) -> Array:
    """(N, 2) points that span a detected person as the crop rule wants."""
    if person.keypoints is not None and len(person.keypoints) == BODY_POINTS:
        return spanning_points(person.keypoints)
    return np.asarray(person.box, dtype=np.float64).reshape(2, 2)


def _near(crop: Crop, wanted: Crop) -> bool:
    turn = abs((crop.turn - wanted.turn + np.pi) % (2 * np.pi) - np.pi)
    apart = float(np.hypot(*(crop.centre - wanted.centre)))
    ratio = max(crop.side / wanted.side, wanted.side / crop.side)
    return bool(turn < _TURN_OFF and apart < _CENTRE_OFF * wanted.side and ratio < _SIDE_OFF)
