"""Smoothing while the frames arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, pose_joints, project, rest_joints
from pymaf_live.errors import UsageError
from pymaf_live.motion.model import (
    COAST,
    RESET_GAP,
    SHAPE_MEMORY,
    Noise,
    faded,
    skeleton_size,
)
from pymaf_live.motion.place import Place
from pymaf_live.motion.turning import Turning
from pymaf_live.types import Array, Camera, Person

_NO_TIME = 1e-6


class Smoother:
    """Constant-velocity Kalman filters of every person's place and joint rotations.

    The place is filtered with its doubt along the line of sight, rotations in their tangent space
    (`turning`), the shape is averaged; joints, their picture and the box follow from these. Who is
    not seen is carried on for 0.25 s (`predicted`), then left out; after 0.5 s, or when time does
    not rise, the filter starts anew.

    Parameters
    ----------
    body : Body
    strength : float
        0 leaves everything as it is; 1 is the smoothest and slowest.

    Raises
    ------
    UsageError
        If the strength is not in 0..1.
    """

    def __init__(self, body: Body, strength: float = 0.5) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"the strength of the smoothing is {strength:g}, not in 0..1")
        self._body = body
        self._noise = Noise.of(strength) if strength > 0 else None
        self._tracks: dict[int, _Track] = {}
        self._time = -np.inf
        if self._noise:  # filterpy's slow import belongs before the first frame
            Place(np.array([0.0, 0.0, 1.0]), self._noise)

    def reset(self) -> None:
        """Forget everybody: another source, or a jump in it."""
        self._tracks.clear()
        self._time = -np.inf

    def update(self, time: float, people: Sequence[Person], camera: Camera) -> tuple[Person, ...]:
        """Smooth one frame's people.

        Parameters
        ----------
        time : float
            Seconds, of the frame.
        people : sequence of Person
            As measured.
        camera : Camera

        Returns
        -------
        tuple of Person
            The same people in the same order, then those carried on.
        """
        if self._noise is None:
            return tuple(people)
        if time <= self._time:
            self.reset()
        self._time = time
        for lost in [i for i, track in self._tracks.items() if time - track.time > RESET_GAP]:
            del self._tracks[lost]
        smoothed = []
        for person in people:
            track = self._tracks.get(person.id)
            if track is None:
                self._tracks[person.id] = track = _Track(self._body, self._noise, time, person)
            elif time - track.time > _NO_TIME:
                track.step(time, person)
            smoothed.append(track.seen(person, camera))
        seen = {person.id for person in people}
        carried = [
            track.carried(time, camera)
            for number, track in self._tracks.items()
            if number not in seen and time - track.time <= COAST
        ]
        return (*smoothed, *carried)


class _Track:
    """One person's filters."""

    def __init__(self, body: Body, noise: Noise, time: float, person: Person) -> None:
        self._body, self._noise = body, noise
        self.time = time
        self._last = person
        self._shape = np.array(person.shape, dtype=np.float64)
        self._shape_age = 0.0
        self._place = Place(self._measured_place(person), noise)
        variance = noise.turn_variance(person.joint_score)
        self._turning = Turning.start(person.rotations, variance)

    def _measured_place(self, person: Person) -> Array:
        """(3,) m, where the root joint of the averaged body looks as large as the measured one."""
        root = person.translation + rest_joints(self._body, person.shape)[0]
        sizes = skeleton_size(self._body, np.stack([self._shape, person.shape]))
        return np.asarray(root * (sizes[0] / sizes[1]))

    def step(self, time: float, person: Person) -> None:
        dt = time - self.time
        self.time, self._last = time, person
        # a plain mean at first, then a slow one
        self._shape_age = min(self._shape_age + dt, SHAPE_MEMORY)
        self._shape += (person.shape - self._shape) * dt / (self._shape_age + dt)
        self._place.step(dt, self._measured_place(person))
        variance = self._noise.turn_variance(person.joint_score)
        self._turning = self._turning.after(dt).corrected(person.rotations, variance)

    def seen(self, person: Person, camera: Camera) -> Person:
        return self._person(person, self._turning.rotations, self._place.now, camera)

    def carried(self, time: float, camera: Camera) -> Person:
        gone = time - self.time
        left = 1 - gone / RESET_GAP
        fading = replace(
            self._last,
            score=self._last.score * left,
            joint_score=self._last.joint_score * left,
            predicted=True,
        )
        seconds = faded(gone)
        return self._person(
            fading, self._turning.carried(seconds), self._place.carried(seconds), camera
        )

    def _person(self, person: Person, rotations: Array, place: Array, camera: Camera) -> Person:
        shape = self._shape.copy()
        translation = place - rest_joints(self._body, shape)[0]
        joints = pose_joints(self._body, rotations, shape, translation)
        joints_2d = project(joints, camera)
        return replace(
            person,
            rotations=rotations,
            shape=shape,
            translation=translation,
            joints=joints,
            joints_2d=joints_2d,
            box=np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)],
        )
