"""One person's filters."""

from __future__ import annotations

import numpy as np

from pymaf_live.motion.gate import Gate, Measured, Verdict
from pymaf_live.motion.model import Model
from pymaf_live.motion.place import Place, State
from pymaf_live.motion.turning import Turning


class Track:
    """The filters of one person and the gate before them.

    Parameters
    ----------
    measured : Measured
        The first.
    model : Model
    """

    def __init__(self, measured: Measured, model: Model) -> None:
        self.place = Place(measured.place, model)
        self.turning = Turning.start(measured.rotations, model.turn_variance(measured.joint_score))
        self._gate = Gate(measured)
        self.expected: tuple[Turning, State] = (self.turning, self.place.state)
        """What was expected of the last step's measurement, before it."""

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
        carried = self.turning.carried(dt)
        turning, moving = self.turning.velocities, self.place.velocity
        self.turning = self.turning.after(dt, model.turn)
        self.place.go_on(dt, model)
        self._gate.wait(dt)
        if measured is None:
            self.turning = self.turning.moved_to(carried, np.ones(len(turning), dtype=bool))
            self.expected = (self.turning, self.place.state)
            return None
        if verdict is None:
            verdict = self._gate.judge(measured, turning, moving)
            self._gate.believe(measured, verdict.taken)
        self.turning = self.turning.moved_to(carried, ~verdict.taken[:-1])
        self.turning = self.turning.opened(verdict.surprising[:-1])
        if verdict.surprising[-1]:
            self.place.open()
        self.expected = (self.turning, self.place.state)
        variance = model.turn_variance(measured.joint_score) * verdict.doubt[:-1]
        self.turning = self.turning.corrected(measured.rotations, variance, verdict.taken[:-1])
        if verdict.taken[-1]:
            self.place.correct(measured.place, model, float(verdict.doubt[-1]))
        return verdict
