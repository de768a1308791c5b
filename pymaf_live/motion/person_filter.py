"""Filters of one person: root position, joint rotations and the outlier gate before them."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.rotations import axis_angle_from_rotation, matrix_from_axis_angle
from pymaf_live.motion import root_position_filter, rotation_filter
from pymaf_live.motion.motion_model import MotionModel
from pymaf_live.motion.outlier_gate import GateDecision, Measurement, OutlierGate
from pymaf_live.motion.root_position_filter import PositionState, RootPositionFilter
from pymaf_live.motion.rotation_filter import RotationState
from pymaf_live.types import Array, Ints


class PersonFilter:
    """Filters of one person and the outlier gate before them.

    Parameters
    ----------
    measurement : Measurement
        The first one.
    mirror : (J,) array
        Index of each joint's opposite.
    model : MotionModel
    """

    def __init__(self, measurement: Measurement, mirror: Ints, model: MotionModel) -> None:
        self._mirror = mirror
        self.position = RootPositionFilter(measurement.position, model)
        variance = model.rotation_variance(measurement.joint_score)
        self.rotation = RotationState.initial(measurement.rotations, variance)
        self._gate = OutlierGate(measurement, mirror)
        self.predicted: tuple[RotationState, PositionState] = (self.rotation, self.position.state)
        """States of the last step before its measurement."""
        self._previous = self.predicted
        self._step_duration = 0.0
        # joints and position that jumped in the last step: nothing may be interpolated across it
        self._jumped = np.zeros(len(measurement.rotations) + 1, dtype=bool)

    def step(
        self,
        dt: float,
        measurement: Measurement | None,
        model: MotionModel,
        decision: GateDecision | None = None,
    ) -> GateDecision | None:
        """Advance by dt seconds and update by the accepted parts of a measurement.

        Parameters
        ----------
        dt : float
            Seconds.
        measurement : Measurement or None
        model : MotionModel
        decision : GateDecision, optional
            Decision known in hindsight; by default the gate decides.

        Returns
        -------
        GateDecision or None
            None without a measurement.
        """
        self._previous, self._step_duration = (self.rotation, self.position.state), dt
        self._jumped = np.zeros_like(self._jumped)
        before, bearing_velocity = self.rotation, self.position.velocity
        self.rotation = self.rotation.predicted(dt, model.rotation)
        self.position.predict(dt, model)
        self._gate.advance(dt)
        if measurement is None:
            all_joints = np.ones(len(before.rotations), dtype=bool)
            self.rotation = self.rotation.with_motion_of(before.coasted(dt), all_joints)
            self.predicted = (self.rotation, self.position.state)
            return None
        in_hindsight = decision is not None
        if decision is None:
            decision = self._gate.evaluate(measurement, before.velocities, bearing_velocity)
            self._gate.update(measurement, decision)
        if decision.flipped:
            measurement = measurement.depth_flipped(self._mirror)
        joints_accepted = decision.accepted[:-1]
        if not joints_accepted.all():
            self.rotation = self.rotation.with_motion_of(before.coasted(dt), ~joints_accepted)
        if decision.jumped[:-1].any():
            self.rotation = self.rotation.made_diffuse(decision.jumped[:-1])
        self._jumped = decision.jumped
        if decision.jumped[-1]:
            self.position.make_diffuse()
        self.predicted = (self.rotation, self.position.state)
        variance = model.rotation_variance(measurement.joint_score) * decision.variance_scale[:-1]
        self.rotation = self.rotation.updated(dt, measurement.rotations, variance, joints_accepted)
        if decision.accepted[-1]:
            scale = float(decision.variance_scale[-1])
            self.position.update(dt, measurement.position, model, scale)
        elif not in_hindsight:  # the backward pass needs the true covariance
            self.position.shrink_covariance(model)
        return decision

    def delayed_output(self, model: MotionModel) -> tuple[Array, Array]:
        """Return the state `model.output_delay` before now, smoothed by the last measurement.

        Never earlier than the beginning of the last step; parts that have just jumped are returned
        as they are now.

        Returns
        -------
        rotations : (J, 3, 3) array
        position : (3,) array
            Metres.
        """
        rotations, position = self.rotation.rotations, self.position.position
        step = self._step_duration
        fraction = min(model.output_delay / step, 1.0) if step else 0.0
        if not fraction:
            return rotations, position
        rotation_before, position_before = self._previous
        F = model.rotation.transition(step)
        start = rotation_filter.rts_smooth(
            [rotation_before, self.predicted[0]], [rotation_before, self.rotation], [F, F]
        )
        back = fraction * axis_angle_from_rotation(np.swapaxes(rotations, -1, -2) @ start[0])
        back[self._jumped[:-1]] = 0.0
        rotations = rotations @ matrix_from_axis_angle(back)
        if not self._jumped[-1]:
            F = root_position_filter.transition(step, model)
            start = root_position_filter.rts_smooth(
                [position_before, self.predicted[1]],
                [position_before, self.position.state],
                [F, F],
            )
            position = position + fraction * (start[0] - position)
        return rotations, position
