"""Motion of the camera, from the background: sparse optical flow with the people masked.

Between two frames the background moves by a similarity transform: pan and tilt shift it, roll turns
it, zoom scales it. Nearby objects move differently when the camera changes its place; they are
outliers of a robust fit (RANSAC) as long as most of the background is far away.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pymaf_live.body.camera import rotation_from_axis_to
from pymaf_live.body.rotations import about_z, axis_angle_from_matrix
from pymaf_live.types import Array, Camera, Image

_WIDTH = 320
"""Width of the reduced images, pixels."""
_MAX_POINTS, _MIN_POINTS = 150, 12
_QUALITY, _POINT_DISTANCE = 0.02, 8
_BOX_MARGIN = 0.15
"""Margin of a person's box that is masked, relative to its longer side."""
_MAX_BACKWARD_ERROR = 0.5
"""Distance by which a point may miss its start when it is tracked back, reduced pixels."""
_INLIER_DISTANCE = 1.0
"""Reduced pixels."""
_WINDOW = 0.5
"""Time of a step, in which a foot on the ground should not move, s."""
_MOVING = 0.004
"""Shift of the image's corners in that time, relative to the diagonal: 6 pixels of 1280 x 720, or
about 2 cm at a distance of 4.5 m."""
_MOVING_SHARE = 0.1
"""Share of the time with such shifts of a camera that moves."""


class CameraMotion:
    """Estimates how the camera moves from the frames of a video, in order.

    Examples
    --------
    >>> motion = CameraMotion()
    >>> motion.add(np.zeros((90, 160, 3), np.uint8), [], 0.0)
    >>> motion.moves
    False
    """

    def __init__(self) -> None:
        self._last: Image | None = None
        self._points: Array = np.zeros((0, 1, 2), np.float32)
        self._transform = np.eye(3)
        self._corners: list[Array] = []
        self._transforms: list[Array] = []
        """From pixels of the first reduced frame to those of each frame."""
        self._scale = 1.0
        self._times: list[float] = []
        self._diagonal = 1.0

    def add(self, image: Image, boxes: Sequence[Array], seconds: float) -> None:
        """Add a frame.

        Parameters
        ----------
        image : (H, W, 3) uint8
        boxes : sequence of (4,) arrays
            x0, y0, x1, y1 of the people in pixels.
        seconds : float
        """
        height, width = image.shape[:2]
        scale = min(1.0, _WIDTH / width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        if self._last is not None and self._last.shape == grey.shape:
            step = _background_step(self._last, grey, self._points)
            self._transform = step @ self._transform
        corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [*size, 1]], np.float64)
        self._corners.append((corners @ self._transform.T)[:, :2])
        self._times.append(seconds)
        self._transforms.append(self._transform)
        self._scale = scale
        self._diagonal = float(np.hypot(*size))
        self._last, self._points = grey, _background_points(grey, boxes, scale)

    @property
    def moves(self) -> bool:
        """True if the camera moves by more than feet may while they stand."""
        shifts = self.shifts()
        return bool(len(shifts)) and float((shifts > _MOVING).mean()) > _MOVING_SHARE

    def turns(self, camera: Camera) -> Array:
        """Return rotation and zoom of the camera since the first frame, as `Take.camera_motion`.

        Parameters
        ----------
        camera : Camera
            Of the frames.

        Returns
        -------
        (F, 4) array
        """
        centre = np.append(np.asarray(camera.principal_point) * self._scale, 1.0)
        turns = np.empty((len(self._transforms), 4))
        for index, transform in enumerate(self._transforms):
            a, b = transform[0, 0], transform[1, 0]
            seen = (np.linalg.solve(transform, centre) - centre)[:2] / self._scale
            towards = rotation_from_axis_to(np.append(seen / camera.focal_length, 1.0))
            rotation = towards @ about_z(-float(np.arctan2(b, a)))
            turns[index, :3] = axis_angle_from_matrix(rotation)
            turns[index, 3] = np.hypot(a, b)
        return turns

    def shifts(self) -> Array:
        """Return how far the image's corners move within half a second, relative to the diagonal.

        One mean value (N,) for each frame that has another one half a second later.
        """
        times, corners = np.array(self._times), np.array(self._corners).reshape(-1, 4, 2)
        later = np.searchsorted(times, times + _WINDOW)
        first = np.flatnonzero(later < len(times))
        moved = np.linalg.norm(corners[later[first]] - corners[first], axis=-1).mean(axis=-1)
        return np.asarray(moved / self._diagonal)


def _background_points(grey: Image, boxes: Sequence[Array], scale: float) -> Array:
    """Return corners (P, 1, 2) float32 of the background in a reduced image."""
    mask = np.full(grey.shape, 255, np.uint8)
    for box in boxes:
        x0, y0, x1, y1 = np.asarray(box, np.float64) * scale
        margin = _BOX_MARGIN * max(x1 - x0, y1 - y0)
        low = np.maximum(np.floor([y0 - margin, x0 - margin]), 0).astype(int)
        high = np.maximum(np.ceil([y1 + margin, x1 + margin]), 0).astype(int)
        mask[low[0] : high[0], low[1] : high[1]] = 0
    found = cv2.goodFeaturesToTrack(grey, _MAX_POINTS, _QUALITY, _POINT_DISTANCE, mask=mask)
    return np.zeros((0, 1, 2), np.float32) if found is None else np.asarray(found, np.float32)


def _background_step(before: Image, after: Image, points: Array) -> Array:
    """Return the transform (3, 3) of the background from one frame to the next.

    The identity where too little of the background can be tracked: a plain wall, or a cut.
    """
    if len(points) < _MIN_POINTS:
        return np.eye(3)
    moved, there, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None)
    back, again, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, None)
    error = np.linalg.norm(back - points, axis=-1).ravel()
    good = (there.ravel() == 1) & (again.ravel() == 1) & (error < _MAX_BACKWARD_ERROR)
    if good.sum() < _MIN_POINTS:
        return np.eye(3)
    matrix, inliers = cv2.estimateAffinePartial2D(
        points[good], moved[good], method=cv2.RANSAC, ransacReprojThreshold=_INLIER_DISTANCE
    )
    if matrix is None or inliers.sum() < _MIN_POINTS:
        return np.eye(3)
    return np.asarray(np.vstack([matrix, [0.0, 0.0, 1.0]]))
