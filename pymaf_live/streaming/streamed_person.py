"""Choice of the streamed person and of the stream's origin."""

from __future__ import annotations

import time

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.streaming.humanoid import UNITY_FROM_CAMERA
from pymaf_live.types import Array, Person

_SWITCH_DELAY_S = 1.0
"""Seconds that the streamed person must be absent before another one is streamed."""


class StreamedPerson:
    """Selects one person of every result and keeps the origin of the stream.

    The origin is the ground position of the first streamed person in the first frame.

    Parameters
    ----------
    body : Body
    """

    def __init__(self, body: Body) -> None:
        self._skin = PointSet.vertices(body, body.sample_vertices)
        self._origin: Array | None = None
        self._person: int | None = None
        self._selected: int | None = None
        self._last_seen = 0.0

    def select(self, person: int | None) -> None:
        """Stream the person with an id only; None streams the one tracked longest."""
        if person != self._selected:
            self._selected, self._person = person, None

    def set_origin(self) -> None:
        """Move the origin to the person's position in the next result."""
        self._origin = None

    def choose(self, people: tuple[Person, ...]) -> Person | None:
        """Return the person to stream.

        That is the selected person; without a selection the one streamed before, and after its
        absence the one tracked longest.
        """
        if self._selected is not None:
            return next((person for person in people if person.id == self._selected), None)
        now = time.monotonic()
        for person in people:
            if person.id == self._person:
                self._last_seen = now
                return person
        waiting = self._person is not None and now - self._last_seen < _SWITCH_DELAY_S
        if not people or waiting:
            return None
        self._person, self._last_seen = people[0].id, now
        return people[0]

    def origin(self, person: Person) -> Array:
        """Return the origin (3,) m, Unity's frame; a new one is below the hips of the person."""
        if self._origin is None:
            points = self._skin.pose(person.rotations, person.shape, person.translation)
            hips = UNITY_FROM_CAMERA @ person.joints[0]
            self._origin = np.array([hips[0], (points @ UNITY_FROM_CAMERA.T)[:, 1].min(), hips[2]])
        return self._origin
