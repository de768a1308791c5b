"""One shape for each person of a take.

The network estimates a shape in every frame. The estimates of one person differ, although the
person does not change; so a finished take has one shape per person, the robust mean of its frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, pose_joints, project, rest_joints
from pymaf_live.body.camera import MIN_DEPTH
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints, Mask

_EQUAL = 1e-5
"""Largest difference of shape coefficients that count as equal."""
_MIN_CONFIDENCE = 1e-3
_REWEIGHTINGS = 30
_CONVERGED = 1e-6
"""Metres by which the mean body still moves when the iteration ends."""
_MAX_SAMPLES = 2000
"""Rows of a person used for the shape, spread evenly over the take."""
_GAUSS_NEWTON_STEPS = 6
_RIDGE = 1e-6
"""Square pixels per square metre; keeps the step finite if all points coincide."""
_BATCH_ROWS = 4096
_MIN_SIZE_CHANGE = 0.002
"""Relative change of size below which a person stays as measured."""
_SIZE_RIDGE = 1e-3
"""Square metres; keeps coefficients small that hardly change the size."""


def has_one_shape(take: Take) -> bool:
    """Return True if each person has the same shape in all its rows."""
    return all(
        float(np.ptp(take.shape[take.person == person], axis=0).max(initial=0.0)) <= _EQUAL
        for person in np.unique(take.person)
    )


def with_one_shape(take: Take, body: Body) -> Take:
    """Return the take with one shape per person, so that bone lengths are constant.

    Poses stay as they are. Each row's translation is solved again, such that the joints of the new
    shape project as near as possible to where they projected before (least squares over the image,
    weighted by the joints' scores). Takes of separate images are returned as they are, because one
    number may stand for different people there; so are takes that have one shape already.

    Parameters
    ----------
    take : Take
    body : Body
        Body that the take was made with.

    Raises
    ------
    InputError
        If the take was made with another body.
    """
    require_body(take, body)
    if take.picture_camera is not None or has_one_shape(take):
        return take
    shape = np.array(take.shape, dtype=np.float64)
    for person in np.unique(take.person):
        shape[take.person == person] = person_shape(take, body, int(person))
    return _with_shape(take, body, shape)


def person_shape(take: Take, body: Body, person: int) -> Array:
    """Return the robust mean shape (S,) of a person over its frames.

    Huber's M-estimate by iteratively reweighted least squares, from the weighted median. Frames
    weigh by the person's score and its joints' mean score; distances between shapes are the root
    mean square distances of the body's sample vertices at rest. Frames further from the mean than
    the median one have less weight. Predicted rows and rows that are not finite do not count as
    long as there are others.
    """
    rows = np.flatnonzero(take.person == person)
    usable = rows[np.isfinite(take.shape[rows]).all(axis=1)]
    measured = usable[~take.predicted[usable]]
    rows = next(each for each in (measured, usable, rows) if len(each))
    if len(rows) > _MAX_SAMPLES:
        rows = rows[np.linspace(0, len(rows) - 1, _MAX_SAMPLES).round().astype(int)]
    shapes = np.asarray(take.shape[rows], dtype=np.float64)
    scores = np.asarray(take.score[rows] * take.joint_score[rows].mean(axis=1), dtype=np.float64)
    confidence = np.maximum(np.nan_to_num(scores), _MIN_CONFIDENCE)
    vertices = body.shape_directions[body.sample_vertices].reshape(-1, shapes.shape[1])
    to_metres = np.sqrt(3 / len(vertices)) * np.linalg.qr(vertices, mode="r")
    mean = np.array([_weighted_median(column, confidence) for column in shapes.T])
    for _ in range(_REWEIGHTINGS):
        distance = np.linalg.norm((shapes - mean) @ to_metres.T, axis=1)
        limit = max(_weighted_median(distance, confidence), _CONVERGED)
        weight = confidence * np.minimum(1.0, limit / np.maximum(distance, limit))
        before, mean = mean, np.average(shapes, axis=0, weights=weight)
        if np.linalg.norm(to_metres @ (mean - before)) < _CONVERGED:
            break
    return np.asarray(mean)


def with_sizes(take: Take, body: Body, sizes: Mapping[int, float]) -> Take:
    """Return the take with people of other sizes, each as much further away as they are larger.

    The shape is the one whose body is nearest to the scaled one; translations are solved again, so
    that the image shows the same.

    Parameters
    ----------
    take : Take
        With one shape per person.
    body : Body
    sizes : mapping
        Factor on the size of each person, by number.
    """
    shape = np.array(take.shape, dtype=np.float64)
    points = body.sample_vertices
    directions = body.shape_directions[points]
    directions = (directions - directions.mean(axis=0)).reshape(-1, body.shape_count)
    for person, factor in sizes.items():
        rows = take.person == person
        if abs(factor - 1) < _MIN_SIZE_CHANGE or not rows.any():
            continue
        own = shape[np.flatnonzero(rows)[0]]
        vertices = body.template[points] + body.shape_directions[points] @ own
        wanted = (factor - 1) * (vertices - vertices.mean(axis=0)).ravel()
        normal = directions.T @ directions + _SIZE_RIDGE * np.eye(body.shape_count)
        shape[rows] += np.linalg.solve(normal, directions.T @ wanted)
    return _with_shape(take, body, shape)


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])


def _with_shape(take: Take, body: Body, shape: Array) -> Take:
    """Return the take with shapes (R, S) and the translations that fit them."""
    translation = np.array(take.translation, dtype=np.float64)
    joints = np.array(take.joints, dtype=np.float64)
    finite = np.flatnonzero(_finite_rows(take))
    for start in range(0, len(finite), _BATCH_ROWS):
        rows = finite[start : start + _BATCH_ROWS]
        translation[rows], joints[rows] = _placed(take, body, rows, shape[rows])
    joints_2d = project(joints, take.camera)
    return replace(
        take,
        shape=shape,
        translation=translation,
        joints=joints,
        joints_2d=joints_2d,
        box=np.concatenate([joints_2d.min(axis=1), joints_2d.max(axis=1)], axis=1),
    )


def _finite_rows(take: Take) -> Mask:
    finite = np.ones(len(take.frame), dtype=bool)
    for values in (take.pose, take.shape, take.translation):
        finite &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return finite


def _placed(take: Take, body: Body, rows: Ints, shape: Array) -> tuple[Array, Array]:
    """Return translations (N, 3) and joints (N, J, 3) in m of rows with another shape (N, S)."""
    rotations = matrix_from_axis_angle(take.pose[rows])
    own_shape = np.asarray(take.shape[rows], dtype=np.float64)
    own_translation = np.asarray(take.translation[rows], dtype=np.float64)
    own = pose_joints(body, rotations, own_shape, own_translation)
    posed = pose_joints(body, rotations, shape, np.zeros_like(own_translation))
    weight = np.maximum(np.nan_to_num(np.asarray(take.joint_score[rows], dtype=np.float64)), 0.05)
    # joints beside or behind the camera say nothing about the place in the image
    weight = weight * (own[..., 2] > MIN_DEPTH)
    size_ratio = _skeleton_size(body, shape) / _skeleton_size(body, own_shape)
    initial = own[:, 0] * size_ratio[:, None] - posed[:, 0]
    translation = _fit_translations(posed, own, weight, take.focal_length, initial)
    return translation, posed + translation[:, None]


def _skeleton_size(body: Body, shape: Array) -> Array:
    """Return the summed bone lengths (N,) in m of shapes (N, S): apparent size at a depth."""
    rest = rest_joints(body, shape)
    child = np.flatnonzero(body.parents >= 0)
    bones = rest[:, child] - rest[:, body.parents[child]]
    return np.asarray(np.linalg.norm(bones, axis=-1).sum(axis=-1))


def _fit_translations(
    posed: Array, goal: Array, weight: Array, focal_length: float, initial: Array
) -> Array:
    """Return translations (N, 3) that project posed points (N, J, 3) onto the goals' projections.

    Gauss-Newton for all rows at once; a row's step is taken if its error decreases.
    """
    observed = goal[..., :2] / np.maximum(goal[..., 2:], MIN_DEPTH)
    best = initial
    residual, error = _residuals(posed, observed, weight, best)
    for _ in range(_GAUSS_NEWTON_STEPS):
        points = posed + best[:, None]
        depth = np.maximum(points[..., 2:], MIN_DEPTH)
        # a direction x/z moves by dx/z - (x/z) dz/z
        jacobian = np.zeros((*points.shape[:2], 2, 3))
        jacobian[..., 0, 0] = jacobian[..., 1, 1] = 1.0
        jacobian[..., 2] = -points[..., :2] / depth
        jacobian /= depth[..., None]
        weighted = jacobian * weight[..., None, None]
        normal = np.einsum("njci,njck->nik", weighted, jacobian)
        normal += _RIDGE / focal_length**2 * np.eye(3)
        gradient = np.einsum("njci,njc->ni", weighted, residual)
        candidate = best + np.linalg.solve(normal, gradient[..., None])[..., 0]
        after, after_error = _residuals(posed, observed, weight, candidate)
        better = (after_error < error) & (candidate[:, 2] + posed[:, 0, 2] > MIN_DEPTH)
        if not better.any():
            break
        best = np.where(better[:, None], candidate, best)
        residual = np.where(better[:, None, None], after, residual)
        error = np.where(better, after_error, error)
    return best


def _residuals(
    posed: Array, observed: Array, weight: Array, translation: Array
) -> tuple[Array, Array]:
    """Return the residuals (N, J, 2) of directions x/z, y/z and their weighted squares (N,)."""
    points = posed + translation[:, None]
    residual = observed - points[..., :2] / np.maximum(points[..., 2:], MIN_DEPTH)
    return residual, np.einsum("nj,njc->n", weight, np.square(residual))
