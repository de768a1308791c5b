"""What a model may count in: its encoder in int8, or all of it in the processor's bf16.

Both only where that leaves the bodies where they are on held-out crops. In int8, convolutions are
nearly all of the work, and what stands behind them stays f32: regressors and pulls feed their
errors back into themselves. The ranges of values come from crops that were learned from.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
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
from pymaf_live.system.openvino_import import import_openvino
from trainer.data.lspet import VALIDATION, ImageStore, JointSet, annotated_crop, read_joint_set

Crops = npt.NDArray[np.float32]

WORST_MILLIMETRES = 3.0
"""How far the mean vertex may lie from where f32 has it, in the mean over the crops."""
CHECKED = 200
"""Held-out crops that this is judged on."""
_LEARNED_FROM = 64
_ENCODER = "/model/encoder/"
"""What the nodes of an exported encoder are called."""


@dataclass(frozen=True)
class _Quantised:
    """What became of a model in int8."""

    model: ModelProto
    millimetres: float
    """Between its mean vertex and that of f32, in the mean over the held-out crops."""


def quantize_encoder(model: ModelProto, crops: Crops) -> ModelProto:
    """The model with an int8 encoder, by NNCF's post-training quantisation.

    Parameters
    ----------
    model : ModelProto
        As `trainer.export.onnx` makes it, with its weights in f32 (`read_model`).
    crops : (N, 3, S, S) array
        That ranges of values are taken from.

    Raises
    ------
    ModelError
        If NNCF is not installed, or finds nothing to make int8.
    """
    import_openvino()
    try:
        import nncf
    except ImportError as error:
        raise ModelError(f"int8 needs NNCF (pip install '.[train]'): {error}") from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    behind = [node.name for node in model.graph.node if not node.name.startswith(_ENCODER)]
    # its progress goes where it does not mix with what a command tells
    with contextlib.redirect_stdout(sys.stderr):
        made: ModelProto = nncf.quantize(
            model,
            nncf.Dataset([{"image": crop[None]} for crop in crops]),
            subset_size=len(crops),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=behind, validate=False),
        )
    if not any(node.op_type == "QuantizeLinear" for node in made.graph.node):
        raise ModelError("NNCF found nothing in the encoder to make int8")
    return made


def compared(
    model: ModelProto, other: ModelProto, crops: Crops, body: Body, precision: str = "f32"
) -> float:
    """Millimetres between two models' mean vertices, in the mean over crops, by OpenVINO.

    The first counts in f32, the other in `precision`.
    """
    vertices = PointSet.vertices(body)
    one, two = _run(model), _run(other, precision)
    apart = []
    for crop in crops:
        first, second = (vertices.pose(*run(crop[None])) for run in (one, two))
        apart.append(np.linalg.norm(first - second, axis=-1).mean())
    return float(1000 * np.mean(apart))


def quantize(path: Path, out: Path, lspet: Path) -> float:
    """Write a model with an int8 encoder, if it says what the model says.

    Parameters
    ----------
    path : Path
        An exported ``.onnx``.
    out : Path
    lspet : Path
        The packed set: crops that are learned from give ranges, held-out ones judge.

    Returns
    -------
    float
        Millimetres between the mean vertices.

    Raises
    ------
    ModelError
        If they are more than `WORST_MILLIMETRES`; nothing is written then.
    """
    model, joint_set = read_model(path), read_joint_set(lspet)
    held_out = len(joint_set) - VALIDATION
    learned = range(0, held_out, max(held_out // _LEARNED_FROM, 1))[:_LEARNED_FROM]
    made = quantize_encoder(model, annotated_crops(joint_set, learned, _size(model)))
    apart = compared(model, made, _judging_crops(model, joint_set), default_body())
    _require_near("int8", path, apart)
    onnx.helper.set_model_props(
        made, {**_entries(model), "int8_of": file_sha256(path.read_bytes()), "precisions": ""}
    )
    with atomic_write(out) as temporary:
        onnx.save(made, temporary)
    return apart


def allow_precision(path: Path, precision: str, lspet: Path) -> float:
    """Write into a model's metadata that it may count in a lower precision, if it may.

    Parameters
    ----------
    path : Path
        An exported ``.onnx``; only its metadata are changed.
    precision : str
        Of `LOWER_PRECISIONS`; this processor must have it.
    lspet : Path
        The packed set, whose held-out crops judge.

    Returns
    -------
    float
        Millimetres between the mean vertices in that precision and in f32.

    Raises
    ------
    ModelError
        If they are more than `WORST_MILLIMETRES`, or the processor cannot; nothing changes then.
    """
    if precision not in supported_precisions():
        raise ModelError(f"this processor does not count in {precision}")
    model, joint_set = read_model(path), read_joint_set(lspet)
    crops = _judging_crops(model, joint_set)
    apart = compared(model, model, crops, default_body(), precision)
    _require_near(precision, path, apart)
    stored = onnx.load(path)
    entries = _entries(stored)
    allowed = {*filter(None, entries.get("precisions", "").split(",")), precision}
    onnx.helper.set_model_props(stored, {**entries, "precisions": ",".join(sorted(allowed))})
    with atomic_write(path) as temporary:
        onnx.save(stored, temporary)
    return apart


def _require_near(precision: str, path: Path, apart: float) -> None:
    if not apart < WORST_MILLIMETRES:
        raise ModelError(
            f"{precision} moves the mean vertex of {path.name} by {apart:.1f} mm on {CHECKED} "
            f"held-out crops, more than {WORST_MILLIMETRES:g}: nothing is written"
        )


def _judging_crops(model: ModelProto, joint_set: JointSet) -> Crops:
    held_out = len(joint_set) - VALIDATION
    judged = range(held_out, len(joint_set), max(VALIDATION // CHECKED, 1))[:CHECKED]
    return annotated_crops(joint_set, judged, _size(model))


def _size(model: ModelProto) -> int:
    return int(model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value)


def _entries(model: ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def annotated_crops(joint_set: JointSet, rows: Sequence[int], size: int) -> Crops:
    """Annotated crops of a set's rows as a network takes them, (N, 3, S, S)."""
    pictures = ImageStore(joint_set)
    cuts = [cut(pictures[row], annotated_crop(joint_set.joints[row], size)) for row in rows]
    return network_input(np.stack(cuts))


def _run(model: ModelProto, precision: str = "f32") -> Any:
    """Crops (1, 3, S, S) to rotations (J, 3, 3) and shape (S,), by OpenVINO."""
    core = import_openvino().Core()
    read = core.read_model(model.SerializeToString())
    names = [port.any_name for port in read.outputs]
    read.reshape({port: [1, *list(port.partial_shape)[1:]] for port in read.inputs})
    request = core.compile_model(
        read, "CPU", {"INFERENCE_PRECISION_HINT": precision}
    ).create_infer_request()
    wanted = [names.index("rotations"), names.index("shape")]

    def run(crop: Crops) -> tuple[npt.NDArray[np.float64], ...]:
        request.infer({"image": crop})
        found = (request.get_output_tensor(number).data[0] for number in wanted)
        return tuple(np.array(values, dtype=np.float64) for values in found)

    return run
