"""Projection into the frame and into a crop."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.rotations import about_z
from pymaf_live.types import Array, Camera, Crop

MIN_DEPTH = 0.05
"""Metres; points nearer than this are projected as if at this distance, so that none diverges."""


def project(points: Array, camera: Camera) -> Array:
    """Project points (..., 3) m in the camera frame to frame pixels (..., 2)."""
    depth = np.maximum(points[..., 2:], MIN_DEPTH)
    return points[..., :2] / depth * camera.focal_length + camera.principal_point


def crop_points_2d(points: Array, camera: Array) -> Array:
    """Project posed points (..., N, 3) m to crop units (..., N, 2) by weak perspective.

    `camera` is (..., 3): s, tx, ty; see `Estimate.camera`.
    """
    scale, shift = camera[..., None, :1], camera[..., None, 1:]
    return scale * (points[..., :2] + shift)


def crop_units_from_pixels(points: Array, size: int) -> Array:
    """Convert crop pixels (pixel centres at integers) to crop units (outer edges at -1 and 1)."""
    return (points + 0.5) * (2 / size) - 1


def pixels_from_crop_units(units: Array, size: int) -> Array:
    """Convert crop units (outer edges at -1 and 1) to crop pixels (pixel centres at integers)."""
    return (units + 1) * (size / 2) - 0.5


def ray_through(pixel: Array, camera: Camera) -> Array:
    """Return the ray (3,) through a pixel (2,), with z = 1."""
    return np.append((pixel - camera.principal_point) / camera.focal_length, 1.0)


def camera_from_crop(crop: Crop, camera: Camera) -> Array:
    """Return the rotation (3, 3) from a crop's frame to the camera frame.

    A crop is seen as if by a distant camera that looks straight at its centre: the rotation is V R,
    with the crop's in-plane rotation R and the shortest rotation V from the camera's axis to the
    ray through the crop's centre.
    """
    return rotation_from_axis_to(ray_through(crop.centre, camera)) @ about_z(crop.turn)


def rotation_from_axis_to(ray: Array) -> Array:
    """Return the shortest rotation (3, 3) from the camera's axis to a ray (3,) in front of it."""
    x, y, z = ray / np.linalg.norm(ray)
    # Rodrigues' formula for the axis (0, 0, 1) x (x, y, z), whose length is the sine
    return np.array(
        [
            [1 - x * x / (1 + z), -x * y / (1 + z), x],
            [-x * y / (1 + z), 1 - y * y / (1 + z), y],
            [-x, -y, z],
        ]
    )
