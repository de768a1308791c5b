"""Decoding of a network's estimate: from the crop camera to metres in the camera frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.camera import (
    MIN_DEPTH,
    camera_from_crop,
    crop_points_2d,
    pixels_from_crop_units,
    project,
    ray_through,
)
from pymaf_live.body.kinematics import PointSet, joint_transforms, rest_joints
from pymaf_live.body.model import Body
from pymaf_live.types import Array, Camera, Crop, Estimate, Person

_MIN_SCALE = 1e-3
_GAUSS_NEWTON_STEPS = 4
"""The third step moves a body 2 m away by less than a millimetre."""
_RIDGE = 1e-6
"""Square pixels per square metre; keeps the step finite if all points coincide."""
_UNSEEN_WEIGHT = 0.002
"""Weight of joints outside the image in close-ups, relative to those inside. In close-ups of the
demo the median error of visible joints is 28 % of the shoulder width with 1, 22 with 0.05 and
19 with 0.01; before a webcam (dressed test people) 16.7 with 0.01, 16.2 with this."""
_UNSURE_WEIGHT = 0.2
"""Weight of a joint whose score is 0, relative to one of score 1. Test people before a webcam
(`full`) miss the image by 15.4 % of the shoulder width with it, 15.8 with 1."""
_FEET_OUTSIDE, _CLOSE_UP = 0.1, 0.25
"""Share of the joints outside the image up to which all count alike, and from which on the image
shows so little that those outside are only a guess."""
_EDGE = 0.05
"""Distance from the image, relative to the body's extent, from which on a joint is outside."""


def person_from_estimate(
    body: Body, estimate: Estimate, crop: Crop, camera: Camera, person_id: int = 0
) -> Person:
    """Convert a crop's estimate to the camera frame and to frame pixels.

    A crop is seen as if by a distant camera that looks straight at its centre. The estimated
    orientation therefore holds relative to the ray through that centre, not to the camera's axis:
    the root rotation becomes V R R_0, with the crop's in-plane rotation R and the shortest rotation
    V from the axis to the ray. (The ray through the pelvis is far from it where a seated person's
    hips are below the frame.) The translation minimises the distance between the perspective
    projection of the joints and their positions in the crop (least squares, Gauss-Newton), weighted
    by the joints' scores; in close-ups joints outside the image, which are a guess, hardly count.
    It starts at depth z = 2 f / (b s), with focal length f, crop side b and scale s; for a near
    body the true position differs, because nearer parts appear larger.

    Parameters
    ----------
    body : Body
    estimate : Estimate
        In the crop's frame.
    crop : Crop
    camera : Camera
    person_id : int

    Returns
    -------
    Person
    """
    return person_with_points(body, None, estimate, crop, camera, person_id)[0]


def person_with_points(
    body: Body,
    points: PointSet | None,
    estimate: Estimate,
    crop: Crop,
    camera: Camera,
    person_id: int = 0,
) -> tuple[Person, Array]:
    """Convert an estimate like `person_from_estimate` and project points of the body.

    Parameters
    ----------
    body : Body
    points : PointSet or None
        Points of `body` to project; None for none.
    estimate : Estimate
    crop : Crop
    camera : Camera
    person_id : int

    Returns
    -------
    person : Person
    pixels : (N, 2) array
        Frame pixels of the points.
    """
    rest = rest_joints(body, estimate.shape)
    world, in_crop = joint_transforms(body, estimate.rotations, rest)
    units = crop_points_2d(in_crop, estimate.camera)
    observed = crop.to_frame(pixels_from_crop_units(units, crop.size))
    rotation = camera_from_crop(crop, camera)
    rotations = np.array(estimate.rotations, dtype=np.float64)
    rotations[0] = rotation @ rotations[0]
    # the root rotates about its own joint
    root = in_crop[0]
    posed = (in_crop - root) @ rotation.T + root
    scale = max(float(estimate.camera[0]), _MIN_SCALE)
    depth = 2 * camera.focal_length / (crop.side * scale)
    weight = _seen_weights(observed, camera) * _score_weights(estimate.joint_score)
    initial = ray_through(observed[0], camera) * depth - root
    translation = _fit_translation(posed, observed, weight, camera, initial)
    joints = posed + translation
    joints_2d = project(joints, camera)
    pixels: Array = np.zeros((0, 2))
    if points is not None:
        # posed in the crop's frame, then rotated about the root and shifted like the joints
        posed_points = points.skinned(world, in_crop, rest, estimate.shape)
        pixels = project((posed_points - root) @ rotation.T + root + translation, camera)
    person = Person(
        id=person_id,
        rotations=rotations,
        shape=np.asarray(estimate.shape, dtype=np.float64),
        translation=translation,
        joints=joints,
        joints_2d=joints_2d,
        box=np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)],
        score=float(estimate.score),
        joint_score=np.asarray(estimate.joint_score, dtype=np.float64),
    )
    return person, pixels


def _fit_translation(
    posed: Array, observed: Array, weight: Array, camera: Camera, initial: Array
) -> Array:
    """Return the translation (3,) that projects posed points (N, 3) onto pixels (N, 2).

    Steps from `initial` are accepted as long as the error decreases: for a body that reaches behind
    the camera no such translation exists.
    """
    best: Array = initial
    residuals = _Residuals.of(posed + initial, observed, camera, weight)
    for _ in range(_GAUSS_NEWTON_STEPS):
        candidate = best + residuals.step()
        after = _Residuals.of(posed + candidate, observed, camera, weight)
        if not (after.error < residuals.error and candidate[2] > MIN_DEPTH):
            break
        best, residuals = candidate, after
    return best


def _score_weights(score: Array) -> Array:
    """Return the weights (J,) of joints by their scores."""
    return _UNSURE_WEIGHT + (1.0 - _UNSURE_WEIGHT) * np.clip(score, 0.0, 1.0)


def _seen_weights(observed: Array, camera: Camera) -> Array:
    """Return weights (N,) of points (N, 2) px: smaller outside the image, in close-ups."""
    last = np.asarray(camera.size, dtype=np.float64) - 1
    distance = np.hypot(*(observed - np.clip(observed, 0.0, last)).T)
    extent = max(float(np.ptp(observed, axis=0).max()), 1.0)
    outside = np.minimum(distance / (_EDGE * extent), 1.0)
    doubt = (float(outside.mean()) - _FEET_OUTSIDE) / (_CLOSE_UP - _FEET_OUTSIDE)
    weight = _UNSEEN_WEIGHT ** (min(max(doubt, 0.0), 1.0) * outside)
    # a body entirely outside is placed by all of its joints
    return np.asarray(weight / weight.max())


@dataclass(frozen=True)
class _Residuals:
    """Reprojection residuals of points and what the Gauss-Newton step needs of them."""

    magnification: Array
    """(N,) pixels per metre at each point's depth."""
    directions: Array
    """(N, 2) x/z, y/z."""
    residuals: Array
    """(N, 2) px"""
    weight: Array
    """(N,)"""
    error: float
    """Weighted sum of squared residuals, px^2."""

    @classmethod
    def of(cls, points: Array, observed: Array, camera: Camera, weight: Array) -> _Residuals:
        depth = np.maximum(points[:, 2:], MIN_DEPTH)
        directions = points[:, :2] / depth
        residuals = observed - (directions * camera.focal_length + camera.principal_point)
        magnification = camera.focal_length / depth[:, 0]
        error = float(weight @ np.square(residuals).sum(axis=1))
        return cls(magnification, directions, residuals, weight, error)

    def step(self) -> Array:
        """Return the translation (3,) of the Gauss-Newton step.

        A pixel x moves by m dx - m (x/z) dz, with magnification m. The block of dx and dy in the
        normal equations is a multiple of the identity, so dz is solved first.
        """
        square = self.weight * np.square(self.magnification)
        weighted = self.weight * self.magnification
        coupling = square @ self.directions
        gradient_xy = weighted @ self.residuals
        gradient_z = -float(weighted @ (self.directions * self.residuals).sum(axis=1))
        block_xy = float(square.sum()) + _RIDGE
        block_z = float(square @ np.square(self.directions).sum(axis=1)) + _RIDGE
        dz = (gradient_z + float(coupling @ gradient_xy) / block_xy) / (
            block_z - float(coupling @ coupling) / block_xy
        )
        return np.append((gradient_xy + coupling * dz) / block_xy, dz)
