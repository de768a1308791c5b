"""Lower precisions of an exported model: the encoder in int8, or the whole model in bf16.

Both are allowed only if the bodies stay in place on held-out crops. In int8, convolutions are
nearly all of the work, and everything after them stays f32: regressors and IK steps feed their
errors back into themselves. Value ranges come from training crops.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto

from pymaf_live.body import Body, PointSet, default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference.engine_cache import file_sha256
from pymaf_live.inference.half_precision import read_model
from pymaf_live.inference.openvino_engine import supported_precisions
from pymaf_live.inference.preprocess import cut, network_input
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.openvino_import import import_openvino, open_core
from trainer.data.lspet import (
    VALIDATION_COUNT,
    ImageStore,
    JointSet,
    annotated_crop,
    read_joint_set,
)

Crops = npt.NDArray[np.float32]

MAX_DISTANCE_MM = 3.0
"""Largest allowed distance of the mean vertex from its position in f32, averaged over the crops."""
CHECKED_CROPS = 200
"""Held-out crops that the distance is measured on."""
_CALIBRATION_CROPS = 64
_ENCODER = "/model/encoder/"
"""Prefix of the encoder's nodes in an exported file."""


def quantize_encoder(model: ModelProto, crops: Crops) -> ModelProto:
    """Return the model with an int8 encoder, by NNCF's post-training quantization.

    Parameters
    ----------
    model : ModelProto
        From `trainer.export.onnx`, with its weights in f32 (`read_model`).
    crops : (N, 3, S, S) array
        For the value ranges.

    Raises
    ------
    ModelError
        If NNCF is not installed, or finds nothing to quantize.
    """
    import_openvino()
    try:
        import nncf
    except ImportError as error:
        raise ModelError(f"int8 needs NNCF (pip install '.[train]'): {error}") from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    ignored = [node.name for node in model.graph.node if not node.name.startswith(_ENCODER)]
    # NNCF's progress must not mix with a command's output
    with contextlib.redirect_stdout(sys.stderr):
        quantized: ModelProto = nncf.quantize(
            model,
            nncf.Dataset([{"image": crop[None]} for crop in crops]),
            subset_size=len(crops),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
        )
    if not any(node.op_type == "QuantizeLinear" for node in quantized.graph.node):
        raise ModelError("NNCF found nothing in the encoder to quantize")
    return quantized


def vertex_distance(
    model: ModelProto, other: ModelProto, crops: Crops, body: Body, precision: str = "f32"
) -> float:
    """Return the mean distance of two models' vertices over crops in mm, run by OpenVINO.

    The first model runs in f32, the other in `precision`.
    """
    vertices = PointSet.vertices(body)
    runs = _compile(model), _compile(other, precision)
    distances = []
    for crop in crops:
        first, second = (vertices.pose(*run(crop[None])) for run in runs)
        distances.append(np.linalg.norm(first - second, axis=-1).mean())
    return float(1000 * np.mean(distances))


def quantize(path: Path, out: Path, lspet: Path) -> float:
    """Write a model with an int8 encoder, if its bodies stay in place.

    Parameters
    ----------
    path : Path
        Exported ``.onnx``.
    out : Path
    lspet : Path
        Folder of the packed set: training crops for value ranges, held-out ones for the check.

    Returns
    -------
    float
        Mean distance of the vertices in mm.

    Raises
    ------
    ModelError
        If it is more than `MAX_DISTANCE_MM`; nothing is written then.
    """
    model, joint_set = read_model(path), read_joint_set(lspet)
    quantized = quantize_encoder(model, training_crops(joint_set, _CALIBRATION_CROPS, _size(model)))
    distance = vertex_distance(
        model, quantized, _held_out_crops(model, joint_set), default_body()
    )  # fmt: skip
    _require_small(distance, "int8", path)
    entries = {**_metadata(model), "int8_of": file_sha256(path.read_bytes()), "precisions": ""}
    onnx.helper.set_model_props(quantized, entries)
    with atomic_write(out) as temporary:
        onnx.save(quantized, temporary)
    return distance


def allow_precision(path: Path, precision: str, lspet: Path) -> float:
    """Allow a model to run in a lower precision, in its metadata, if its bodies stay in place.

    Parameters
    ----------
    path : Path
        Exported ``.onnx``; only its metadata change.
    precision : str
        One of `LOWER_PRECISIONS` that this processor supports.
    lspet : Path
        Folder of the packed set, whose held-out crops are the check.

    Returns
    -------
    float
        Mean distance of the vertices in that precision and in f32, in mm.

    Raises
    ------
    ModelError
        If it is more than `MAX_DISTANCE_MM`, or the processor lacks the precision; nothing changes
        then.
    """
    if precision not in supported_precisions():
        raise ModelError(f"this processor does not support {precision}")
    model, joint_set = read_model(path), read_joint_set(lspet)
    crops = _held_out_crops(model, joint_set)
    distance = vertex_distance(model, model, crops, default_body(), precision)
    _require_small(distance, precision, path)
    stored = onnx.load(path)
    entries = _metadata(stored)
    allowed = {*filter(None, entries.get("precisions", "").split(",")), precision}
    onnx.helper.set_model_props(stored, {**entries, "precisions": ",".join(sorted(allowed))})
    with atomic_write(path) as temporary:
        onnx.save(stored, temporary)
    return distance


def _require_small(distance: float, precision: str, path: Path) -> None:
    if not distance < MAX_DISTANCE_MM:
        raise ModelError(
            f"{precision} moves the mean vertex of {path.name} by {distance:.1f} mm on "
            f"{CHECKED_CROPS} held-out crops, more than {MAX_DISTANCE_MM:g}: nothing is written"
        )


def _held_out_crops(model: ModelProto, joint_set: JointSet) -> Crops:
    held_out = len(joint_set) - VALIDATION_COUNT
    step = max(VALIDATION_COUNT // CHECKED_CROPS, 1)
    rows = range(held_out, len(joint_set), step)[:CHECKED_CROPS]
    return annotated_crops(joint_set, rows, _size(model))


def _size(model: ModelProto) -> int:
    return int(model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value)


def _metadata(model: ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def training_crops(joint_set: JointSet, count: int, size: int) -> Crops:
    """Return crops of people that are not held out as network input, (count, 3, S, S)."""
    held_out = len(joint_set) - VALIDATION_COUNT
    step = max(held_out // count, 1)
    return annotated_crops(joint_set, range(0, held_out, step)[:count], size)


def annotated_crops(joint_set: JointSet, rows: Sequence[int], size: int) -> Crops:
    """Return annotated crops of a set's rows as network input, (N, 3, S, S)."""
    images = ImageStore(joint_set)
    cuts = [cut(images[row], annotated_crop(joint_set.joints[row], size)) for row in rows]
    return network_input(np.stack(cuts))


def _compile(model: ModelProto, precision: str = "f32") -> Any:
    """Return a function from a crop (1, 3, S, S) to rotations (J, 3, 3) and shape (S,)."""
    core = open_core()
    network = core.read_model(model.SerializeToString())
    names = [port.any_name for port in network.outputs]
    network.reshape({port: [1, *list(port.partial_shape)[1:]] for port in network.inputs})
    request = core.compile_model(
        network, "CPU", {"INFERENCE_PRECISION_HINT": precision}
    ).create_infer_request()
    indices = [names.index("rotations"), names.index("shape")]

    def run(crop: Crops) -> tuple[npt.NDArray[np.float64], ...]:
        request.infer({"image": crop})
        outputs = (request.get_output_tensor(index).data[0] for index in indices)
        return tuple(np.array(values, dtype=np.float64) for values in outputs)

    return run
