"""Export of a checkpoint to the ONNX file that the program runs."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from pymaf_live.body import Body, default_body
from pymaf_live.errors import ModelError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.onnxruntime_import import import_onnxruntime
from pymaf_live.types import Array
from trainer.data.lspet import read_joint_set
from trainer.export.constant_folding import fold_constants
from trainer.export.int8_weights import (
    Int8Weight,
    round_encoder,
    round_linear_layers,
    store_as_int8,
)
from trainer.export.quantize import training_crops
from trainer.network.estimates import InitialEstimate
from trainer.network.pymaf import PyMAF
from trainer.training.checkpoint import load_average, read_progress
from trainer.training.config import read_run_config
from trainer.training.exported_weights import (
    METADATA_KEY,
    training_metadata,
    with_folded_start,
)

OPSET = 17
"""From 20 on GridSample's 'bilinear' is called 'linear', which TensorRT's importer silently takes
for nearest."""

OUTPUT_NAMES = ["rotations", "shape", "camera", "score", "joint_score"]
LICENCE = "Apache-2.0 weights; trained on LSPET pictures (research use), see the model card"

_CALIBRATION_CROPS = 64
"""Training crops that int8 weights are chosen on."""
_MIN_ROUNDED = 64
"""Values; smaller parameters stay in full precision."""
_MIN_HALVED = 4096
"""Values; storing a smaller tensor in fp16 would save less than the node that casts it back."""
_MAX_DIFFERENCE = 2e-3


class _ExportedModule(nn.Module):
    """Network with the plain outputs of the ONNX contract."""

    def __init__(self, model: PyMAF, *, all_levels: bool) -> None:
        super().__init__()
        self.model, self.all_levels = model, all_levels

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.model(image)
        last = output.levels[-1]
        outputs = [last.rotations, last.shape, last.camera]
        outputs += [torch.sigmoid(output.score), torch.sigmoid(output.joint_score)]
        if self.all_levels:
            for level in output.levels[:-1]:
                outputs += [level.rotations, level.shape, level.camera]
        return tuple(outputs)


def load_network(checkpoint: Path, landmark_file: Path | None) -> tuple[PyMAF, Body, str]:
    """Return a run's network with its averaged weights, its body, and its configuration's text."""
    text = read_progress(checkpoint).config
    body = default_body()
    config = read_run_config(text, str(checkpoint))
    model = PyMAF(config.network, body, InitialEstimate.upright(body), landmark_file)
    load_average(checkpoint, model)
    return model.eval(), body, text


def export(
    checkpoint: Path,
    out: Path,
    *,
    landmark_file: Path | None = None,
    all_levels: bool = False,
    version: str = "1",
    calibration: Path | None = None,
) -> float:
    """Write the ONNX file of a run with fp16 or int8 weights, and compare it with torch.

    Parameters
    ----------
    checkpoint : Path
    out : Path
    landmark_file : Path, optional
        BlazePose's .tflite file (for the graph; the weights come from the checkpoint).
    all_levels : bool
        Output the estimates of earlier levels too.
    version : str
    calibration : Path, optional
        Folder of the packed LSPET set: large weights are stored in int8, with the encoder's scales
        and biases chosen on training crops; None = all in fp16.

    Returns
    -------
    float
        Largest difference of a rotation's element between ONNX Runtime and torch.

    Raises
    ------
    ModelError
        If the file does not agree with torch.
    """
    model, body, text = load_network(checkpoint, landmark_file)
    round_weights(model)
    model = with_folded_start(model)
    rounded: list[Int8Weight] = []
    if calibration is not None:
        crops = training_crops(read_joint_set(calibration), _CALIBRATION_CROPS, model.encoder.size)
        rounded = [*round_encoder(model.encoder, crops), *round_linear_layers(model)]
    config = read_run_config(text, str(checkpoint))
    size = model.encoder.size
    with atomic_write(out) as temporary:
        graph = fold_constants(trace_model(model, all_levels=all_levels))
        arrays = {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
        trainable = training_metadata(model, arrays, text)
        store_as_int8(graph, rounded)
        graph = _store_as_fp16(graph)
        add_metadata(
            graph,
            {
                "name": config.name,
                "version": version,
                "input_size": str(size),
                "crop_rule": config.network.crop_rule,
                "joint_names": ",".join(body.joint_names),
                "body_sha256": body.sha256,
                "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
                "licence": LICENCE,
                "levels": str(config.network.levels if all_levels else 1),
                "reads": _grid_sides(model, all_levels=all_levels),
                METADATA_KEY: trainable,
            },
        )
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(graph, temporary)
        module = _ExportedModule(model, all_levels=False)
        difference = largest_difference(module, temporary, size, OUTPUT_NAMES[:1], (1, 3))
        if not difference < _MAX_DIFFERENCE:
            raise ModelError(f"the ONNX file differs from torch by {difference:.1e} in a rotation")
    return difference


def trace_model(model: PyMAF, *, all_levels: bool) -> ModelProto:
    """Return the network as torch traces it, for any batch size."""
    names = [*OUTPUT_NAMES]
    if all_levels:
        earlier = range(1, model.config.levels)
        names += [f"{name}_{level}" for level in earlier for name in OUTPUT_NAMES[:3]]
    module = _ExportedModule(model, all_levels=all_levels).eval()
    return trace_module(module, model.encoder.size, names)


def trace_module(module: nn.Module, size: int, names: Sequence[str]) -> ModelProto:
    """Trace a module from `image` (B, 3, size, size) to named outputs, for any batch size B."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = f"{folder}/traced.onnx"
        # the older exporter is chosen on purpose: the newer one has no opset below 18
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(2, 3, size, size),),
            path,
            input_names=["image"],
            output_names=list(names),
            dynamic_axes={name: {0: "batch"} for name in ["image", *names]},
            opset_version=OPSET,
            dynamo=False,
        )
        return onnx.load(path)


def add_metadata(model: ModelProto, entries: Mapping[str, str]) -> None:
    """Add metadata to a model."""
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)


def largest_difference(
    module: nn.Module, path: Path, size: int, names: Sequence[str], batches: Sequence[int]
) -> float:
    """Return the largest difference between ONNX Runtime's outputs and torch's, on noise.

    Parameters
    ----------
    module : nn.Module
        Traced module; its first outputs are those of `names`.
    path : Path
        ONNX file.
    size : int
        Side of the crops in pixels.
    names : sequence of str
        Compared outputs.
    batches : sequence of int
        Batch sizes.
    """
    onnxruntime = import_onnxruntime()

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    largest = 0.0
    for batch in batches:
        image = torch.rand(batch, 3, size, size, generator=random)
        with torch.no_grad():
            expected = module(image)[: len(names)]
        outputs = session.run(list(names), {"image": image.numpy()})
        for tensor, output in zip(expected, outputs, strict=True):
            largest = max(largest, float(np.abs(tensor.numpy() - output).max()))
    return largest


def _grid_sides(model: PyMAF, *, all_levels: bool) -> str:
    """Return the side of each exported level's sampling grid, 0 = under the mesh, as metadata."""
    sides = [model.config.grid if grid else 0 for grid in model.on_grid]
    return ",".join(str(side) for side in (sides if all_levels else sides[-1:]))


def _store_as_fp16(model: ModelProto) -> ModelProto:
    """Store tensors that fp16 holds exactly as fp16 with a cast back: half the file, lossless."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _MIN_HALVED or not np.array_equal(values, _rounded(values)):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _rounded(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(values.dtype)


@torch.no_grad()
def round_weights(model: nn.Module) -> None:
    """Round every weight to fp16, as the exported file stores it."""
    for parameter in model.parameters():
        if parameter.numel() >= _MIN_ROUNDED:
            parameter.copy_(parameter.half().float())
