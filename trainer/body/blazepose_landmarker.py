"""BlazePose landmark networks, run by OpenVINO as teachers and for comparison."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.system.openvino_import import open_core
from pymaf_live.tracking.blazepose_output import (
    BODY_POINTS,
    POINTS_OUTPUT,
    PRESENCE_OUTPUT,
    WORLD_OUTPUT,
    decode_points,
)
from pymaf_live.types import Array, Image

LANDMARKS = BODY_POINTS
_HEAT_OUTPUT = "Identity_3"
SIZE = 256
"""Side of the input in pixels."""

MIRROR = (
    0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23, 26,
    25, 28, 27, 30, 29, 32, 31,
)  # fmt: skip
"""The landmark on the other side (MediaPipe's published order)."""


@dataclass(frozen=True)
class LandmarkBatch:
    """Landmarks of B crops."""

    points: Array
    """(B, 33, 3) x, y, z in crop pixels, z on the scale of x."""
    world: Array
    """(B, 33, 3) metres from the centre of the hips, crop frame: x right, y down, z away."""
    visibility: Array
    """(B, 33) 0..1"""
    presence: Array
    """(B,) 0..1, probability that a person is in the crop."""
    heat_maps: Array | None = None
    """(B, 64, 64, 33) 0..1, float32, if they were asked for."""


class BlazePoseLandmarker:
    """Landmark network in a .tflite file, compiled for batch 1: batches gain nothing on two cores.

    Parameters
    ----------
    path : Path
        A ``pose_landmark_*.tflite``.
    threads : int
        0 lets OpenVINO choose.
    precision : str
        OpenVINO's inference precision.
    heat_maps : bool
        True to return the heat maps too, half a megabyte a crop.

    Raises
    ------
    ModelError
        If the file is missing or not a model.
    """

    def __init__(
        self, path: Path, threads: int = 0, precision: str = "f32", *, heat_maps: bool = False
    ) -> None:
        if not path.is_file():
            raise ModelError(f"the landmark file {path} does not exist")
        core = open_core()
        # f32: on CPUs with bf16, OpenVINO would use it and move landmarks by pixels
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
        if threads:
            config["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            self._model = core.compile_model(core.read_model(path), "CPU", config)
        except RuntimeError as error:
            raise ModelError(f"{path} is not a landmark model: {error}") from error
        self._request = self._model.create_infer_request()
        self._heat_maps = heat_maps

    def run(self, cuts: Iterable[Image]) -> LandmarkBatch:
        """Return the landmarks of crops (256, 256, 3), uint8 RGB."""
        outputs = [self._run_one(cut.astype(np.float32)[None] / 255) for cut in cuts]
        points, world, visibility, presence, maps = zip(*outputs, strict=True)
        return LandmarkBatch(
            points=np.stack(points),
            world=np.stack(world),
            visibility=np.stack(visibility),
            presence=np.stack(presence),
            heat_maps=np.stack(maps) if self._heat_maps else None,
        )

    def run_with_mirror(self, cuts: Iterable[Image]) -> tuple[LandmarkBatch, LandmarkBatch]:
        """Return the landmarks of crops and of their mirror images, the latter mirrored back.

        The differences measure the uncertainty of the network.
        """
        cuts = list(cuts)
        mirrored = self.run([cut[:, ::-1] for cut in cuts])
        order = list(MIRROR)
        points, world = mirrored.points[:, order].copy(), mirrored.world[:, order].copy()
        points[..., 0] = (SIZE - 1) - points[..., 0]
        world[..., 0] = -world[..., 0]
        heat = mirrored.heat_maps
        back = LandmarkBatch(
            points,
            world,
            mirrored.visibility[:, order],
            mirrored.presence,
            None if heat is None else heat[:, :, ::-1, order],
        )
        return self.run(cuts), back

    def _run_one(self, image: Array) -> tuple[Array, Array, Array, np.float64, Array | None]:
        self._request.infer([image])
        by_name = {
            next(iter(output.get_names())): self._request.get_tensor(output).data
            for output in self._model.outputs
        }
        points, visibility = decode_points(by_name[POINTS_OUTPUT])
        world = by_name[WORLD_OUTPUT].reshape(-1, 3)[:LANDMARKS].astype(np.float64)
        presence = by_name[PRESENCE_OUTPUT].reshape(-1)[0].astype(np.float64)
        heat = None
        if self._heat_maps:
            logits = by_name[_HEAT_OUTPUT][0, ..., :LANDMARKS].astype(np.float32)
            heat = 1 / (1 + np.exp(-logits.clip(-30, 30)))
        return points[:LANDMARKS], world, visibility[:LANDMARKS], presence, heat
