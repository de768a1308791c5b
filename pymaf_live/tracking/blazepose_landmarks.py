"""BlazePose's lite landmarker on a rotated crop, run by OpenVINO."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS
from pymaf_live.tracking import task_bundle
from pymaf_live.tracking.blazepose_detector import sample_square
from pymaf_live.tracking.blazepose_output import (
    BODY_POINTS,
    POINTS_OUTPUT,
    PRESENCE_OUTPUT,
    decode_points,
)
from pymaf_live.types import Array, Crop, Detection, Image

MIN_PRESENCE = 0.5
"""Presence below which a crop contains no person (MediaPipe's default)."""

# BlazePose's numbering, as MediaPipe documents it
_EARS = (7, 8)
_SHOULDERS = (11, 12)
_HIPS = (23, 24)
_LIMBS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)

_EAR_TO_CROWN = 0.6
"""Distance from ears to crown as a multiple of shoulders to ears, for an adult with a straight
neck."""


def trunk_of(points: Array) -> Array:
    """Return mid-hip and mid-shoulder (2, 2) of BlazePose points (K, 2)."""
    return np.stack([points[list(_HIPS)].mean(axis=0), points[list(_SHOULDERS)].mean(axis=0)])


def spanning_points(points: Array) -> Array:
    """Return the points that the crop rule encloses: twelve limb joints and the crown (13, 2).

    BlazePose has no crown; it is extrapolated from the shoulders past the ears.
    """
    ears = points[list(_EARS)].mean(axis=0)
    crown = ears + _EAR_TO_CROWN * (ears - points[list(_SHOULDERS)].mean(axis=0))
    return np.concatenate([points[list(_LIMBS)], crown[None]])


def as_lsp(points: Array) -> Array:
    """Approximate LSP's key points (14, 2) from BlazePose points (33, 2)."""
    spanning = spanning_points(points)
    neck = points[list(_SHOULDERS)].mean(axis=0)
    return np.concatenate([points[list(BLAZEPOSE_LSP_LIMBS)], neck[None], spanning[-1:]])


def joints_box(points: Array) -> Array:
    """Return the box (4,) x0, y0, x1, y1 of the limb joints and the crown."""
    spanning = spanning_points(points)
    return np.concatenate([spanning.min(axis=0), spanning.max(axis=0)])


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of the person in one crop."""

    points: Array
    """(K, 2) frame pixels."""
    visibility: Array
    """(K,) 0..1."""
    presence: float
    """0..1, probability of a person in the crop."""

    @property
    def trunk(self) -> Array:
        """(2, 2) mid-hip and mid-shoulder in frame pixels."""
        return trunk_of(self.points)


def detection_from_landmarks(landmarks: Landmarks) -> Detection:
    """Return landmarks as a detection with box, trunk and the 33 body points."""
    points = landmarks.points[:BODY_POINTS]
    return Detection(joints_box(points), landmarks.presence, landmarks.trunk, points)


class Landmarker:
    """The bundle's landmark network.

    Parameters
    ----------
    path, threads, cache
        See `task_bundle.compile_bundled_model`.
    """

    def __init__(
        self, path: Path | None = None, threads: int = 0, cache: Path | None = None
    ) -> None:
        # its segmentation output, which we do not use, takes half of the run time
        model = task_bundle.compile_bundled_model(
            task_bundle.LANDMARKS, path, threads, cache, (POINTS_OUTPUT, PRESENCE_OUTPUT)
        )
        self.size = int(model.input(0).shape[1])
        """Side of the input in pixels."""
        self._request = model.create_infer_request()
        # outputs are identified by name, since their order differs between OpenVINO releases
        names = [next(iter(output.get_names())) for output in model.outputs]
        self._points, self._presence = names.index(POINTS_OUTPUT), names.index(PRESENCE_OUTPUT)

    def detect(self, image: Image, crop: Crop) -> Landmarks:
        """Return the landmarks of the person in a crop whose size must be `size`."""
        pixels: npt.NDArray[np.float32] = sample_square(image, crop)[None].astype(np.float32)
        self._request.infer([pixels * np.float32(1 / 255)])
        raw: Any = self._request.get_output_tensor(self._points).data
        presence: Any = self._request.get_output_tensor(self._presence).data
        points, visibility = decode_points(raw)
        return Landmarks(crop.to_frame(points[:, :2]), visibility, float(presence.ravel()[0]))
