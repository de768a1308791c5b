"""One person's filters."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.rotations import axis_angle_from_rotation, matrix_from_axis_angle
from pymaf_live.motion import root_position_filter as places
from pymaf_live.motion import rotation_filter as turnings
from pymaf_live.motion.motion_model import Model
from pymaf_live.motion.outlier_gate import Gate, Measured, Verdict
from pymaf_live.motion.root_position_filter import Place, State
from pymaf_live.motion.rotation_filter import Turning
from pymaf_live.types import Array, Ints


class Track:
    """The filters of one person and the gate before them.

    Parameters
    ----------
    measured : Measured
        The first.
    mirror : (J,) array
        Each joint's opposite.
    model : Model
    """

    def __init__(self, measured: Measured, mirror: Ints, model: Model) -> None:
        self._mirror = mirror
        self.place = Place(measured.place, model)
        self.turning = Turning.start(measured.rotations, model.turn_variance(measured.joint_score))
        self._gate = Gate(measured, mirror)
        self.expected: tuple[Turning, State] = (self.turning, self.place.state)
        """What was expected of the last step's measurement, before it."""
        self._before = self.expected
        self._step = 0.0
        # joints and place that jumped in the last step: nothing leads from the one to the other
        self._jumped = np.zeros(len(measured.rotations) + 1, dtype=bool)

    def step(
        self,
        dt: float,
        measured: Measured | None,
        model: Model,
        verdict: Verdict | None = None,
    ) -> Verdict | None:
        """Go on by dt seconds and take in what was measured then, as far as it is believed.

        Parameters
        ----------
        dt : float
            s
        measured : Measured or None
        model : Model
        verdict : Verdict, optional
            What to believe, where that is known by hindsight.

        Returns
        -------
        Verdict or None
            None where nothing was measured.
        """
        self._before, self._step = (self.turning, self.place.state), dt
        self._jumped = np.zeros_like(self._jumped)
        before, moving = self.turning, self.place.velocity
        self.turning = self.turning.after(dt, model.turn)
        self.place.go_on(dt, model)
        self._gate.wait(dt)
        if measured is None:
            everyone = np.ones(len(before.rotations), dtype=bool)
            self.turning = self.turning.moved_to(before.carried(dt), everyone)
            self.expected = (self.turning, self.place.state)
            return None
        in_hindsight = verdict is not None
        if verdict is None:
            verdict = self._gate.judge(measured, before.velocities, moving)
            self._gate.believe(measured, verdict)
        if verdict.turned_round:
            measured = measured.turned_round(self._mirror)
        if not verdict.taken[:-1].all():
            self.turning = self.turning.moved_to(before.carried(dt), ~verdict.taken[:-1])
        if verdict.surprising[:-1].any():
            self.turning = self.turning.opened(verdict.surprising[:-1])
        self._jumped = verdict.surprising
        if verdict.surprising[-1]:
            self.place.open()
        self.expected = (self.turning, self.place.state)
        variance = model.turn_variance(measured.joint_score) * verdict.doubt[:-1]
        self.turning = self.turning.corrected(dt, measured.rotations, variance, verdict.taken[:-1])
        if verdict.taken[-1]:
            self.place.correct(dt, measured.place, model, float(verdict.doubt[-1]))
        elif not in_hindsight:  # which goes by how sure it truly was
            self.place.pass_over(model)
        return verdict

    def late(self, model: Model) -> tuple[Array, Array]:
        """What was `model.lag` before the last step's end, in the light of its measurement.

        Never before its beginning, and of what has just jumped: what is now.

        Returns
        -------
        rotations : (J, 3, 3) array
        place : (3,) array
            m
        """
        rotations, place = self.turning.rotations, self.place.now
        part = min(model.lag / self._step, 1.0) if self._step else 0.0
        if not part:
            return rotations, place
        before, place_before = self._before
        F = model.turn.transition(self._step)
        begun = turnings.smooth_backward([before, self.expected[0]], [before, self.turning], [F, F])
        back = part * axis_angle_from_rotation(np.swapaxes(rotations, -1, -2) @ begun[0])
        back[self._jumped[:-1]] = 0.0
        rotations = rotations @ matrix_from_axis_angle(back)
        if not self._jumped[-1]:
            way = places.transition(self._step, model)
            stood = places.smooth_backward(
                [place_before, self.expected[1]], [place_before, self.place.state], [way, way]
            )
            place = place + part * (stood[0] - place)
        return rotations, place
