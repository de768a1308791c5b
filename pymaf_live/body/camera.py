"""From the network's crop camera to metres before the frame's camera, and projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.kinematics import PointSet, joint_transforms, rest_joints
from pymaf_live.body.model import Body
from pymaf_live.body.rotations import about_z
from pymaf_live.types import Array, Camera, Crop, Estimate, Person

_LEAST_SCALE = 1e-3
_NEAREST = 0.05
"""Metres; points nearer than this are projected as if at this distance, so that none blows up."""


_PLACING_STEPS = 4
"""The third moves a body 2 m away by less than a millimetre."""
_RIDGE = 1e-6
"""Square pixels a square metre: keeps the step finite where all points fall together."""


def project(points: Array, camera: Camera) -> Array:
    """Camera-frame metres (..., 3) to frame pixels (..., 2)."""
    depth = np.maximum(points[..., 2:], _NEAREST)
    return points[..., :2] / depth * camera.focal_length + camera.principal_point


def crop_units_from_pixels(points: Array, size: int) -> Array:
    """Crop pixels (pixel centres at integers) to crop units (outer edges at -1 and 1)."""
    return (points + 0.5) * (2 / size) - 1


def pixels_from_crop_units(units: Array, size: int) -> Array:
    """Crop units to crop pixels."""
    return (units + 1) * (size / 2) - 0.5


def person_from_estimate(
    body: Body, estimate: Estimate, crop: Crop, camera: Camera, person_id: int = 0
) -> Person:
    """Carry a crop's estimate into the camera's frame and the frame's pixels.

    A crop is seen as if a camera far away looked straight at it. So what it says of the way a body
    faces holds about the ray through the body, not about the camera's axis: the root rotation
    becomes V R R_0, with R the crop's in-plane turn and V the shortest turn from the axis to the
    ray. The translation is the one whose perspective picture of the joints lies nearest to where
    the crop saw them (least squares, Gauss-Newton). It begins at depth z = 2 f / (b s), with focal
    length f, crop side b and scale s; a near body's true place differs from that, since what is
    nearer looks larger.

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
    """As `person_from_estimate`, and where points of the person lie in the frame.

    Parameters
    ----------
    body : Body
    points : PointSet or None
        Of that body; None for no points.
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
    flat = crop_points_2d(in_crop, estimate.camera)
    seen = crop.to_frame(pixels_from_crop_units(flat, crop.size))
    ray = np.append((seen[0] - camera.principal_point) / camera.focal_length, 1.0)
    turn = _turn_to(ray) @ about_z(crop.turn)
    rotations = np.array(estimate.rotations, dtype=np.float64)
    rotations[0] = turn @ rotations[0]
    # the root turns about its own joint
    root = in_crop[0]
    posed = (in_crop - root) @ turn.T + root
    scale = max(float(estimate.camera[0]), _LEAST_SCALE)
    depth = 2 * camera.focal_length / (crop.side * scale)
    translation = _placed(posed, seen, camera, ray * depth - root)
    joints = posed + translation
    joints_2d = project(joints, camera)
    pixels: Array = np.zeros((0, 2))
    if points is not None:
        # posed in the crop's frame, then turned about the root and moved as the joints are
        posed_points = points.moved(world, in_crop, rest, estimate.shape)
        pixels = project((posed_points - root) @ turn.T + root + translation, camera)
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


def _turn_to(ray: Array) -> Array:
    """The shortest rotation (3, 3) that takes the camera's axis to a ray (3,) before it."""
    x, y, z = ray / np.linalg.norm(ray)
    # Rodrigues' formula for the axis (0, 0, 1) x (x, y, z), whose length is the sine
    return np.array(
        [
            [1 - x * x / (1 + z), -x * y / (1 + z), x],
            [-x * y / (1 + z), 1 - y * y / (1 + z), y],
            [-x, -y, z],
        ]
    )


def _placed(posed: Array, seen: Array, camera: Camera, first: Array) -> Array:
    """Translation (3,) that brings posed points (N, 3) onto pixels (N, 2).

    Steps from the `first` are taken while they help: a body that reaches behind the camera has no
    such place.
    """
    best: Array = first
    view = _View.of(posed + first, seen, camera)
    for _ in range(_PLACING_STEPS):
        found = best + view.step()
        after = _View.of(posed + found, seen, camera)
        if not (after.error < view.error and found[2] > _NEAREST):
            break
        best, view = found, after
    return best


@dataclass(frozen=True)
class _View:
    """Points as a camera sees them, and how they miss the pixels where they should be."""

    nearness: Array
    """(N,) pixels a metre across at each point."""
    directions: Array
    """(N, 2) x/z, y/z."""
    missed: Array
    """(N, 2) px"""
    error: float

    @classmethod
    def of(cls, points: Array, seen: Array, camera: Camera) -> _View:
        depth = np.maximum(points[:, 2:], _NEAREST)
        directions = points[:, :2] / depth
        missed = seen - (directions * camera.focal_length + camera.principal_point)
        nearness = camera.focal_length / depth[:, 0]
        return cls(nearness, directions, missed, float(np.vdot(missed, missed)))

    def step(self) -> Array:
        """The translation (3,) of Gauss and Newton's step.

        A pixel x moves by n dx - n (x/z) dz, with n the nearness; of the normal equations' matrix
        the part of dx and dy is a number, so that dz is found first.
        """
        square = np.square(self.nearness)
        across = square @ self.directions
        pulled = self.nearness @ self.missed
        forward = -float(self.nearness @ (self.directions * self.missed).sum(axis=1))
        much = float(square.sum()) + _RIDGE
        spread = float(square @ np.square(self.directions).sum(axis=1)) + _RIDGE
        dz = (forward + float(across @ pulled) / much) / (spread - float(across @ across) / much)
        return np.append((pulled + across * dz) / much, dz)


def crop_points_2d(points: Array, camera: Array) -> Array:
    """Weak-perspective projection of posed points (..., N, 3) m to crop units (..., N, 2).

    `camera` is (..., 3): s, tx, ty.
    """
    scale, shift = camera[..., None, :1], camera[..., None, 1:]
    return scale * (points[..., :2] + shift)
