"""Camera of a take as an object of a scene, to render the person over the video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.export.scene import Scene
from pymaf_live.export.world import Y_UP_FROM_CAMERA
from pymaf_live.types import Array

NAME = "camera"
SENSOR_SIDE_MM = 35.0
"""Larger side of the sensor: three.js assumes it, whatever an FBX file says."""
NEAR, FAR = 0.05, 1000.0
"""Clipping distances, metres."""


@dataclass(frozen=True)
class ViewCamera:
    """Camera at rest in the world of an export, with its principal point in the image's centre."""

    axes: Array
    """(3, 3) columns: right, up and against the direction of view."""
    position: Array
    """(3,) m"""
    focal_length: float
    """Pixels."""
    size: tuple[int, int]
    """Width, height in pixels."""

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.size[0] / self.size[1]

    @property
    def vertical_angle(self) -> float:
        """Vertical field of view, radians."""
        return 2 * float(np.arctan(self.size[1] / (2 * self.focal_length)))

    @property
    def sensor_mm(self) -> tuple[float, float]:
        """Width, height of the sensor in millimetres."""
        unit = SENSOR_SIDE_MM / max(self.size)
        return self.size[0] * unit, self.size[1] * unit

    @property
    def focal_length_mm(self) -> float:
        """Focal length for a sensor of `sensor_mm`."""
        return self.focal_length * SENSOR_SIDE_MM / max(self.size)


def view_camera(scene: Scene) -> ViewCamera:
    """Return the camera of a scene."""
    return ViewCamera(
        axes=scene.transform.rotation @ Y_UP_FROM_CAMERA,
        position=scene.transform.shift,
        focal_length=scene.camera.focal_length,
        size=scene.camera.size,
    )
