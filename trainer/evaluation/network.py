"""Networks under evaluation: a run's checkpoint in torch, or an exported file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from pymaf_live.body import Body, default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference.preprocess import network_input
from pymaf_live.system.onnxruntime_import import import_onnxruntime
from pymaf_live.tracking.crop import CropRule
from pymaf_live.types import Array
from trainer.export.onnx import export, load_network, round_weights
from trainer.network.pymaf import PyMAF
from trainer.training.checkpoint import checkpoint_landmark_file

CropImages = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Estimates:
    """Estimates of N crops at L levels, the finest last."""

    rotations: Array
    """(L, N, J, 3, 3) relative to the parent; the root's in the crop's frame."""
    shape: Array
    """(L, N, S)"""
    camera: Array
    """(L, N, 3) s, tx, ty in crop units."""
    score: Array
    """(N,) 0..1"""
    joint_score: Array
    """(N, J) 0..1"""
    landmarks: Array | None = None
    """(N, 33, 2) crop units, of encoders that output landmarks."""


class Network(Protocol):
    """Estimates bodies from crops."""

    size: int
    """Side of the crops in pixels."""
    levels: int
    rule: CropRule
    """Crop rule that the network was trained with; the protocols make their crops by it."""

    def estimate(self, crops: CropImages) -> Estimates:
        """Run the network on crops (N, size, size, 3), uint8 RGB."""


class TorchNetwork:
    """Network in torch.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    device : str
    """

    def __init__(self, model: PyMAF, device: str = "cpu") -> None:
        self._model, self._device = model, device
        self.size = model.encoder.size
        self.levels = model.config.levels
        self.rule = model.config.rule

    @torch.no_grad()
    def estimate(self, crops: CropImages) -> Estimates:
        """Run the network on crops (N, size, size, 3), uint8 RGB."""
        output = self._model(torch.from_numpy(network_input(crops)).to(self._device))
        levels, points = output.levels, output.encoded.points
        return Estimates(
            _to_numpy(torch.stack([level.rotations for level in levels])),
            _to_numpy(torch.stack([level.shape for level in levels])),
            _to_numpy(torch.stack([level.camera for level in levels])),
            _to_numpy(torch.sigmoid(output.score[:, 0])),
            _to_numpy(torch.sigmoid(output.joint_score)),
            None if points is None else _to_numpy(points),
        )


class OnnxNetwork:
    """Exported file run by ONNX Runtime; only the last level unless exported with all.

    Raises
    ------
    ModelError
        If the file is not an exported model, was made for another body, or has an unknown crop
        rule.
    """

    def __init__(self, path: Path, body: Body, threads: int = 0) -> None:
        onnxruntime = import_onnxruntime()

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.size, self.levels = int(metadata["input_size"]), int(metadata["levels"])
            body_sha256, rule = metadata["body_sha256"], metadata["crop_rule"]
        except KeyError as error:
            raise ModelError(f"{path} lacks {error} in its metadata") from error
        # ONNX Runtime's exceptions have no common base class
        except Exception as error:
            first = str(error).splitlines()[0]
            raise ModelError(f"{path} is not a model that ONNX Runtime opens: {first}") from error
        if body_sha256 != body.sha256:
            raise ModelError(f"{path} was made for another body")
        parsed = CropRule.parse(rule)
        if parsed is None:
            raise ModelError(f"{path} has the crop rule {rule!r}, which is unknown")
        self.rule = parsed
        earlier = range(1, self.levels)
        self._names = [
            [*(f"{kind}_{k}" for k in earlier), kind] for kind in ("rotations", "shape", "camera")
        ]

    def estimate(self, crops: CropImages) -> Estimates:
        """Run the network on crops (N, size, size, 3), uint8 RGB."""
        outputs = [*(name for names in self._names for name in names), "score", "joint_score"]
        values = self._session.run(outputs, {"image": network_input(crops)})
        by_name = dict(zip(outputs, values, strict=True))
        rotations, shape, camera = (
            np.stack([by_name[name] for name in names]).astype(np.float64) for names in self._names
        )
        score = by_name["score"][:, 0].astype(np.float64)
        return Estimates(rotations, shape, camera, score, by_name["joint_score"].astype(np.float64))


@dataclass(frozen=True)
class EvaluatedModel:
    """Network under evaluation, with its body and its file."""

    network: Network
    body: Body
    path: Path
    landmark_folder: Path

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Yield the ONNX file for the program: its own, or a temporary export of the checkpoint."""
        if self.path.suffix == ".onnx":
            yield self.path
            return
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.path.parent.name or 'run'}.onnx"
            landmarks = checkpoint_landmark_file(self.path, self.landmark_folder)
            export(self.path, path, landmark_file=landmarks)
            yield path


def open_network(path: Path, landmark_folder: Path) -> EvaluatedModel:
    """Open an exported ``.onnx`` or a run's ``checkpoint.safetensors``.

    Of a checkpoint the averaged weights are evaluated, rounded as the exported file stores them.

    Parameters
    ----------
    path : Path
    landmark_folder : Path
        Folder of BlazePose's ``.tflite`` files, for the graph of a checkpoint's encoder.

    Raises
    ------
    InputError, ModelError
        If the file is missing or unusable.
    """
    if not path.is_file():
        raise ModelError(f"there is no model {path}")
    if path.suffix == ".onnx":
        body = default_body()
        return EvaluatedModel(OnnxNetwork(path, body), body, path, landmark_folder)
    model, body, _ = load_network(path, checkpoint_landmark_file(path, landmark_folder))
    round_weights(model)
    return EvaluatedModel(TorchNetwork(model), body, path, landmark_folder)


def _to_numpy(tensor: torch.Tensor) -> Array:
    return np.asarray(tensor.cpu().numpy(), dtype=np.float64)
