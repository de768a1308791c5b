"""Who is followed, and where the next crop lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pymaf_live.tracking.appearance import Look, look_of
from pymaf_live.tracking.assignment import (
    DEAREST_RETURN,
    NOBODY,
    STRANGER,
    assigned,
    cost_of,
    strangeness,
)
from pymaf_live.tracking.crop import CropRule, steadied
from pymaf_live.tracking.crop_placement import Placing, moved, near
from pymaf_live.tracking.detections import Sighting, in_front, sighting_of, spanning
from pymaf_live.tracking.detector import Detector
from pymaf_live.tracking.overlap import joints_extent, overlapping, same_person
from pymaf_live.tracking.shot_cuts import CutFinder
from pymaf_live.tracking.tracks import Lost, Roll, Track, trunk_middle
from pymaf_live.tracking.trunk_orientation import TrunkOrientationEstimator
from pymaf_live.types import Array, Crop, Frame

NEW_SCORE = 0.5
"""The network must be this sure of a person before following begins."""

KEPT_SCORE = 0.3
"""Below this a followed person is missing in the frame."""

SURE_JOINTS = 0.25
"""A followed person whose joints' mean score lies below this is shown only where the detector sees
somebody too. Of crops on background 34 % (`lite`) and 19 % (`full`) pass `KEPT_SCORE`, 5 % this;
of crops on people in films fewer than 0.2 % fail it, but of people cut off or seated up to 19 %."""

_SURELY_SOMEBODY = 0.5
"""Joints' mean score from which on the detector's not finding a person says nothing. Of 332 crops
on background none comes near it where the score passes `KEPT_SCORE` (`lite` .35, `full` .45); of
people followed in a street and a dance it is .6 to .75 in the middle and below .5 in one frame of
twenty, and the detector misses people who stand there in full for seconds."""

_MOST_MISSING = 3
"""Frames in a row in which a person may be missing before the track ends."""

_MOST_DOUBTS = 3
"""Detections in a row that find somebody, but nobody where the track is, before it ends."""

_SEARCH_EVERY = 0.1
"""Seconds between detections while nobody is followed."""

_SEARCH_SELDOM = 2.0
"""Times as long between detections while all the people wanted are there."""

_SEARCH_ON = 0.25
"""Seconds between detections while others are followed and somebody was lost lately."""

_REMEMBERED = 2.0
"""Seconds for which a lost person's place is kept, so that who returns there keeps the number."""

_LOOK_EVERY = 0.1
"""Seconds between looks at what a person wears."""

_LEAST_LOOKS = 3
"""Looks before it is known well enough what somebody looks like to call another one strange."""

_MOST_STRANGE = 3
"""Looks in a row that are not the person's before the detector is asked who is there."""

_SURELY_LIKE = 0.7
"""Strangeness below which somebody long gone is known again by looks alone."""

_MOST_SPEED = 3.0
_MOST_JUMP = 0.12
"""How far a trunk may move between results, in extents of its person: at most 3 a second (about
5 m/s) and a little for noise. A neighbour stands farther off: the network has changed person."""

_OWN = 0.3
"""By how much cheaper a crop's result is for the crop's own person: who is who changes only where
place and looks say so clearly."""

_NEWCOMER = 1.5
"""Cost of a newcomer for its own crop: a person who returns goes before."""

_OUR_RULE = CropRule()

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
    coming: tuple[Crop, ...] = ()
    """Where this person will be looked for in the next frames, if still followed; with foresight,
    so many of them."""
    others: tuple[Crop, ...] = ()
    """The same at other sizes; of the first looks the surest counts."""

    def every_size(self) -> list[FollowedCrop]:
        """The crop, and each of the others by itself."""
        return [replace(self, crop=crop, others=()) for crop in (self.crop, *self.others)]


@dataclass(frozen=True)
class Seen:
    """What the network saw in a crop."""

    followed: FollowedCrop
    """As `Following.crops` or `Following.second_look` gave it."""
    keypoints: Array
    """(14, 2) projected 'lsp' key points, frame pixels."""
    score: float
    """0..1, that a person is in the crop."""
    joints: float = 1.0
    """0..1, the joints' mean score: the network may be sure of a person where nobody is, but then
    not of the joints."""

    @cached_property
    def middle(self) -> Array:
        """(2,) of the trunk, frame pixels."""
        return trunk_middle(self.keypoints)


class Following:
    """Follows people from frame to frame: the next crop comes from the last accepted result.

    A detector is asked when nobody is followed, after a loss, at a shot cut, and every
    `detect_every` seconds to see whether others are there; half as often while everybody wanted is.
    One call order a frame: `crops` (or `given_boxes`), perhaps `second_look`, then `settle` with
    what the network saw in every crop.
    Not for use from several threads at once.

    Who is who is settled by where people are expected and by what they look like, over all crops
    of a frame at once, so that people who cross or hide one another keep their numbers.

    Parameters
    ----------
    detector : Detector, optional
        None where only `given_boxes` is used.
    crop_size : int
        Side of the network's input in pixels.
    people : int
        Most people to follow.
    detect_every : float
        Seconds between detections while somebody is followed.
    trunk_finder : TrunkOrientationEstimator, optional
        Otherwise made when it is needed.
    rule : CropRule
        Of the network.
    scored : bool
        Whether the network says how sure it is of a person. If not, the detector is asked more
        often, and whom it does not find any more is not followed any more.
    foresight : int
        A crop comes from an earlier result than the last and so is known so many frames before it
        is cut (`FollowedCrop.coming`): these can be looked at beside the one at hand.
    """

    def __init__(
        self,
        detector: Detector | None,
        crop_size: int,
        people: int = 1,
        *,
        detect_every: float = 1.0,
        trunk_finder: TrunkOrientationEstimator | None = None,
        rule: CropRule = _OUR_RULE,
        scored: bool = True,
        foresight: int = 0,
    ) -> None:
        self._detector = detector
        self._people = people
        self._detect_every = detect_every
        self._placing = Placing(crop_size, rule, trunk_finder)
        self._scored = scored
        self.foresight = foresight
        """So many frames ahead a crop is known."""
        self._cuts = CutFinder()
        self._frame: Frame | None = None
        self._detected_at: float | None = None
        self._roll = Roll()
        # somebody was found for whom there is no number yet
        self._waited_for = False
        self.detections = 0
        """How often the detector was asked."""
        self.notice = ""
        """That more people are there than are followed; empty until that was seen."""

    def reset(self) -> None:
        """Forget everybody: the next frame does not continue the last one."""
        self._roll = Roll()
        self._cuts.reset()
        self._detected_at = None

    def crops(self, frame: Frame) -> list[FollowedCrop]:
        """Crops of the people in a frame, longest followed first."""
        before, self._frame = self._frame, frame
        if self._cuts.is_cut(frame.image) or _begins_again(before, frame):
            self._roll.cut()
            self._detected_at = None
        if self.detects_at(frame.time):
            self._detect(frame)
        return [self._followed(track) for track in self._roll.tracks.values()]

    def given_boxes(self, frame: Frame, boxes: Array) -> list[FollowedCrop]:
        """Crops for boxes (N, 4) in frame pixels, one a person; nothing is detected or followed.

        Each is to be looked at in several sizes (`FollowedCrop.others`).

        The trunk's direction is looked for inside each box; where it is not found the crop is
        upright in the frame and `turned` is false.
        """
        self._frame = frame
        self._roll = Roll()
        followed = []
        for person, box in enumerate(np.asarray(boxes, dtype=np.float64).reshape(-1, 4)):
            crop, turned = self._placing.about_given(frame.image, box)
            track = Track(person, crop, turned, given=True)
            self._roll.tracks[person] = track
            # without scores nothing tells which size is the best
            others = self._placing.others_about_given(box, crop) if self._scored else ()
            followed.append(replace(self._followed(track), others=others))
        return followed

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
        crop = self._placing.about_keypoints(keypoints, followed.crop)
        if followed.turned and not track.given and near(followed.crop, crop):
            return None
        track.crop, track.turned = crop, True
        return replace(followed, crop=crop, turned=True)

    def settle(self, seen: Sequence[Seen]) -> list[int | None]:
        """Take the network's results for all crops of a frame, and say who is who.

        Parameters
        ----------
        seen : sequence of Seen
            In the order of the crops.

        Returns
        -------
        list
            For each of them the number of the person it shows, mostly that of its crop; None where
            nobody is to be shown. Of results that lie on one person, one is shown. A new track
            that is not believed ends at once; somebody who was followed is looked for at the place
            expected for a few frames more.
        """
        if self._frame is None:
            return [None] * len(seen)
        if any(one.followed.given for one in seen):
            # whoever gave the box says that somebody is there
            return [
                one.followed.person if np.isfinite(one.keypoints).all() else None for one in seen
            ]
        people = self._one_each([one for one in seen if self._believable(one)])
        rows: list[Track | Lost] = [
            track
            for one in seen
            if (track := self._roll.tracks.get(one.followed.person)) is not None
        ]
        rows += self._lost_lately(self._frame.time) if people else []
        winner: dict[int, int] = {}
        for row, column in self._who_is_who(rows, people).items():
            known = rows[row]
            taken = self._own(known, people[column])
            self._go_on(known, taken)
            winner[id(taken)] = known.person
        for track in [row for row in rows if isinstance(row, Track)]:
            if track.seen_in != self._frame.index:
                self._miss(track)
        self._look_at_people()
        return [winner.get(id(one)) for one in seen]

    def planned(self) -> list[FollowedCrop]:
        """Where people will be looked for after this frame: `coming` begins with the next one.

        A cut, the detector or the next result may say otherwise.
        """
        tracks = [track for track in self._roll.tracks.values() if not track.missing]
        seen = [self._followed(track) for track in tracks if self.foresight and not track.new]
        return [replace(one, coming=(one.crop, *one.coming)) for one in seen]

    def _followed(self, track: Track) -> FollowedCrop:
        crop, coming = track.crop, track.coming
        if track.missing and self._frame is not None and track.keypoints is not None:
            # whoever is hidden goes on behind what hides her
            crop, coming = moved(crop, track.moved_on(self._frame.time)), ()
        return FollowedCrop(track.person, crop, track.new, track.turned, track.given, coming)

    def _believable(self, one: Seen) -> bool:
        track = self._roll.tracks.get(one.followed.person)
        if track is None or not self._sensible(one.keypoints):
            return False
        if track.new or not self._scored:
            return one.score >= (NEW_SCORE if track.new else KEPT_SCORE)
        sure = one.joints >= SURE_JOINTS
        return one.score >= KEPT_SCORE and (sure or self._vouched(track, one.keypoints))

    def _vouched(self, track: Track, keypoints: Array) -> bool:
        """Whether the detector sees somebody where the key points lie; asked only so often."""
        if self._frame is None or self._detector is None:
            return True
        if 0 <= self._frame.time - track.vouched_at < _SEARCH_ON:
            return True
        self.detections += 1
        found = self._detector.detect(self._frame.image)
        if not any(same_person(keypoints, spanning(person)) for person in found):
            return False
        track.vouched_at = self._frame.time
        return True

    def _one_each(self, seen: Sequence[Seen]) -> list[list[Seen]]:
        """Results by the person they lie on, the surest first."""
        people: list[list[Seen]] = []
        for one in sorted(seen, key=lambda one: -one.score):
            for person in people:
                if same_person(person[0].keypoints, one.keypoints):
                    person.append(one)
                    break
            else:
                people.append([one])
        return people

    def _lost_lately(self, time: float) -> list[Lost]:
        return [
            lost
            for number, lost in self._roll.lost.items()
            if number not in self._roll.tracks and time - lost.seen_at <= _REMEMBERED
        ]

    def _who_is_who(
        self, rows: Sequence[Track | Lost], people: Sequence[Sequence[Seen]]
    ) -> dict[int, int]:
        """Row to person; both by number."""
        if not rows or not people:
            return {}
        possible = np.array([[self._may_be(row, person) for person in people] for row in rows])
        if possible.sum(axis=0).max() <= 1 and possible.sum(axis=1).max() <= 1:
            # nobody near anybody: no looks are needed
            return {int(row): int(column) for row, column in np.argwhere(possible)}
        costs = np.full(possible.shape, NOBODY)
        for column, person in enumerate(people):
            looks: dict[int, Look | None] = {}
            for row in map(int, np.flatnonzero(possible[:, column])):
                costs[row, column] = self._cost(rows[row], person, looks)
        return assigned(costs)

    def _own(self, known: Track | Lost, person: Sequence[Seen]) -> Seen:
        """Of the results on one person, the one from the known person's own crop, or the surest."""
        own = [one for one in person if one.followed.person == known.person]
        return own[0] if own and isinstance(known, Track) else person[0]

    def _may_be(self, known: Track | Lost, person: Sequence[Seen]) -> bool:
        if isinstance(known, Track):
            own = self._own(known, person)
            if own.followed.person != known.person and (known.new or own.followed.new):
                return False
            return self._goes_on(known, own.middle)
        return all(not one.followed.new for one in person) and (
            cost_of(known, self._now, person[0].middle, None) < NOBODY
        )

    def _cost(
        self, known: Track | Lost, person: Sequence[Seen], looks: dict[int, Look | None]
    ) -> float:
        own = self._own(known, person)
        if isinstance(known, Track) and known.new:
            return _NEWCOMER
        if id(own) not in looks:
            looks[id(own)] = self._look(own.keypoints)
        look, middle = looks[id(own)], own.middle
        if isinstance(known, Lost):
            cost = cost_of(known, self._now, middle, look) + _OWN
            return cost if cost <= DEAREST_RETURN else NOBODY
        if known.strange and known.sure is not None:
            # she may be on somebody else already: what counts is where she was herself
            cost = min(cost_of(known.sure, self._now, middle, look), DEAREST_RETURN * 2)
        else:
            cost = cost_of(known, self._now, middle, look)
            # whoever has moved fast is still herself in her own crop
            cost = min(cost, DEAREST_RETURN * 2)
        return cost - (_OWN if own.followed.person == known.person else 0.0)

    @property
    def _now(self) -> float:
        return 0.0 if self._frame is None else self._frame.time

    def _look(self, keypoints: Array) -> Look | None:
        return None if self._frame is None else look_of(self._frame.image, keypoints)

    def _go_on(self, known: Track | Lost, taken: Seen) -> None:
        assert self._frame is not None
        before, coming = taken.followed.crop, taken.followed.coming
        track = self._returned(known, before) if isinstance(known, Lost) else known
        if not coming or taken.followed.person != known.person:
            track.crop = steadied(self._placing.about_keypoints(taken.keypoints, before), before)
            track.coming = (track.crop,) * self.foresight
        else:
            # the next frames are being looked at there already
            track.crop, last = coming[0], coming[-1]
            after = steadied(self._placing.about_keypoints(taken.keypoints, last), last)
            track.coming = (*coming[1:], after)
        track.see(taken.keypoints, self._frame.index, self._frame.time)
        track.joints = taken.joints
        self._roll.lost.pop(track.person, None)

    def _returned(self, lost: Lost, crop: Crop, turned: bool = True) -> Track:
        # kept in mind until the network confirms that she is there
        track = Track(
            lost.person, crop, turned, look=lost.look, looks=lost.looks, vouched_at=self._now
        )
        self._roll.tracks[lost.person] = track
        return track

    def _miss(self, track: Track) -> None:
        track.missing += 1
        if track.new or track.missing >= _MOST_MISSING:
            self._end(track)

    def _look_at_people(self) -> None:
        """Learn what people who stand free look like."""
        assert self._frame is not None
        here = [t for t in self._roll.tracks.values() if t.seen_in == self._frame.index]
        for track in here:
            assert track.keypoints is not None
            if self._frame.time - track.looked_at < _LOOK_EVERY and not track.strange:
                continue
            if any(
                other is not track
                and other.keypoints is not None
                and overlapping(track.keypoints, other.keypoints)
                for other in self._roll.tracks.values()
            ):
                continue
            look = self._look(track.keypoints)
            if look is None:
                continue
            known = track.look is not None and track.looks >= _LEAST_LOOKS
            if known and strangeness(track.look, look) >= STRANGER:
                track.strange += 1
            else:
                track.learn(look, self._frame.time)

    def detects_at(self, time: float) -> bool:
        """Whether a frame of that time (s) makes the detector be asked, as things are now."""
        if self._detector is None:
            return False
        if self._detected_at is None or time < self._detected_at:
            return True
        wait = self._detect_every if self._scored else min(self._detect_every, _SEARCH_ON)
        tracks = self._roll.tracks
        if self._complete():
            wait *= _SEARCH_SELDOM
        lately = len(tracks) < self._people and time - self._roll.ended_at < _REMEMBERED
        if not tracks:
            wait = min(wait, _SEARCH_EVERY)
        elif (
            lately
            or self._waited_for
            or any(track.strange >= _MOST_STRANGE for track in tracks.values())
        ):
            wait = min(wait, _SEARCH_ON)
        return time - self._detected_at >= wait

    def _complete(self) -> bool:
        """Whether all who are wanted are there and none is doubted: a look then tells least.

        Nobody could be begun, and whoever goes is missed by the network. For several people the
        detector takes four times as long as for one; one by herself must surely be somebody.
        """
        tracks = self._roll.tracks.values()
        if len(tracks) != self._people:
            return False
        surely = self._scored and all(each.joints >= _SURELY_SOMEBODY for each in tracks)
        return (surely or self._people > 1) and not any(
            track.doubts or track.missing or track.new for track in tracks
        )

    def _detect(self, frame: Frame) -> None:
        assert self._detector is not None
        self._detected_at = frame.time
        self.detections += 1
        found = [sighting_of(frame.image, one) for one in self._detector.detect(frame.image)]
        found.sort(key=lambda one: -in_front(one, frame.image.shape[1]))
        rows: list[Track | Lost] = [*self._roll.tracks.values(), *self._lost_lately(frame.time)]
        costs = np.array(
            [[self._cost_of_found(row, one) for one in found] for row in rows]
        ).reshape(len(rows), len(found))
        given_to = {column: rows[row] for row, column in assigned(costs).items()}
        free: list[Sighting] = []
        told: set[int] = set()
        for column, one in enumerate(found):
            known = given_to.get(column)
            here = [track for track in self._roll.tracks.values() if one.lies_on(track)]
            if known is None:
                if not here:
                    free.append(one)
                known = here[0] if len(here) == 1 else None
            if known is None:
                continue
            told.add(known.person)
            if isinstance(known, Lost):
                self._return(known, one, here)
            elif known in here:
                self._confirm(known, one)
            else:
                self._seat_again(known, one, here)
        self._doubt_all_but(told, bool(free))
        self._waited_for = False
        for one in free:
            if len(self._roll.tracks) >= self._people:
                self._tell_of_more()
                break
            self._waited_for |= not self._begin(frame, one)

    def _cost_of_found(self, known: Track | Lost, one: Sighting) -> float:
        place = known
        if isinstance(known, Track) and known.strange >= _MOST_STRANGE and known.sure is not None:
            place = known.sure
        cost = cost_of(place, self._now, one.middle, one.look)
        if isinstance(known, Track) and not known.strange and one.lies_on(known):
            return min(cost, DEAREST_RETURN)
        return cost if cost <= DEAREST_RETURN else NOBODY

    def _return(self, lost: Lost, one: Sighting, here: Sequence[Track]) -> None:
        """Somebody lost is back; whoever is followed in that place was somebody else."""
        for track in here:
            self._end(track)
        self._returned(lost, *self._crop_of(one))

    def _confirm(self, track: Track, one: Sighting) -> None:
        track.doubts, track.vouched_at = 0, self._now
        if track.strange >= _MOST_STRANGE and one.look is not None:
            # nobody here is more like her: she has changed
            track.learn(one.look, self._now)

    def _seat_again(self, track: Track, one: Sighting, here: Sequence[Track]) -> None:
        """A track's person was found elsewhere than where the track is."""
        track.doubts += 1
        lost = track.sure if track.strange else track.as_lost()
        doubted = track.strange >= _MOST_STRANGE or track.doubts >= _MOST_DOUBTS or track.missing
        if lost is None or not doubted:
            return
        for other in here:
            self._end(other)
        self._roll.lost[track.person] = lost
        self._returned(lost, *self._crop_of(one))

    def _doubt_all_but(self, told: set[int], others: bool) -> None:
        for track in list(self._roll.tracks.values()):
            if self._scored and track.joints >= _SURELY_SOMEBODY:
                continue
            if track.person not in told and (others or not self._scored):
                track.doubts += 1
                if track.doubts >= _MOST_DOUBTS:
                    self._end(track, remember=False)

    def _tell_of_more(self) -> None:
        who = "the one in front is" if self._people == 1 else f"the nearest {self._people} are"
        self.notice = f"more people are in the picture than are wanted: {who} followed"

    def _begin(self, frame: Frame, one: Sighting) -> bool:
        """Begin a track, if there is a number for it."""
        number = self._number_for(one, frame.time)
        if number is None:
            return False
        crop, turned = self._crop_of(one)
        self._roll.tracks[number] = Track(number, crop, turned, vouched_at=frame.time)
        return True

    def _crop_of(self, one: Sighting) -> tuple[Crop, bool]:
        assert self._frame is not None
        return self._placing.about_sighting(self._frame.image, one)

    def _number_for(self, one: Sighting, time: float) -> int | None:
        """A newcomer's number; None while those that are free wait for people lost just now."""
        roll = self._roll
        free = [number for number in range(self._people) if number not in roll.tracks]
        unused = [number for number in free if number not in roll.lost]
        gone = [roll.lost[n] for n in free if n in roll.lost]
        gone = [lost for lost in gone if time - lost.seen_at > _REMEMBERED]
        alike = [lost for lost in gone if strangeness(lost.look, one.look) < _SURELY_LIKE]
        if alike:
            return min(alike, key=lambda lost: strangeness(lost.look, one.look)).person
        if unused:
            return unused[0]
        return min(gone, key=lambda lost: lost.seen_at).person if gone else None

    def _end(self, track: Track, *, remember: bool = True) -> None:
        if track.keypoints is not None:
            # otherwise never a person: the detector erred and would err again at once
            self._detected_at = None
        self._roll.end(track, self._now, remember=remember)

    def _goes_on(self, track: Track, middle: Array) -> bool:
        """Whether a trunk's middle can be where the track's person has got to since."""
        if track.keypoints is None:
            return True
        way = middle - track.middle
        off = min(math.hypot(*way), math.hypot(*(way - track.moved_on(self._now))))
        allowed = _MOST_JUMP + _MOST_SPEED * (self._now - track.seen_at)
        return off <= allowed * track.extent

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


def _begins_again(before: Frame | None, frame: Frame) -> bool:
    """Whether a film that is repeated is at its start again: a cut, however alike the pictures."""
    if before is None or before.file_time is None or frame.file_time is None:
        return False
    return frame.file_time < before.file_time
