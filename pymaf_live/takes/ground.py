"""Ground of a take: one up direction and one height for all of its people.

The camera's tilt, the ground's height and each person's size are estimated together, by robust
least squares over

- the directions from ankles to neck of people who stand straight (each leans a little);
- resting feet, which are on the ground: where they are spread out, their plane is more accurate
  than posture;
- the roll of the camera, which is usually held level, or else tilted on purpose and then by a lot;
- the people's sizes. A camera cannot tell a tall person from a near one, so a network's depths are
  some per cent off, for each person by a factor of their own. Two people who stand on one floor
  show it: from above, the one who is taken for too tall seems to sink in.

Feet off the plane (that were not really resting) are weighted down by Huber's function, and feet on
the same patch of ground count once, because errors of neighbours are correlated. The roll is
weighted down by Geman and McClure's function where it is larger than a hand is unsteady.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from pymaf_live.body import Body, rest_joints
from pymaf_live.body.vectors import angle_between, unit_vectors
from pymaf_live.takes.editing import select_rows
from pymaf_live.takes.legs import legs_seen
from pymaf_live.takes.shape import with_sizes
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints, Mask

UP_OF_LEVEL_CAMERA: Array = np.array([0.0, -1.0, 0.0])
"""Up direction of a level camera in its own frame (y down)."""

_MAX_TILT = np.radians(60.0)
"""A person who lies stretched out before a level camera is as straight as one who stands before a
camera on its side; beyond this angle the first is more likely."""
_STRAIGHT = np.radians(25.0)
"""Largest angle between thigh and shank, and between trunk and legs, of a person who stands."""
_AXIS_ERROR = np.radians(3.0)
_FOOT_ERROR, _DEPTH_ERROR = 0.02, 0.03
"""Error of a resting foot's height over the ground: metres, and relative to its distance below the
camera, to which the slow errors of monocular depth add in proportion."""
_SAME_HEIGHT = 0.05
"""Difference of height up to which both feet may rest, m."""
_SIZE_ERROR = 0.05
"""Relative error of a person's size: one standard deviation of the heights of adults is 4 %."""
_KEEP_MEAN_SIZE = 1e4
"""Weight of the mean size: it stays as measured."""
_EXCLUSION_COST = 6.0
"""Squared standard deviations that a person's feet must cost before they are left out."""
_ROLL_ERROR, _DELIBERATE_ROLL = np.radians(2.0), np.radians(3.5)
"""Roll of a camera that is held level, and roll from which it is more likely deliberate."""
_MAX_RESTING_SPEED = 0.25
"""Largest speed of a resting foot across the line of sight, m/s."""
_AVERAGING_TIME = 0.06
"""Standard deviation of the averaging of feet over time, s, so that the noise of a take that was
not smoothed does not look like movement."""
_MIN_RESTING_TIME = 0.15
"""Shortest rest on a patch of ground, s."""
_PATCH_SIZE = 0.3
"""Side of a patch of ground within which feet count once, metres."""
_ITERATIONS = 12
_MIN_FEET = 3
"""Number of patches that define a plane."""
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Ground:
    """Plane of the points p with ``up @ p = height``, camera frame."""

    up: Array
    """(3,) unit vector."""
    height: float
    """Metres."""
    upright: int = 0
    """Number of rows with a person who stands straight; with 0 the camera is assumed to be
    level."""
    resting: int = 0
    """Number of patches of ground with resting feet; with 0 the height is that of the lowest
    feet."""
    sizes: Mapping[int, float] = field(default_factory=dict)
    """Factor on the size of each person, by number, with which all of them stand on the ground."""

    def height_above(self, points: Array) -> Array:
        """Return the height (...) in m of points (..., 3) over the plane."""
        return np.asarray(points @ self.up - self.height)

    def raised(self, metres: float) -> Ground:
        """Return the parallel plane at a height over this one."""
        return Ground(self.up, self.height + metres)


@dataclass(frozen=True)
class _Feet:
    """Places where feet rest; P of them."""

    balls: Array
    """(P, 3) m, mean position of the ball of the foot, camera frame."""
    offset: Array
    """(P,) m, height of that joint over the sole."""
    person: Ints
    """(P,) index of the person."""

    def only(self, chosen: Mask) -> _Feet:
        return _Feet(self.balls[chosen], self.offset[chosen], self.person[chosen])


def ground_of(take: Take, body: Body) -> Ground:
    """Return the ground that a finished take states, or else estimate it."""
    if take.ground is not None:
        return Ground(np.asarray(take.ground[:3], dtype=np.float64), float(take.ground[3]))
    return estimate_ground(take, body)


def with_ground(take: Take, body: Body) -> Take:
    """Return a take whose people all stand on one ground, which it states.

    Their sizes change by as much as that takes (`shape.with_sizes`). Takes that state a ground stay
    as they are, and so do those of separate images, whose cameras differ.

    Parameters
    ----------
    take : Take
        With one shape per person.
    body : Body
        Body that the take was made with.
    """
    if take.ground is not None or take.picture_camera is not None:
        return take
    finite = np.isfinite(take.joints).all(axis=(1, 2)) & np.isfinite(take.shape).all(axis=1)
    if not (finite & legs_seen(take)).any():
        return take
    ground = estimate_ground(select_rows(take, np.flatnonzero(finite)), body)
    if not ground.upright and not ground.resting:
        return take
    sized = with_sizes(take, body, ground.sizes) if ground.sizes else take
    return replace(sized, ground=np.array([*ground.up, ground.height]))


def estimate_ground(take: Take, body: Body) -> Ground:
    """Estimate the ground of a take from all of its people.

    Parameters
    ----------
    take : Take
        Finite rows only; of a camera that does not move. Rows whose legs are not seen do not count,
        unless there are no others; then the camera is level and the lowest feet are on the ground.
    body : Body
        With SMPL's joint names; without them the camera is assumed to be level.
    """
    names = {name: index for index, name in enumerate(body.joint_names)}
    required = {f"{side}_{part}" for side in _SIDES for part in ("hip", "knee", "ankle", "foot")}
    if not {*required, "neck"} <= set(names) or not len(take.frame):
        return Ground(UP_OF_LEVEL_CAMERA, 0.0)
    seen = legs_seen(take)
    if not seen.any():
        joints = np.asarray(take.joints, dtype=np.float64)
        up = UP_OF_LEVEL_CAMERA
        return Ground(up, _lowest_feet(take, body, joints, names, up))
    take = select_rows(take, np.flatnonzero(seen))
    joints = np.asarray(take.joints, dtype=np.float64)
    axes, straight = _body_axes(joints, names)
    upright = straight & (angle_between(axes, UP_OF_LEVEL_CAMERA) < _MAX_TILT)
    axis = UP_OF_LEVEL_CAMERA
    if upright.any():
        axis = _mean_axis(axes[upright], take.person[upright])
    feet = _resting_feet(take, body, joints, names, axis)
    people, count = np.unique(take.person), len(feet.offset)
    sizes: Array = np.ones(len(people))
    if not count:
        return Ground(axis, _lowest_feet(take, body, joints, names, axis), int(upright.sum()))
    if not upright.any():
        return Ground(axis, float(np.median(feet.balls @ axis - feet.offset)), 0, count)
    up, height, sizes = _fitted(axis, feet, len(people))
    factors = {int(person): float(size) for person, size in zip(people, sizes, strict=True)}
    return Ground(up, height, int(upright.sum()), count, factors)


def _body_axes(joints: Array, names: Mapping[str, int]) -> tuple[Array, Mask]:
    """Return directions (R, 3) from ankles to neck, and which people (R,) are straight."""

    def middle(name: str) -> Array:
        return np.asarray(
            (joints[:, names[f"left_{name}"]] + joints[:, names[f"right_{name}"]]) / 2
        )

    neck = joints[:, names["neck"]]
    hips, ankles = middle("hip"), middle("ankle")
    straight = angle_between(neck - hips, hips - ankles) < _STRAIGHT
    for side in _SIDES:
        hip, knee, ankle = (joints[:, names[f"{side}_{part}"]] for part in ("hip", "knee", "ankle"))
        straight &= angle_between(hip - knee, knee - ankle) < _STRAIGHT
    return unit_vectors(neck - ankles), straight


def _mean_axis(axes: Array, person: Ints) -> Array:
    """Return the mean over the people of each one's median axis, weighted by the root of rows."""
    people, counts = np.unique(person, return_counts=True)
    own = np.array([_median_direction(axes[person == each]) for each in people])
    return unit_vectors((own * np.sqrt(counts)[:, None]).sum(axis=0))


def _median_direction(directions: Array) -> Array:
    """Return the geometric median (3,) of unit vectors, scaled to length 1 (Weiszfeld)."""
    median = directions.mean(axis=0)
    for _ in range(_ITERATIONS):
        weight = 1.0 / np.maximum(np.linalg.norm(directions - median, axis=1), 1e-3)
        median = (weight[:, None] * directions).sum(axis=0) / weight.sum()
    return unit_vectors(median)


def ball_heights(shapes: Array, body: Body) -> Array:
    """Return the heights (N, 2) m of the balls of the feet over the soles of shapes (N, S)."""
    names = list(body.joint_names)
    sole = body.template[:, 1].argmin()
    lowest = body.template[sole, 1] + shapes @ body.shape_directions[sole, 1].T
    balls = rest_joints(body, shapes)[:, [names.index(f"{side}_foot") for side in _SIDES], 1]
    return np.asarray(balls - lowest[:, None])


def _ball_offsets(take: Take, body: Body) -> Array:
    """Return the heights (R, 2) m of the balls of the feet over the soles in each row."""
    shapes, row = np.unique(np.asarray(take.shape, np.float64), axis=0, return_inverse=True)
    return np.asarray(ball_heights(shapes, body)[row.ravel()])


def _resting_feet(
    take: Take, body: Body, joints: Array, names: Mapping[str, int], up: Array
) -> _Feet:
    """Return the places where feet rest, one for each person and patch of ground."""
    # imported here: a part of the program's start time that most commands do not need
    from scipy.ndimage import gaussian_filter1d

    times = np.asarray(take.frame_time, dtype=np.float64)[take.frame]
    offsets = _ball_offsets(take, body)
    columns = [names[f"{side}_foot"] for side in _SIDES]
    balls: list[Array] = [np.zeros((0, 3))]
    offset: list[Array] = [np.zeros(0)]
    owner: list[Ints] = [np.zeros(0, dtype=np.int64)]
    for index, person in enumerate(np.unique(take.person)):
        rows: Ints = np.flatnonzero((take.person == person) & ~take.predicted)
        if len(rows) < 2:
            continue
        step = float(np.median(np.diff(times[rows])))
        sigma = _AVERAGING_TIME / max(step, 1e-6)
        feet = gaussian_filter1d(joints[rows][:, columns], sigma, axis=0, mode="nearest")
        height = feet @ up
        # a raised foot may be held still too: only the lower of the two counts, or both if close
        rests = height < height.min(axis=1, keepdims=True) + _SAME_HEIGHT
        rests &= _lateral_speed(feet, times[rows]) < _MAX_RESTING_SPEED
        places, count = _patches(feet[rests], up)
        long = count * step >= _MIN_RESTING_TIME
        balls.append(places[long])
        offset.append(np.full(int(long.sum()), np.median(offsets[rows])))
        owner.append(np.full(int(long.sum()), index))
    return _Feet(np.concatenate(balls), np.concatenate(offset), np.concatenate(owner))


def _patches(points: Array, up: Array) -> tuple[Array, Ints]:
    """Return the mean position (P, 3) of the points on each patch of ground, and their number."""
    horizontal = points - (points @ up)[:, None] * up
    _, patch = np.unique(np.round(horizontal / _PATCH_SIZE), axis=0, return_inverse=True)
    patch = patch.ravel()
    count = np.bincount(patch)
    sums = [np.bincount(patch, points[:, axis]) for axis in range(3)]
    return np.stack(sums, axis=1) / np.maximum(count, 1)[:, None], count


def _lateral_speed(feet: Array, times: Array) -> Array:
    """Return the speed (N, 2) m/s of feet (N, 2, 3) across the line of sight.

    A resting foot does not move in the image, whatever the error of its depth.
    """
    depth = np.maximum(feet[..., 2:], 0.05)
    rate = np.gradient(feet[..., :2] / depth, times, axis=0)
    return np.asarray(np.linalg.norm(rate, axis=-1) * depth[..., 0])


def _lowest_feet(
    take: Take, body: Body, joints: Array, names: Mapping[str, int], up: Array
) -> float:
    """Return a low percentile of the soles' height in m, for people whose feet never rest."""
    height = joints[:, [names[f"{side}_foot"] for side in _SIDES]] @ up
    return float(np.percentile((height - _ball_offsets(take, body)).min(axis=1), 10))


def _fitted(axis: Array, feet: _Feet, people: int) -> tuple[Array, float, Array]:
    """Return up (3,), the height of the ground and the factor on each person's size (P,).

    People who fit neither the plane of the others nor an ordinary size stand on something else, and
    are left out.
    """
    cost, fit = _solved(axis, feet, people)
    while len(set(feet.person.tolist())) > 1:
        others = [feet.only(feet.person != each) for each in np.unique(feet.person)]
        found = [(*_solved(axis, each, people), each) for each in others]
        best = min(found, key=lambda each: each[0])
        if best[0] + _EXCLUSION_COST > cost:
            break
        cost, fit, feet = best
    return fit


def _solved(axis: Array, feet: _Feet, people: int) -> tuple[float, tuple[Array, float, Array]]:
    """Return the weighted sum of squares, and up, height and sizes as `_fitted` does."""
    up, size = axis, np.ones(people)
    weight: Array = np.ones(len(feet.offset))
    height = cost = 0.0
    # two points are a line and do not define the slope across it
    slope = float(len(feet.offset) >= _MIN_FEET)
    for _ in range(_ITERATIONS):
        e1 = unit_vectors(np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0]))
        tangent = np.stack([e1, np.cross(up, e1)])
        # unknowns: the tilt along both tangents, the height, and the sizes less 1
        soles = feet.balls @ up - feet.offset
        rows = np.zeros((len(soles), 3 + people))
        rows[:, :2] = slope * size[feet.person, None] * (feet.balls @ tangent.T)
        rows[:, 2] = -1.0
        rows[np.arange(len(soles)), 3 + feet.person] = soles
        precision = weight / np.hypot(_FOOT_ERROR, _DEPTH_ERROR * soles)
        rows *= precision[:, None]
        target = -soles * precision
        prior = np.zeros((3 + people, 3 + people))
        prior[[0, 1], [0, 1]] = 1 / _AXIS_ERROR
        prior[2, 2] = 1e-6
        prior[range(3, 3 + people), range(3, 3 + people)] = 1 / _SIZE_ERROR
        prior_target = np.zeros(3 + people)
        prior_target[:2] = tangent @ (axis - up) / _AXIS_ERROR
        # shrinking everyone would make all distances from the plane smaller
        mean_size = np.zeros((1, 3 + people))
        mean_size[0, 3 + np.unique(feet.person)] = _KEEP_MEAN_SIZE
        roll = np.zeros((1, 3 + people))
        roll[0, :2] = tangent[:, 0] * np.sqrt(_level_weight(up[0])) / _ROLL_ERROR
        roll_target = -up[:1] * np.sqrt(_level_weight(up[0])) / _ROLL_ERROR
        matrix = np.concatenate([rows, prior, mean_size, roll])
        right = np.concatenate([target, prior_target, [0.0], roll_target])
        solution = np.linalg.lstsq(matrix, right, rcond=None)[0]
        cost = float(np.square(matrix @ solution - right).sum())
        up = unit_vectors(up + solution[:2] @ tangent)
        height, size = float(solution[2]), 1 + solution[3:]
        soles = size[feet.person] * (feet.balls @ up - feet.offset)
        residual = np.abs(soles - height) / np.hypot(_FOOT_ERROR, _DEPTH_ERROR * soles)
        weight = 1 / np.sqrt(np.maximum(residual, 1.0))
    return cost, (up, height, size)


def _level_weight(roll: float) -> float:
    """Return Geman and McClure's weight of the assumption that the camera is level."""
    return float(1 / (1 + (roll / _DELIBERATE_ROLL) ** 2) ** 2)
