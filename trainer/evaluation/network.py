"""A network to be measured: a run's checkpoint through torch, or the file as shipped."""

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
from pymaf_live.types import Array
from trainer.export.onnx import export, load_network, round_weights
from trainer.network.pymaf import PyMAF
from trainer.training.checkpoint import read_progress
from trainer.training.config import read_run_config

Cuts = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Estimates:
    """What a network says of N crops; L levels, the finest last."""

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
    """(N, 33, 2) crop units, where the encoder finds landmarks and tells of them."""


class Network(Protocol):
    """Crops to estimates."""

    size: int
    """Side of the crops in pixels."""
    levels: int

    def estimate(self, cuts: Cuts) -> Estimates:
        """Look at crops (N, size, size, 3) uint8 RGB."""


class TorchNetwork:
    """A model in torch.

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

    @torch.no_grad()
    def estimate(self, cuts: Cuts) -> Estimates:
        """See `Network`."""
        output = self._model(torch.from_numpy(network_input(cuts)).to(self._device))
        levels, points = output.levels, output.encoded.points
        return Estimates(
            _numbers(torch.stack([level.rotations for level in levels])),
            _numbers(torch.stack([level.shape for level in levels])),
            _numbers(torch.stack([level.camera for level in levels])),
            _numbers(torch.sigmoid(output.score[:, 0])),
            _numbers(torch.sigmoid(output.joint_score)),
            None if points is None else _numbers(points),
        )


class OnnxNetwork:
    """An exported file by ONNX Runtime; the last level alone unless exported with all.

    Raises
    ------
    ModelError
        If it is no such file, or of another body.
    """

    def __init__(self, path: Path, body: Body, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            facts = self._session.get_modelmeta().custom_metadata_map
            self.size, self.levels = int(facts["input_size"]), int(facts["levels"])
            body_sha256 = facts["body_sha256"]
        except KeyError as error:
            raise ModelError(f"{path} lacks {error} in its metadata") from error
        # ONNX Runtime's own exceptions share no base of their own
        except Exception as error:
            first = str(error).splitlines()[0]
            raise ModelError(f"{path} is not a model that ONNX Runtime opens: {first}") from error
        if body_sha256 != body.sha256:
            raise ModelError(f"{path} was made for another body")
        before = range(1, self.levels)
        self._names = [
            [*(f"{kind}_{k}" for k in before), kind] for kind in ("rotations", "shape", "camera")
        ]

    def estimate(self, cuts: Cuts) -> Estimates:
        """See `Network`."""
        wanted = [*(name for names in self._names for name in names), "score", "joint_score"]
        found = self._session.run(wanted, {"image": network_input(cuts)})
        by_name = dict(zip(wanted, found, strict=True))
        rotations, shape, camera = (
            np.stack([by_name[name] for name in names]).astype(np.float64) for names in self._names
        )
        score = by_name["score"][:, 0].astype(np.float64)
        return Estimates(rotations, shape, camera, score, by_name["joint_score"].astype(np.float64))


@dataclass(frozen=True)
class EvaluatedModel:
    """What is measured, and what goes with it."""

    network: Network
    body: Body
    path: Path
    landmark_folder: Path

    @contextmanager
    def file(self) -> Iterator[Path]:
        """The ONNX file for the program: itself, or one made of the checkpoint for the while."""
        if self.path.suffix == ".onnx":
            yield self.path
            return
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.path.parent.name or 'run'}.onnx"
            export(self.path, path, landmark_file=landmark_file_of(self.path, self.landmark_folder))
            yield path


def open_network(path: Path, landmark_folder: Path) -> EvaluatedModel:
    """Open an exported ``.onnx`` or a run's ``checkpoint.safetensors``.

    A checkpoint's averaged weights are measured, rounded as the exported file holds them.

    Parameters
    ----------
    path : Path
    landmark_folder : Path
        Folder of BlazePose's ``.tflite`` files, for the graph of a checkpoint's encoder.

    Raises
    ------
    InputError, ModelError
        If the file is missing or does not fit.
    """
    if not path.is_file():
        raise ModelError(f"there is no model {path}")
    if path.suffix == ".onnx":
        body = default_body()
        return EvaluatedModel(OnnxNetwork(path, body), body, path, landmark_folder)
    model, body, _ = load_network(path, landmark_file_of(path, landmark_folder))
    round_weights(model)
    return EvaluatedModel(TorchNetwork(model), body, path, landmark_folder)


def landmark_file_of(checkpoint: Path, folder: Path) -> Path | None:
    """BlazePose's file of a checkpoint's encoder; None for other encoders."""
    config = read_run_config(read_progress(checkpoint).config, str(checkpoint))
    encoder = config.network.encoder
    if not encoder.startswith("blazepose_"):
        return None
    return folder / f"pose_landmark_{encoder.removeprefix('blazepose_')}.tflite"


def _numbers(tensor: torch.Tensor) -> Array:
    return np.asarray(tensor.cpu().numpy(), dtype=np.float64)
