"""Filters of one person: root position, joint rotations and the outlier gate before them."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.rotations import axis_angle_from_rotation, matrix_from_axis_angle
from pymaf_live.motion import root_position_filter, rotation_filter
from pymaf_live.motion.motion_model import FAST_TURN, FAST_WALK, MotionModel
from pymaf_live.motion.outlier_gate import GateDecision, Measurement, OutlierGate
from pymaf_live.motion.root_position_filter import (
    PositionState,
    RootPositionFilter,
    bearing_from_position,
    position_from_bearing,
)
from pymaf_live.motion.rotation_filter import RotationState
from pymaf_live.types import Array, Ints


def _share_of_delay(velocities: Array, fast: float) -> Array:
    """Return the part (..., 1) of the delay with which parts of these velocities are shown.

    A viewer sees the delay of what moves fast and the jitter of what does not.
    """
    speed = np.linalg.norm(velocities, axis=-1, keepdims=True)
    return np.asarray(1 / (1 + (speed / fast) ** 2))


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

    def output_delays(self, model: MotionModel) -> tuple[Array, float]:
        """Return by how many seconds the joints (J, 1) and the root's bearing are shown late."""
        across = self.position.velocity[:2] * self.position.position[2]
        joints = model.output_delay * _share_of_delay(self.rotation.velocities, FAST_TURN)
        return joints, model.output_delay * float(_share_of_delay(across, FAST_WALK)[0])

    def delayed_output(self, model: MotionModel) -> tuple[Array, Array]:
        """Return the state up to `model.output_delay` before now, smoothed by the last measurement.

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
        if not step or not model.output_delay:
            return rotations, position
        joint_delay, root_delay = self.output_delays(model)
        rotation_before, position_before = self._previous
        F = model.rotation.transition(step)
        start = rotation_filter.rts_smooth(
            [rotation_before, self.predicted[0]], [rotation_before, self.rotation], [F, F]
        )
        back = axis_angle_from_rotation(np.swapaxes(rotations, -1, -2) @ start[0])
        back *= np.minimum(joint_delay / step, 1.0)
        back[self._jumped[:-1]] = 0.0
        rotations = rotations @ matrix_from_axis_angle(back)
        if not self._jumped[-1]:
            F = root_position_filter.transition(step, model)
            start = root_position_filter.rts_smooth(
                [position_before, self.predicted[1]],
                [position_before, self.position.state],
                [F, F],
            )
            now, then = bearing_from_position(position), bearing_from_position(start[0])
            # the depth jitters most, and its delay shows least
            part = np.array([root_delay, root_delay, model.output_delay]) / step
            position = position_from_bearing(now + np.minimum(part, 1.0) * (then - now))
        return rotations, position
