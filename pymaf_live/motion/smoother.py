"""Smoothing while the frames arrive."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, joint_transforms, project, rest_joints
from pymaf_live.errors import UsageError
from pymaf_live.motion.kalman_import import kalman_filter_class
from pymaf_live.motion.motion_model import COAST, RESET_GAP, SHAPE_MEMORY, Model
from pymaf_live.motion.outlier_gate import Measured
from pymaf_live.motion.person_filter import Track
from pymaf_live.types import Array, Camera, Person

_NO_TIME = 1e-6


class Smoother:
    """Kalman filters of every person's place, size in the picture and joint rotations.

    Rotations are filtered in their tangent space (`turning`), the place by direction and depth
    (`place`), the shape is averaged; joints, their picture and the box follow from these. Single
    wild frames and short mix-ups do not pass (`gate`). Who is not seen, or is not a number, is
    carried on for 0.25 s (`predicted`), then left out; after 0.5 s, or when time does not rise, the
    filter starts anew.

    Parameters
    ----------
    body : Body
    strength : float
        0 leaves everything as it is; above, from snappy to 1, the smoothest and slowest.

    Raises
    ------
    UsageError
        If the strength is not in 0..1.
    """

    def __init__(self, body: Body, strength: float = 0.5) -> None:
        self._skeleton = _Skeleton(body)
        self._tracks: dict[int, _Smoothed] = {}
        self._time = -np.inf
        self.strength = strength
        # its import belongs before the first frame
        kalman_filter_class()

    @property
    def strength(self) -> float:
        """0..1; may be changed at any time, from any thread: the next frame is smoothed by it."""
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"the strength of the smoothing is {strength:g}, not in 0..1")
        # one value, so that a frame never sees half of a change
        self._model = Model.of(strength) if strength > 0 else None
        self._strength = strength

    def reset(self) -> None:
        """Forget everybody: another source, or a jump in it."""
        self._tracks.clear()
        self._time = -np.inf

    def update(
        self,
        time: float,
        people: Sequence[Person],
        camera: Camera,
        *,
        fresh: Collection[int] = (),
    ) -> tuple[Person, ...]:
        """Smooth one frame's people.

        Parameters
        ----------
        time : float
            Seconds, of the frame.
        people : sequence of Person
            As measured. Of two with one id the first is smoothed, the other left as it is.
        camera : Camera
        fresh : collection of int
            Ids of people who have nothing to do with those of the frame before.

        Returns
        -------
        tuple of Person
            The same people in the same order, then those carried on.
        """
        model = self._model
        if model is None:
            self.reset()
            return tuple(people)
        if time <= self._time:
            self.reset()
        self._time = time
        for lost in [
            number
            for number, track in self._tracks.items()
            if time - track.time > RESET_GAP or number in fresh
        ]:
            del self._tracks[lost]
        smoothed = []
        seen = set()
        for person in people:
            if person.id in seen:
                smoothed.append(person)
                continue
            if not _is_number(person):
                continue
            seen.add(person.id)
            track = self._tracks.get(person.id)
            if track is None:
                self._tracks[person.id] = track = _Smoothed(self._skeleton, model, time, person)
            elif time - track.time > _NO_TIME:
                track.see(time, person, model)
            smoothed.append(track.seen(person, camera, model))
        carried = [
            track.carried(time, camera, model)
            for number, track in self._tracks.items()
            if number not in seen and time - track.time <= COAST
        ]
        return (*smoothed, *carried)


class _Skeleton:
    """Joints at rest as a linear function of the shape, which a frame needs several times."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._mean = rest_joints(body, np.zeros(body.shape_count))
        directions = rest_joints(body, np.eye(body.shape_count)) - self._mean
        self._directions = directions.reshape(body.shape_count, -1)
        self._child = np.flatnonzero(body.parents >= 0)

    def rest(self, shape: Array) -> Array:
        """(J, 3) m"""
        return np.asarray(self._mean + (shape @ self._directions).reshape(self._mean.shape))

    def size(self, rest: Array) -> float:
        """Summed lengths of the bones in m: how large the body looks at a given depth."""
        bones = rest[self._child] - rest[self.body.parents[self._child]]
        return float(np.sqrt((bones**2).sum(axis=-1)).sum())


class _Smoothed:
    """One person's filters and shape."""

    def __init__(self, skeleton: _Skeleton, model: Model, time: float, person: Person) -> None:
        self._skeleton = skeleton
        self.time = time
        self._last = person
        self._shape = np.array(person.shape, dtype=np.float64)
        self._shape_age = 0.0
        self._rest = skeleton.rest(self._shape)
        self._track = Track(self._measured(person), skeleton.body.joint_mirror, model)

    def _measured(self, person: Person) -> Measured:
        # the root joint is where the averaged body looks as large as the measured one
        rest = self._skeleton.rest(person.shape)
        larger = self._skeleton.size(self._rest) / self._skeleton.size(rest)
        root = (person.translation + rest[0]) * larger
        return Measured(person.rotations, root, person.joint_score)

    def see(self, time: float, person: Person, model: Model) -> None:
        dt = time - self.time
        self.time, self._last = time, person
        verdict = self._track.step(dt, self._measured(person), model)
        if verdict is not None and verdict.taken[-1]:
            # a plain mean at first, then a slow one
            self._shape_age = min(self._shape_age + dt, SHAPE_MEMORY)
            self._shape += (person.shape - self._shape) * dt / (self._shape_age + dt)
            self._rest = self._skeleton.rest(self._shape)

    def seen(self, person: Person, camera: Camera, model: Model) -> Person:
        return self._person(person, *self._track.late(model), camera)

    def carried(self, time: float, camera: Camera, model: Model) -> Person:
        gone = time - self.time
        left = 1 - gone / RESET_GAP
        fading = replace(
            self._last,
            score=self._last.score * left,
            joint_score=self._last.joint_score * left,
            predicted=True,
        )
        # as late as those who are seen
        on = max(gone - model.lag, 0.0)
        rotations = self._track.turning.carried(on).rotations
        return self._person(fading, rotations, self._track.place.after(on, model), camera)

    def _person(self, person: Person, rotations: Array, place: Array, camera: Camera) -> Person:
        translation = place - self._rest[0]
        joints = joint_transforms(self._skeleton.body, rotations, self._rest)[1] + translation
        joints_2d = project(joints, camera)
        return replace(
            person,
            rotations=rotations,
            shape=self._shape.copy(),
            translation=translation,
            joints=joints,
            joints_2d=joints_2d,
            box=np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)],
        )


def _is_number(person: Person) -> bool:
    values = (person.rotations, person.shape, person.translation)
    return all(bool(np.isfinite(value).all()) for value in values)
