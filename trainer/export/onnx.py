"""From a checkpoint to the ONNX file that the program runs."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from pymaf_live.body import Body, default_body
from pymaf_live.errors import ModelError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.types import Array
from trainer.export.constant_folding import fold_constants
from trainer.network.estimates import InitialEstimate
from trainer.network.pymaf import PyMAF
from trainer.training.checkpoint import load_average, read_progress
from trainer.training.config import read_run_config

OPSET = 17
"""From 20 on GridSample's 'bilinear' is called 'linear', which TensorRT's importer takes for
nearest, silently."""

CROP_RULE = "trunk-up 1.75"
LICENCE = "Apache-2.0 weights; trained on LSPET pictures (research use), see the model card"

_LEAST_ROUNDED = 64
_LEAST_HALVED = 4096
"""Smaller ones would save less than the node costs that casts them back."""
_WORST_ERROR = 2e-3


class _Exported(nn.Module):
    """The network with plain outputs, as the contract has them."""

    def __init__(self, model: PyMAF, *, all_levels: bool) -> None:
        super().__init__()
        self.model, self.all_levels = model, all_levels

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.model(image)
        last = output.levels[-1]
        found = [last.rotations, last.shape, last.camera]
        found += [torch.sigmoid(output.score), torch.sigmoid(output.joint_score)]
        if self.all_levels:
            for level in output.levels[:-1]:
                found += [level.rotations, level.shape, level.camera]
        return tuple(found)


def load_network(checkpoint: Path, landmark_file: Path | None) -> tuple[PyMAF, Body, str]:
    """The network of a run with its averaged weights, its body, and the run's configuration."""
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
) -> float:
    """Write the ONNX file of a run, with fp16 weights, and check it against torch.

    Parameters
    ----------
    checkpoint : Path
    out : Path
    landmark_file : Path, optional
        BlazePose's .tflite file (for the graph; the weights come from the checkpoint).
    all_levels : bool
        Whether the earlier levels' estimates are outputs too.
    version : str

    Returns
    -------
    float
        Greatest difference of a rotation's element between ONNX Runtime's run and torch's.

    Raises
    ------
    ModelError
        If the file does not agree with torch.
    """
    model, body, text = load_network(checkpoint, landmark_file)
    round_weights(model)
    config = read_run_config(text, str(checkpoint))
    size = model.encoder.size
    levels = config.network.levels
    with atomic_write(out) as temporary:
        graph = _halved(fold_constants(trace_model(model, all_levels=all_levels)))
        _describe(
            graph,
            {
                "name": config.name,
                "version": version,
                "input_size": str(size),
                "crop_rule": CROP_RULE,
                "joint_names": ",".join(body.joint_names),
                "body_sha256": body.sha256,
                "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
                "licence": LICENCE,
                "levels": str(levels if all_levels else 1),
                "reads": _reads(model, all_levels=all_levels),
            },
        )
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(graph, temporary)
        difference = _difference(model, temporary, size)
        if not difference < _WORST_ERROR:
            raise ModelError(f"the ONNX file differs from torch by {difference:.1e} in a rotation")
    return difference


def trace_model(model: PyMAF, *, all_levels: bool) -> onnx.ModelProto:
    """The network's operators as torch writes them down, for any number of people at once."""
    size = model.encoder.size
    names = ["rotations", "shape", "camera", "score", "joint_score"]
    if all_levels:
        earlier = range(1, model.config.levels)
        names += [f"{name}_{level}" for level in earlier for name in names[:3]]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = f"{folder}/traced.onnx"
        # the older exporter is chosen on purpose: the newer one gives no opset below 18
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Exported(model, all_levels=all_levels).eval(),
            (torch.zeros(2, 3, size, size),),
            path,
            input_names=["image"],
            output_names=names,
            dynamic_axes={name: {0: "batch"} for name in ["image", *names]},
            opset_version=OPSET,
            dynamo=False,
        )
        return onnx.load(path)


def _reads(model: PyMAF, *, all_levels: bool) -> str:
    """Of each level in the file, points a side of the grid it reads; 0 = under the mesh."""
    sides = [model.config.grid if grid else 0 for grid in model.on_grid]
    return ",".join(str(side) for side in (sides if all_levels else sides[-1:]))


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store what fp16 holds exactly as fp16 with a cast back: half the file, nothing lost."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _LEAST_HALVED or not np.array_equal(values, _rounded(values)):
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
    """Round every weight to fp16's grid, as the file will hold it."""
    for parameter in model.parameters():
        if parameter.numel() >= _LEAST_ROUNDED:
            parameter.copy_(parameter.half().float())


def _describe(model: onnx.ModelProto, facts: dict[str, str]) -> None:
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)


def _difference(model: PyMAF, path: Path, size: int) -> float:
    """Between ONNX Runtime's and torch's rotations, on noise in batches of 1 and 3."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in (1, 3):
        image = torch.rand(batch, 3, size, size, generator=random)
        with torch.no_grad():
            true = model(image).levels[-1].rotations.numpy()
        found = session.run(["rotations"], {"image": image.numpy()})[0]
        worst = max(worst, float(np.abs(found - true).max()))
    return worst
