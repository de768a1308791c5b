"""BlazePose's lite landmarker on a turned crop, run by OpenVINO."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.tracking import task_bundle
from pymaf_live.tracking.blazepose_detector import square_of
from pymaf_live.types import Array, Crop, Image

NUMBERS_A_POINT = 5
"""x, y, z, visibility, presence."""

BODY_POINTS = 33
"""Points of the body; the file's further points describe the next region."""

# BlazePose's numbering, as MediaPipe documents it
_EARS = (7, 8)
_SHOULDERS = (11, 12)
_HIPS = (23, 24)
# LSP goes from the right ankle up to the hips and down the left, and so with the arms
_LSP_LIMBS = (28, 26, 24, 23, 25, 27, 16, 14, 12, 11, 13, 15)
_LIMBS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)

_EAR_TO_CROWN = 0.6
"""Ears to crown as a multiple of shoulders to ears, of an adult with a straight neck."""


def trunk_of(points: Array) -> Array:
    """Mid-hip and mid-shoulder (2, 2) of BlazePose's points (K, 2)."""
    return np.stack([points[list(_HIPS)].mean(axis=0), points[list(_SHOULDERS)].mean(axis=0)])


def spanning_points(points: Array) -> Array:
    """Of BlazePose's points, what the crop rule spans: twelve limb joints and the crown (13, 2).

    BlazePose has no crown; it is carried on from the shoulders past the ears.
    """
    ears = points[list(_EARS)].mean(axis=0)
    crown = ears + _EAR_TO_CROWN * (ears - points[list(_SHOULDERS)].mean(axis=0))
    return np.concatenate([points[list(_LIMBS)], crown[None]])


def as_lsp(points: Array) -> Array:
    """Of BlazePose's points (33, 2), LSP's fourteen (14, 2) as near as they come."""
    spanning = spanning_points(points)
    neck = points[list(_SHOULDERS)].mean(axis=0)
    return np.concatenate([points[list(_LSP_LIMBS)], neck[None], spanning[-1:]])


def joints_box(points: Array) -> Array:
    """Box (4,) x0, y0, x1, y1 of the limb joints and the crown."""
    spanning = spanning_points(points)
    return np.concatenate([spanning.min(axis=0), spanning.max(axis=0)])


_POINTS, _PRESENCE = "Identity", "Identity_1"
"""What the landmark network calls these outputs."""


@dataclass(frozen=True)
class Landmarks:
    """What the landmarker sees in one crop."""

    points: Array
    """(K, 2) frame pixels."""
    visibility: Array
    """(K,) 0..1."""
    presence: float
    """0..1, that a person is in the crop."""

    @property
    def trunk(self) -> Array:
        """(2, 2) mid-hip and mid-shoulder in frame pixels."""
        return trunk_of(self.points)


class Landmarker:
    """The landmark network of the bundle."""

    def __init__(
        self, path: Path | None = None, threads: int = 0, cache: Path | None = None
    ) -> None:
        # its outline of the person, which nobody reads, takes half of the whole
        model = task_bundle.compiled(
            task_bundle.LANDMARKS, path, threads, cache, (_POINTS, _PRESENCE)
        )
        self.size = int(model.input(0).shape[1])
        self._request = model.create_infer_request()
        # outputs are told apart by their names' meaning in the file, since their order differs
        names = [next(iter(output.get_names())) for output in model.outputs]
        self._points, self._presence = names.index(_POINTS), names.index(_PRESENCE)

    def look(self, image: Image, crop: Crop) -> Landmarks:
        """Landmarks of the person in a crop whose size must be `size`."""
        pixels: npt.NDArray[np.float32] = square_of(image, crop)[None].astype(np.float32)
        self._request.infer([pixels * np.float32(1 / 255)])
        raw: Any = self._request.get_output_tensor(self._points).data
        presence: Any = self._request.get_output_tensor(self._presence).data
        numbers = np.array(raw, dtype=np.float64).reshape(-1, NUMBERS_A_POINT)
        # the file counts from the crop's edge; pixel centres lie at integers here
        points = crop.to_frame(numbers[:, :2] - 0.5)
        visibility = 1 / (1 + np.exp(-np.clip(numbers[:, 3], -50, 50)))
        return Landmarks(points, visibility, float(presence.ravel()[0]))
