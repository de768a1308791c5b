"""Crops to what the network says of them, also of the frames that come next.

While a frame is looked at, the next ones of a file are begun, so that two runs of the network are
under way at once: each on a core of its own, which costs less than one run on all cores. And one
more waits, so that no core is idle while a frame is brought to its end. Following with foresight
says where the crops will lie (`FollowedCrop.coming`); should it say otherwise when it comes to it,
that look is called off and another begun. So what is seen does not hang on what was begun ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pymaf_live.inference.preprocess import Halved, cut, network_input
from pymaf_live.system.timing import measure_stage
from pymaf_live.tracking.temporal_denoise import Grain, Mean
from pymaf_live.types import Crop, Estimate, Frame, Image

if TYPE_CHECKING:
    from pymaf_live.inference import Session
    from pymaf_live.inference.session import Running
    from pymaf_live.tracking import FollowedCrop

_MOST_AT_ONCE = 8
"""Crops a network run; more people than that take several runs, so that memory stays bounded."""
_MOST_AHEAD = 8
"""People begun ahead in all the next frames together, for the same reason."""


@dataclass(frozen=True)
class Look:
    """What the network says of one crop."""

    crop: Crop
    levels: list[Estimate]


class Looking:
    """Cuts crops, takes their grain out and has the network look at them.

    Parameters
    ----------
    session : Session
        Not closed here.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._grain = Grain()
        self._ahead: list[_Ahead] = []
        """Frames that were begun before their turn, in their order."""
        self._halved: list[Halved] = []
        self.begun_ahead = 0
        """People in frames that were begun before their turn."""
        self.used_ahead = 0
        """Of these, those whose look was used."""

    def look(
        self, frame: Frame, followed: Sequence[FollowedCrop], spent: dict[str, float]
    ) -> list[Begun]:
        """Have people's crops looked at.

        Parameters
        ----------
        frame : Frame
        followed : sequence of FollowedCrop
        spent : dict
            Milliseconds of 'crop' and 'network' are added.

        Returns
        -------
        list of Begun
            One for each of `followed`, perhaps still under way.
        """
        begun = self._taken(frame, followed)
        left = [number for number in range(len(followed)) if number not in begun]
        at_once, image = self._at_once(), self._shared(frame.image, len(left))
        for start in range(0, len(left), at_once):
            if start >= _MOST_AT_ONCE:
                begun[left[start - _MOST_AT_ONCE]].wait(spent)
            some = left[start : start + at_once]
            chosen = [followed[number] for number in some]
            kept = {one.person: self._grain.kept(one.person) for one in chosen}
            runs = self._begin(image, chosen, kept, spent)
            begun.update(zip(some, runs, strict=True))
        self._note_beside([begun[number] for number in left])
        for number, one in enumerate(followed):
            self._grain.keep(one.person, begun[number].mean)
        return [begun[number] for number in range(len(followed))]

    def begin_ahead(
        self, frames: Sequence[Frame], followed: Sequence[FollowedCrop], spent: dict[str, float]
    ) -> None:
        """Begin the next frames, as far as it is known where people will be looked for.

        Parameters
        ----------
        frames : sequence of Frame
            The next ones, in their order.
        followed : sequence of FollowedCrop
            Whose `coming` says so.
        spent : dict
            As `look` has it.
        """
        if self._session.side_by_side == 1:
            return
        ahead, room = [], _MOST_AHEAD
        latest = {one.person: self._grain.kept(one.person) for one in followed}
        for number, frame in enumerate(frames):
            known = [one for one in followed if number < len(one.coming)][:room]
            room -= len(known)
            there = [replace(one, crop=one.coming[number]) for one in known]
            begun = self._begun_ahead(frame, there, latest, spent)
            ahead.append(_Ahead(frame, begun))
            latest = {person: one.mean for person, one in begun.items()}
        for old in self._ahead:
            if not any(old.frame is one.frame for one in ahead):
                old.call_off_but(())
        self._ahead = ahead

    def _begun_ahead(
        self,
        frame: Frame,
        followed: Sequence[FollowedCrop],
        latest: Mapping[int, Mean | None],
        spent: dict[str, float],
    ) -> dict[int, Begun]:
        """Looks at a later frame, by person: those under way that still hold, and new ones."""
        begun = self._continued(frame, followed, latest)
        left = [one for one in followed if one.person not in begun]
        image = self._shared(frame.image, len(left))
        new: list[Begun] = []
        # in as small parts as cost no more, so that one can be called off
        for start in range(0, len(left), self._session.together):
            some = left[start : start + self._session.together]
            new += self._begin(image, some, latest, spent)
        self._note_beside(new)
        return begun | {one.person: run for one, run in zip(left, new, strict=True)}

    def _taken(self, frame: Frame, followed: Sequence[FollowedCrop]) -> dict[int, Begun]:
        """What was begun ahead for a frame and still holds, by place in `followed`."""
        begun: dict[int, Begun] = {}
        if not self._ahead or self._ahead[0].frame is not frame:
            return begun
        ahead = self._ahead.pop(0)
        self.begun_ahead += len(ahead.begun)
        for number, one in enumerate(followed):
            guess = ahead.begun.get(one.person)
            kept = self._grain.kept(one.person)
            if guess is not None and not one.new and guess.holds(one.crop, kept):
                begun[number] = guess
        self.used_ahead += len(begun)
        ahead.call_off_but(begun.values())
        return begun

    def _continued(
        self, frame: Frame, known: Sequence[FollowedCrop], latest: Mapping[int, Mean | None]
    ) -> dict[int, Begun]:
        """What was begun for a later frame and still holds, by person."""
        for ahead in self._ahead:
            if ahead.frame is frame:
                begun = {}
                for one in known:
                    guess = ahead.begun.get(one.person)
                    if guess is not None and guess.holds(one.crop, latest.get(one.person)):
                        begun[one.person] = guess
                ahead.call_off_but(begun.values())
                return begun
        return {}

    def _note_beside(self, begun: Sequence[Begun]) -> None:
        """Of runs side by side each counts as its share of the time."""
        batches = list({id(one.batch): one.batch for one in begun}.values())
        for batch in batches:
            batch.beside = min(len(batches), self._session.side_by_side)

    def _shared(self, image: Image, crops: int) -> Image | Halved:
        """A frame for so many crops: for one it is cheaper to halve the part that is read."""
        if crops < 2:
            return image
        for halved in self._halved:
            if halved.image is image:
                return halved
        # of the frame that is looked at and the next one
        self._halved = [*self._halved[-1:], Halved(image)]
        return self._halved[-1]

    def _at_once(self) -> int:
        together = self._session.together
        # the network looks at some while the next ones are cut
        return together if together > 1 and self._session.side_by_side > 1 else _MOST_AT_ONCE

    def _begin(
        self,
        image: Image | Halved,
        followed: Sequence[FollowedCrop],
        kept: Mapping[int, Mean | None],
        spent: dict[str, float],
    ) -> list[Begun]:
        before = [kept.get(looked.person) for looked in followed]
        with measure_stage(spent, "crop"):
            means = [
                self._grain.mean(old, looked.crop, cut(image, looked.crop))
                for old, looked in zip(before, followed, strict=True)
            ]
            images = network_input(np.stack([mean.image for mean in means]))
        # its time is told with its result: what the others take meanwhile does not count
        batch = _Batch(self._session.start(images))
        batch.wanted = len(means)
        return [
            Begun(mean, old, batch, number)
            for number, (mean, old) in enumerate(zip(means, before, strict=True))
        ]


class Begun:
    """A look that was begun."""

    def __init__(self, mean: Mean, before: Mean | None, batch: _Batch, number: int) -> None:
        self.mean, self.batch = mean, batch
        self._before, self._number = before, number

    def holds(self, crop: Crop, kept: Mean | None) -> bool:
        """Whether it is what would be begun now: there, and going on from that mean."""
        if self.mean.crop is not crop:
            return False
        begins_anew = not any(old and old.crop is crop for old in (self._before, kept))
        return begins_anew or self._before is kept

    def wait(self, spent: dict[str, float]) -> Look:
        """Wait for it; the time of its run is added to 'network' of `spent`."""
        return Look(self.mean.crop, self.batch.result(spent)[self._number])

    def call_off(self) -> None:
        """Nobody will wait for it."""
        self.batch.call_off()


class _Batch:
    """A run that several looks share."""

    def __init__(self, running: Running) -> None:
        self._running: Running | None = running
        self.wanted = 1
        """How many looks may still ask for it."""
        self.beside = 1
        """Runs that it was begun beside, itself among them, as far as they run at once."""
        self._levels: list[list[Estimate]] = []

    def result(self, spent: dict[str, float]) -> list[list[Estimate]]:
        if self._running is not None:
            self._levels = self._running.result()
            own = self._running.milliseconds / self.beside
            spent["network"] = spent.get("network", 0.0) + own
            self._running = None
        return self._levels

    def call_off(self) -> None:
        self.wanted -= 1
        if self._running is not None and not self.wanted:
            self._running.call_off()


@dataclass(frozen=True)
class _Ahead:
    frame: Frame
    begun: dict[int, Begun]
    """By person."""

    def call_off_but(self, wanted: Iterable[Begun]) -> None:
        kept = list(wanted)
        for one in self.begun.values():
            if not any(one is each for each in kept):
                one.call_off()
