"""Least-squares fit of one person's trajectory to noisy poses and image landmarks.

One Gauss-Newton problem over all frames of a stretch of motion. Unknowns of a frame are a rotation
increment of each joint, in the joint's own frame, and an increment of the root's bearing and log
depth (`root_position_filter`). Residuals, each relative to its standard deviation:

- rotation of each joint against the network's, with a Geman-McClure loss: far outliers have no
  influence, so the motion before and after them decides;
- root position against the network's, likewise;
- projected landmarks against their image positions, likewise;
- second differences of rotations and position (acceleration), whose standard deviation grows with
  the speed, as in the filters (`motion_model`);
- angular speed above the fastest plausible one;
- hinge joints bent beyond their limits.

The normal equations are banded: a frame is tied to itself and to the next two. They are solved by a
banded Cholesky factorisation with Levenberg-Marquardt damping.

References: Geman and McClure, 'Statistical methods for tomographic image reconstruction', 1987;
Triggs et al., 'Bundle adjustment - a modern synthesis', 2000, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.camera import MIN_DEPTH
from pymaf_live.body.rotations import axis_angle_from_rotation, matrix_from_axis_angle
from pymaf_live.motion.motion_model import MotionModel, VelocityProcess
from pymaf_live.motion.refinement.banded import solve_banded
from pymaf_live.motion.root_position_filter import position_from_bearing
from pymaf_live.types import Array, Camera

_OUTLIER = 8.0
"""Residual, in standard deviations, at which a measurement has lost half its influence."""
_MAX_ANGULAR_SPEED = 14.0
"""Speed from which a joint's rotation is implausibly fast, rad/s."""
_MAX_TURN = 0.55
"""Largest plausible turn of a joint between frames, rad."""
_SPEED_ERROR = 0.01
"""Standard deviation of a turn above that limit, rad."""
_LIMIT_ERROR = 0.05
"""Standard deviation of a hinge beyond its limit, rad."""
_SPEED_WINDOW = 0.04
"""Standard deviation of the averaging of speeds, s."""
_DAMPING = 1e-3
_TOLERANCE = 1e-3
"""Relative decrease of the cost at which the iteration ends."""


@dataclass(frozen=True)
class Measurements:
    """Measurements of one person in N frames; weights are 0 where there is no measurement."""

    times: Array
    """(N,) s, increasing."""
    rotations: Array
    """(N, J, 3, 3)"""
    rotation_weight: Array
    """(N, J) inverse standard deviation, 1/rad."""
    bearing: Array
    """(N, 3) x/z, y/z and log z of the root joint."""
    bearing_weight: Array
    """(N, 3) inverse standard deviation."""
    joints_2d: Array
    """(N, J, 2) frame pixels."""
    joint_2d_weight: Array
    """(N, J) inverse standard deviation, 1/px."""

    def cut(self, frames: slice) -> Measurements:
        """Return the measurements of some frames."""
        return Measurements(
            **{each.name: getattr(self, each.name)[frames] for each in fields(self)}
        )


@dataclass(frozen=True)
class Trajectory:
    """Motion of one person in N frames."""

    rotations: Array
    """(N, J, 3, 3)"""
    bearing: Array
    """(N, 3) x/z, y/z and log z of the root joint."""

    def cut(self, frames: slice) -> Trajectory:
        """Return the motion of some frames."""
        return Trajectory(self.rotations[frames], self.bearing[frames])


@dataclass(frozen=True)
class HingeLimit:
    """Range of one component of a joint's rotation vector."""

    joint: int
    axis: int
    low: float
    """rad"""
    high: float
    """rad"""


class TrajectoryFit:
    """Fit of a trajectory to measurements.

    Parameters
    ----------
    body : Body
    shape : (S,) array
        Shape of the person, the same in all frames.
    camera : Camera
    model : MotionModel
        Process noise.
    limits : tuple of HingeLimit
    """

    def __init__(
        self,
        body: Body,
        shape: Array,
        camera: Camera,
        model: MotionModel,
        limits: tuple[HingeLimit, ...] = (),
    ) -> None:
        self._body, self._camera, self._model, self._limits = body, camera, model, limits
        self._shape = np.asarray(shape, dtype=np.float64)
        self._rest = rest_joints(body, self._shape)
        self._is_ancestor = _ancestors(body)
        self._width = 3 * body.joint_count + 3

    def solve(self, measured: Measurements, start: Trajectory, iterations: int) -> Trajectory:
        """Return the trajectory with the lowest cost, from a first guess."""
        current, damping = start, _DAMPING
        # the noise stays as it is for the start's speeds, or the costs could not be compared
        self._process_noise = self._noise_of(measured.times, start)
        system = self._linearise(measured, current)
        for _ in range(iterations):
            step = solve_banded(system.blocks, system.links, system.right, damping)
            candidate = _moved(current, step)
            following = self._linearise(measured, candidate)
            if following.cost < system.cost:
                done = following.cost > (1 - _TOLERANCE) * system.cost
                current, system, damping = candidate, following, damping / 5
                if done:
                    break
            else:
                damping *= 20
                if damping > 1e3:
                    break
        return current

    def _linearise(self, measured: Measurements, state: Trajectory) -> _System:
        count = len(measured.times)
        blocks = np.zeros((count, self._width, self._width))
        right = np.zeros((count, self._width))
        links = np.zeros((2, count, self._width))
        system = _System(blocks, links, right)
        joints = 3 * self._body.joint_count
        self._add_data(system, measured, state, joints)
        self._add_joints_2d(system, measured, state, joints)
        self._add_motion(system, measured, state, joints)
        self._add_limits(system, state)
        return system

    def _add_data(
        self, system: _System, measured: Measurements, state: Trajectory, joints: int
    ) -> None:
        error = axis_angle_from_rotation(np.swapaxes(measured.rotations, -1, -2) @ state.rotations)
        weight = np.repeat(system.robust(error, measured.rotation_weight), 3, axis=-1)
        diagonal = np.arange(joints)
        system.blocks[:, diagonal, diagonal] += weight
        system.right[:, :joints] -= weight * error.reshape(len(error), -1)
        error = state.bearing - measured.bearing
        weight = system.robust(error[..., None], measured.bearing_weight)
        diagonal = np.arange(joints, joints + 3)
        system.blocks[:, diagonal, diagonal] += weight
        system.right[:, joints:] -= weight * error

    def _add_joints_2d(
        self, system: _System, measured: Measurements, state: Trajectory, joints: int
    ) -> None:
        if not measured.joint_2d_weight.any():
            return
        world, posed = joint_transforms(self._body, state.rotations, self._rest)
        root = position_from_bearing(state.bearing)
        points = posed + (root - posed[:, 0])[:, None]
        depth = np.maximum(points[..., 2], MIN_DEPTH)
        focal = self._camera.focal_length
        pixels = points[..., :2] / depth[..., None] * focal + self._camera.principal_point
        error = pixels - measured.joints_2d
        weight = system.robust(error, measured.joint_2d_weight)
        # derivative by a turn about an ancestor's own axes: axis x (point - ancestor)
        arm = points[:, :, None] - points[:, None]
        by_turn = np.cross(np.swapaxes(world, -1, -2)[:, None], arm[..., None, :])
        by_turn *= self._is_ancestor[None, :, :, None, None]
        N, K = depth.shape
        by_turn = by_turn.reshape(N, K, joints, 3)
        z = root[:, 2]
        by_bearing = np.zeros((N, 1, 3, 3))
        by_bearing[:, 0, 0, 0] = by_bearing[:, 0, 1, 1] = z
        by_bearing[:, 0, 2] = root
        by_all = np.concatenate([by_turn, np.broadcast_to(by_bearing, (N, K, 3, 3))], axis=2)
        scale = focal / depth
        jacobian = by_all[..., :2] - by_all[..., 2:] * (
            points[..., None, :2] / depth[..., None, None]
        )
        jacobian *= (scale * np.sqrt(weight))[..., None, None]
        flat = np.moveaxis(jacobian, 3, 2).reshape(N, 2 * K, -1)
        residual = (error * np.sqrt(weight)[..., None]).reshape(N, 2 * K, 1)
        transposed = np.swapaxes(flat, 1, 2)
        system.blocks += transposed @ flat
        system.right -= (transposed @ residual)[..., 0]

    def _add_motion(
        self, system: _System, measured: Measurements, state: Trajectory, joints: int
    ) -> None:
        steps = np.diff(measured.times)
        turn = axis_angle_from_rotation(
            np.swapaxes(state.rotations[:-1], -1, -2) @ state.rotations[1:]
        )
        noise = self._process_noise
        _add_acceleration(
            system, turn / steps[:, None, None], steps, noise.rotation, slice(0, joints)
        )
        limit = np.minimum(_MAX_ANGULAR_SPEED * steps, _MAX_TURN)[:, None]
        angle = np.linalg.norm(turn, axis=-1)
        excess = np.maximum(angle - limit, 0.0)
        direction = turn / np.maximum(angle, 1e-9)[..., None]
        weight = np.repeat(np.where(excess > 0, _SPEED_ERROR**-2, 0.0), 3, axis=-1)
        pull = (weight * np.repeat(excess, 3, axis=-1)) * direction.reshape(len(turn), -1)
        system.cost += float((excess**2).sum()) / _SPEED_ERROR**2
        diagonal = np.arange(joints)
        system.blocks[:-1, diagonal, diagonal] += weight
        system.blocks[1:, diagonal, diagonal] += weight
        system.links[0, :-1, :joints] -= weight
        system.right[:-1, :joints] += pull
        system.right[1:, :joints] -= pull

        velocity = np.diff(state.bearing, axis=0)[:, None] / steps[:, None, None]
        across, along = slice(joints, joints + 2), slice(joints + 2, joints + 3)
        _add_acceleration(system, velocity[..., :2], steps, noise.lateral, across)
        _add_acceleration(system, velocity[..., 2:], steps, noise.depth, along)

    def _noise_of(self, times: Array, state: Trajectory) -> _ProcessNoise:
        steps = np.diff(times)
        turn = axis_angle_from_rotation(
            np.swapaxes(state.rotations[:-1], -1, -2) @ state.rotations[1:]
        )
        speed = np.linalg.norm(_smooth_velocity(turn, steps), axis=-1)
        depth = np.exp(state.bearing[:, 2:])
        depth = (depth[:-1] + depth[1:]) / 2
        velocity = _smooth_velocity(np.diff(state.bearing, axis=0), steps) * depth
        across = np.hypot(velocity[:, :1], velocity[:, 1:2])
        along = np.abs(velocity[:, 2:])
        steps = steps[:, None]
        model = self._model
        return _ProcessNoise(
            _velocity_change(model.rotation, speed, steps, 1.0),
            _velocity_change(model.lateral, across, steps, depth),
            _velocity_change(model.depth, along, steps, depth),
        )

    def _add_limits(self, system: _System, state: Trajectory) -> None:
        for limit in self._limits:
            vector = axis_angle_from_rotation(state.rotations[:, limit.joint])[:, limit.axis]
            excess = np.maximum(vector - limit.high, 0.0) + np.minimum(vector - limit.low, 0.0)
            weight = np.where(excess != 0, _LIMIT_ERROR**-2, 0.0)
            column = 3 * limit.joint + limit.axis
            system.blocks[:, column, column] += weight
            system.right[:, column] -= weight * excess
            system.cost += float((excess**2).sum()) / _LIMIT_ERROR**2


@dataclass
class _System:
    """Normal equations; D unknowns a frame, and only equal unknowns of two frames are tied."""

    blocks: Array
    """(N, D, D) within a frame."""
    links: Array
    """(2, N, D) between a frame and the next, and the one after that."""
    right: Array
    """(N, D)"""
    cost: float = 0.0

    def robust(self, error: Array, weight: Array) -> Array:
        """Return the weights (...) of residuals (..., C) by a Geman-McClure loss; add its cost."""
        square = (error**2).sum(axis=-1) * weight**2
        scale = _OUTLIER**2
        self.cost += float((square / (1 + square / scale)).sum())
        return np.asarray(weight**2 / (1 + square / scale) ** 2)


@dataclass(frozen=True)
class _ProcessNoise:
    """Variance of the change of velocity from one step to the next, (N - 2, groups)."""

    rotation: Array
    lateral: Array
    depth: Array


def _smooth_velocity(change: Array, steps: Array) -> Array:
    """Return the mean velocity (N - 1, ...) around each step; noise would look like speed."""
    from scipy.ndimage import gaussian_filter1d

    sigma = _SPEED_WINDOW / float(np.median(steps))
    smooth = gaussian_filter1d(change, sigma, axis=0, mode="nearest")
    return np.asarray(
        smooth
        / gaussian_filter1d(steps, sigma, mode="nearest").reshape(-1, *[1] * (change.ndim - 1))
    )


def _velocity_change(
    process: VelocityProcess, speed: Array, steps: Array, metres: Array | float
) -> Array:
    """Return the variance (N - 2, G) of the change of velocity between successive steps.

    Parameters
    ----------
    process : VelocityProcess
    speed : (N - 1, G) array
        In the unit of the process per second.
    steps : (N - 1, 1) array
        Seconds.
    metres : (N - 1, 1) array or float
        Factor from the unknowns to the unit of the process.
    """
    fastest = np.maximum(speed[:-1], speed[1:])
    density = process.noise_density * (1 + (process.speed_gain * fastest) ** 2)
    factor = metres if isinstance(metres, float) else (metres[:-1] + metres[1:]) / 2
    return np.asarray(density * (steps[:-1] + steps[1:]) / 2 / factor**2)


def _add_acceleration(
    system: _System, velocity: Array, steps: Array, variance: Array, columns: slice
) -> None:
    """Add the penalty of changes of velocity (N - 1, G, C) of G groups of C unknowns."""
    if len(steps) < 2:
        return
    change = np.diff(velocity, axis=0)
    weight = np.repeat(1 / variance, change.shape[2], axis=1)
    flat = change.reshape(len(change), -1)
    system.cost += float((weight * flat**2).sum())
    before, after = 1 / steps[:-1, None], 1 / steps[1:, None]
    coefficients = (before, -before - after, after)
    index = np.arange(columns.start, columns.stop)
    count = len(change)
    for i, first in enumerate(coefficients):
        system.blocks[i : i + count, index, index] += weight * first**2
        system.right[i : i + count, columns] -= weight * first * flat
        for j in range(i + 1, 3):
            system.links[j - i - 1, i : i + count, columns] += weight * first * coefficients[j]


def _ancestors(body: Body) -> Array:
    """Return which joints (J, J) move each joint when they turn: 1 for its ancestors."""
    moves = np.zeros((body.joint_count, body.joint_count))
    for joint in range(1, body.joint_count):
        parent = body.parents[joint]
        moves[joint] = moves[parent]
        moves[joint, parent] = 1.0
    return moves


def _moved(state: Trajectory, step: Array) -> Trajectory:
    turns = step[:, :-3].reshape(len(step), -1, 3)
    return Trajectory(state.rotations @ matrix_from_axis_angle(turns), state.bearing + step[:, -3:])
