"""Predictions of a network for annotated crops, stored so that inference runs once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch

from pymaf_live.body import Body
from pymaf_live.errors import InputError
from pymaf_live.inference.preprocess import cut, network_input
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.types import Array, Crop
from trainer.body.blazepose_landmarker import SIZE
from trainer.fitting.targets import CropAnnotations
from trainer.fitting.teacher import ImageReader

_BATCH = 32


@dataclass(frozen=True)
class Predictions:
    """Predictions for N annotated crops; the field names are those of the file."""

    rotations: Array
    """(N, J, 3, 3)"""
    shape: Array
    """(N, S)"""
    camera: Array
    """(N, 3) s, tx, ty in crop units."""
    score: Array
    """(N,) 0..1"""
    joint_score: Array
    """(N, J) 0..1"""


@torch.no_grad()
def predict(
    checkpoint: Path,
    landmark_file: Path | None,
    people: CropAnnotations,
    read_image: ImageReader,
    reporter: Reporter = SILENT,
) -> Predictions:
    """Run a checkpoint's network on every annotated crop.

    Parameters
    ----------
    checkpoint : Path
    landmark_file : Path, optional
        BlazePose's .tflite file of the network's encoder.
    people : CropAnnotations
    read_image : ImageReader
    reporter : Reporter
    """
    from trainer.export.onnx import load_network  # imports onnx

    model, _, _ = load_network(checkpoint, landmark_file)
    size = model.encoder.size
    found: list[list[Array]] = []
    for start in report_each(range(0, len(people), _BATCH), reporter, "network"):
        rows = range(start, min(start + _BATCH, len(people)))
        crops = [_resized(Crop(people.frame_from_crop[row], SIZE), size) for row in rows]
        cuts = [cut(read_image(row), crop) for row, crop in zip(rows, crops, strict=True)]
        output = model(torch.from_numpy(network_input(np.stack(cuts))))
        last = output.levels[-1]
        scores = torch.sigmoid(output.score)[:, 0], torch.sigmoid(output.joint_score)
        tensors = last.rotations, last.shape, last.camera, *scores
        found.append([tensor.numpy() for tensor in tensors])
    return Predictions(*(np.concatenate(column) for column in zip(*found, strict=True)))


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions to an npz file."""
    with atomic_write(path) as temporary:
        arrays = {name: a.astype(np.float32) for name, a in asdict(predictions).items()}
        np.savez_compressed(temporary, **arrays)


def read_predictions(path: Path, body: Body, count: int) -> Predictions:
    """Read stored predictions of `count` people.

    Raises
    ------
    InputError
        If the file is missing, belongs to another data set or body, or is not finite.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {field.name: file[field.name] for field in fields(Predictions)}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} contains no network predictions: {error}") from error
    joints = body.joint_count
    sizes = {
        "rotations": (joints, 3, 3), "shape": (body.shape_count,), "camera": (3,), "score": (),
        "joint_score": (joints,),
    }  # fmt: skip
    for name, size in sizes.items():
        if arrays[name].shape != (count, *size):
            raise InputError(f"{path}: {name} is {arrays[name].shape}, not {(count, *size)}")
        if not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} is not finite")
    return Predictions(**arrays)


def _resized(crop: Crop, size: int) -> Crop:
    """Return the same square with another number of pixels."""
    if crop.size == size:
        return crop
    frame, ratio = crop.frame_from_crop.copy(), crop.size / size
    frame[:, 2] += frame[:, :2] @ np.full(2, (ratio - 1) / 2)
    frame[:, :2] *= ratio
    return Crop(frame, size)
