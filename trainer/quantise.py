"""A model file with its encoder in int8, where that leaves the bodies where they are.

Convolutions are nearly all of the work, and what stands behind them stays f32: regressors and pulls
feed their errors back into themselves. The ranges of values come from crops that were learned from,
and the file is written only if on held-out crops the mean vertex lies where f32 has it.
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

from pymaf_live.atomic import written_whole
from pymaf_live.body import Body, PointSet, load_body
from pymaf_live.errors import ModelError
from pymaf_live.network.half_precision import read_model
from pymaf_live.network.preprocess import cut, network_input
from pymaf_live.openvino_offline import import_openvino
from trainer.data.lspet import VALIDATION, JointSet, Pictures, annotated_crop, read_joint_set

Crops = npt.NDArray[np.float32]

WORST_MILLIMETRES = 3.0
"""How far the mean vertex may lie from where f32 has it, in the mean over the crops."""
CHECKED = 200
"""Held-out crops that this is judged on."""
_LEARNED_FROM = 64
_ENCODER = "/model/encoder/"
"""What the nodes of an exported encoder are called."""


@dataclass(frozen=True)
class Quantised:
    """What became of a model in int8."""

    model: ModelProto
    millimetres: float
    """Between its mean vertex and that of f32, in the mean over the held-out crops."""


def quantised(model: ModelProto, crops: Crops) -> ModelProto:
    """The model with an int8 encoder, by NNCF's post-training quantisation.

    Parameters
    ----------
    model : ModelProto
        As `trainer.export` makes it, with its weights in f32 (`read_model`).
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


def compared(model: ModelProto, other: ModelProto, crops: Crops, body: Body) -> float:
    """Millimetres between two models' mean vertices, in the mean over crops, by OpenVINO."""
    vertices = PointSet.vertices(body)
    one, two = _run(model), _run(other)
    apart = []
    for crop in crops:
        first, second = (vertices.pose(*run(crop[None])) for run in (one, two))
        apart.append(np.linalg.norm(first - second, axis=-1).mean())
    return float(1000 * np.mean(apart))


def quantise(path: Path, out: Path, lspet: Path) -> float:
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
    model, body, joint_set = read_model(path), load_body(), read_joint_set(lspet)
    size = int(model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value)
    held_out = len(joint_set) - VALIDATION
    learned = range(0, held_out, max(held_out // _LEARNED_FROM, 1))[:_LEARNED_FROM]
    judged = range(held_out, len(joint_set), max(VALIDATION // CHECKED, 1))[:CHECKED]
    made = quantised(model, crops_of(joint_set, learned, size))
    apart = compared(model, made, crops_of(joint_set, judged, size), body)
    if not apart < WORST_MILLIMETRES:
        raise ModelError(
            f"int8 moves the mean vertex of {path.name} by {apart:.1f} mm on {len(judged)} "
            f"held-out crops, more than {WORST_MILLIMETRES:g}: nothing is written"
        )
    with written_whole(out) as temporary:
        onnx.save(made, temporary)
    return apart


def crops_of(joint_set: JointSet, rows: Sequence[int], size: int) -> Crops:
    """Annotated crops of a set's rows as a network takes them, (N, 3, S, S)."""
    pictures = Pictures(joint_set)
    cuts = [cut(pictures[row], annotated_crop(joint_set.joints[row], size)) for row in rows]
    return network_input(np.stack(cuts))


def _run(model: ModelProto) -> Any:
    """Crops (1, 3, S, S) to rotations (J, 3, 3) and shape (S,), by OpenVINO in f32 and int8."""
    core = import_openvino().Core()
    read = core.read_model(model.SerializeToString())
    names = [port.any_name for port in read.outputs]
    read.reshape({port: [1, *list(port.partial_shape)[1:]] for port in read.inputs})
    request = core.compile_model(
        read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    ).create_infer_request()
    wanted = [names.index("rotations"), names.index("shape")]

    def run(crop: Crops) -> tuple[npt.NDArray[np.float64], ...]:
        request.infer({"image": crop})
        found = (request.get_output_tensor(number).data[0] for number in wanted)
        return tuple(np.array(values, dtype=np.float64) for values in found)

    return run
