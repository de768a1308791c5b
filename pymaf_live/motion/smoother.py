"""Live smoothing, frame by frame."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, joint_transforms, project, rest_joints
from pymaf_live.errors import UsageError
from pymaf_live.motion.kalman_import import kalman_filter_class
from pymaf_live.motion.leg_rest import LegRest, LowerBody, RestPose, observe_legs
from pymaf_live.motion.motion_model import MAX_COAST, RESET_GAP, SHAPE_MEMORY, MotionModel
from pymaf_live.motion.outlier_gate import Measurement
from pymaf_live.motion.person_filter import PersonFilter
from pymaf_live.takes.ground import UP_OF_LEVEL_CAMERA
from pymaf_live.takes.legs import leg_evidence
from pymaf_live.types import Array, Camera, Legs, Person

_MIN_STEP = 1e-6
"""Shortest time step that is filtered, seconds."""


class Smoother:
    """Kalman filters of every person's position, apparent size and joint rotations.

    Rotations are filtered in their tangent space (`rotation_filter`), the position by bearing and
    depth (`root_position_filter`), the shape is averaged; joints, their projection and the box
    follow from these. Single outliers and short left-right confusions are rejected
    (`outlier_gate`). A person who is not measured, or whose numbers are not finite, is extrapolated
    for 0.25 s (`predicted`), then left out; after 0.5 s, or when time does not increase, the filter
    starts anew.

    Parameters
    ----------
    body : Body
    strength : float
        0 leaves everything as it is; above, from responsive to 1, the smoothest and slowest.
    legs : {'auto', 'standing', 'seated', 'measured'}
        Pose of legs that are not seen (`leg_rest`).

    Raises
    ------
    UsageError
        If the strength is not in 0..1.
    """

    def __init__(self, body: Body, strength: float = 0.5, legs: Legs = "auto") -> None:
        self.legs: Legs = legs
        """May be set at any time, from any thread."""
        self._skeleton = _ShapedSkeleton(body)
        self._people: dict[int, _SmoothedPerson] = {}
        self._time = -np.inf
        self.strength = strength
        # import filterpy before the first frame
        kalman_filter_class()

    @property
    def strength(self) -> float:
        """Smoothing strength, 0..1; may be set at any time, from any thread."""
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"the smoothing strength must be in 0..1, not {strength:g}")
        # a single attribute, so that a frame never sees half of a change
        self._model = MotionModel.live(strength) if strength > 0 else None
        self._strength = strength

    def reset(self) -> None:
        """Forget all people, for another source or a jump in it."""
        self._people.clear()
        self._time = -np.inf

    def update(
        self,
        time: float,
        people: Sequence[Person],
        camera: Camera,
        *,
        restarted: Collection[int] = (),
    ) -> tuple[Person, ...]:
        """Smooth one frame's people.

        Parameters
        ----------
        time : float
            Time of the frame, seconds.
        people : sequence of Person
            As measured. Of two people with one id the first is smoothed, the other left as it is.
        camera : Camera
        restarted : collection of int
            Ids of people whose filters start anew.

        Returns
        -------
        tuple of Person
            The same people in the same order, then the extrapolated ones.
        """
        model = self._model
        if model is None:
            self.reset()
            return tuple(people)
        if time <= self._time:
            self.reset()
        self._time = time
        for ended in [
            number
            for number, state in self._people.items()
            if time - state.time > RESET_GAP or number in restarted
        ]:
            del self._people[ended]
        smoothed = []
        seen = set()
        for person in people:
            if person.id in seen:
                smoothed.append(person)
                continue
            if not _is_finite(person):
                continue
            seen.add(person.id)
            state = self._people.get(person.id)
            if state is None:
                state = _SmoothedPerson(self._skeleton, model, time, person)
                self._people[person.id] = state
            elif time - state.time > _MIN_STEP:
                state.update(time, person, model)
            state.observe_legs(time, person, camera, self.legs)
            smoothed.append(state.current(person, camera, model))
        extrapolated = [
            state.extrapolated(time, camera, model)
            for number, state in self._people.items()
            if number not in seen and time - state.time <= MAX_COAST
        ]
        return (*smoothed, *extrapolated)


class _ShapedSkeleton:
    """Rest joints as a linear function of the shape, precomputed for use several times a frame."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.lower = LowerBody(body)
        self._mean = rest_joints(body, np.zeros(body.shape_count))
        directions = rest_joints(body, np.eye(body.shape_count)) - self._mean
        self._directions = directions.reshape(body.shape_count, -1)
        self._child = np.flatnonzero(body.parents >= 0)

    def rest(self, shape: Array) -> Array:
        """Return the rest joints (J, 3) m of a shape (S,)."""
        return np.asarray(self._mean + (shape @ self._directions).reshape(self._mean.shape))

    def size(self, rest: Array) -> float:
        """Return the summed bone lengths in m: the apparent size at a given depth."""
        bones = rest[self._child] - rest[self.body.parents[self._child]]
        return float(np.sqrt((bones**2).sum(axis=-1)).sum())


class _SmoothedPerson:
    """Filters and mean shape of one person."""

    def __init__(
        self, skeleton: _ShapedSkeleton, model: MotionModel, time: float, person: Person
    ) -> None:
        self._skeleton = skeleton
        self.time = time
        self._last = person
        self._shape = np.array(person.shape, dtype=np.float64)
        self._shape_age = 0.0
        self._rest = skeleton.rest(self._shape)
        self._filter = PersonFilter(self._measurement(person), skeleton.body.joint_mirror, model)
        self._leg_rest = LegRest()
        self._pose_of_rest: RestPose | None = None

    def _measurement(self, person: Person) -> Measurement:
        # the root joint is where the averaged body appears as large as the measured one
        rest = self._skeleton.rest(person.shape)
        size_ratio = self._skeleton.size(self._rest) / self._skeleton.size(rest)
        root = (person.translation + rest[0]) * size_ratio
        return Measurement(person.rotations, root, person.joint_score)

    def update(self, time: float, person: Person, model: MotionModel) -> None:
        """Update the filters by a measured person."""
        dt = time - self.time
        self.time, self._last = time, person
        decision = self._filter.step(dt, self._measurement(person), model)
        if decision is not None and decision.accepted[-1]:
            # a plain mean at first, then an exponential one
            self._shape_age = min(self._shape_age + dt, SHAPE_MEMORY)
            self._shape += (person.shape - self._shape) * dt / (self._shape_age + dt)
            self._rest = self._skeleton.rest(self._shape)

    def observe_legs(self, time: float, person: Person, camera: Camera, legs: Legs) -> None:
        """Decide whether the legs rest, by a measured person."""
        lower = self._skeleton.lower
        if not lower.complete:
            return
        names = self._skeleton.body.joint_names
        evidence = leg_evidence(names, person.joint_score, person.joints_2d, camera.size)
        seen = observe_legs(
            lower,
            evidence[None],
            self._filter.rotation.rotations[None],
            self._rest[None],
            self._filter.position.position[None],
            UP_OF_LEVEL_CAMERA,
        )
        self._pose_of_rest = self._leg_rest.update(time, seen[0], legs)

    def current(self, person: Person, camera: Camera, model: MotionModel) -> Person:
        """Return a measured person with the smoothed motion."""
        return self._with_motion(person, *self._filter.delayed_output(model), camera)

    def extrapolated(self, time: float, camera: Camera, model: MotionModel) -> Person:
        """Return the person without a measurement, with decreasing scores."""
        age = time - self.time
        score_scale = 1 - age / RESET_GAP
        fading = replace(
            self._last,
            score=self._last.score * score_scale,
            joint_score=self._last.joint_score * score_scale,
            predicted=True,
        )
        # with the same delay as measured people
        joint_delay, root_delay = self._filter.output_delays(model)
        rotations = self._filter.rotation.coasted(np.maximum(age - joint_delay, 0.0)).rotations
        position = self._filter.position.extrapolated(max(age - root_delay, 0.0), model)
        return self._with_motion(fading, rotations, position, camera)

    def _with_motion(
        self, person: Person, rotations: Array, position: Array, camera: Camera
    ) -> Person:
        lower, pose = self._skeleton.lower, self._pose_of_rest
        if pose is not None and pose.weight > 0:
            rotations, position = lower.put_to_rest(rotations, position, self._rest, pose)
            person = replace(person, joint_score=lower.faded(person.joint_score, pose.weight))
        translation = position - self._rest[0]
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


def _is_finite(person: Person) -> bool:
    values = (person.rotations, person.shape, person.translation)
    return all(bool(np.isfinite(value).all()) for value in values)
