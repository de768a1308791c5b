"""Speed of the network of the paper's size on this machine, as ratios to torch.

The network has random weights, which cost as much as trained ones. The reference is the published
way: torch in f32, which skins the whole mesh at the start and after every level. All candidates run
in turn, several times each, so that other load on the machine affects all of them, and the fastest
run of each counts: load is not part of a network's speed. With more load than there are cores,
torch's threads wait for each other and the ratios flatter; the median runs, which are reported too,
are then far from the fastest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import ModelProto
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pymaf_live.body import Body, default_body
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.openvino_import import import_openvino, open_core
from trainer.export.constant_folding import fold_constants
from trainer.export.onnx import trace_model
from trainer.network.config import NetworkConfig
from trainer.network.estimates import InitialEstimate
from trainer.network.kinematic_chain import SampledSkin
from trainer.network.pymaf import PyMAF

_SIDE = 1024
"""Side of the matrices whose product measures the machine's peak."""
_CALIBRATION_CROPS = 8
"""Crops for int8's value ranges; they are noise, as the weights are random."""

Run = Callable[[], object]


class PublishedSkinning(nn.Module):
    """The network as published: it skins the whole mesh at the start and after each level.

    Parameters
    ----------
    model : PyMAF
        Its own skinning of sampled vertices is replaced.
    body : Body
    """

    def __init__(self, model: PyMAF, body: Body) -> None:
        super().__init__()
        self.model, self.mesh = model, _WholeMesh(body)
        model.body.register_module("skin", self.mesh)

    def forward(self, image: Tensor) -> Tensor:
        """Return the last mesh (B, V, 4) of crops (B, 3, S, S)."""
        model = self.model
        output = model(image)
        # each level's mesh is skinned for the next one; only the start's and the last are missing
        last = output.levels[-1]
        start = model.body.columns(model.start_pose)
        mesh: Tensor = start
        for columns, shape in (
            (start, model.start_shape),
            (last.rotations[..., :2].transpose(-1, -2), last.shape),
        ):
            mesh = self.mesh.whole(model.body.chain(columns, model.body.chain.bones(shape)), shape)
        return mesh


class _WholeMesh(nn.Module):
    sampled: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.whole = SampledSkin(body, np.arange(len(body.template)))
        self.register_buffer("sampled", torch.tensor(body.sample_vertices), persistent=False)

    def forward(self, frames: Tensor, shape: Tensor) -> Tensor:
        whole: Tensor = self.whole(frames, shape)
        return whole[:, self.sampled]


def measure(threads: int = 2, rounds: int = 15) -> dict[str, Any]:
    """Run all candidates in turn.

    Parameters
    ----------
    threads : int
        Of each candidate.
    rounds : int

    Returns
    -------
    dict
        ``ratios``: `resnet50_openvino_f32_over_torch`, `resnet50_int8_over_torch` (missing without
        NNCF) and `resnet50_share_of_peak`; the fastest and the median runs in milliseconds, and
        the operation counts.
    """
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    body = default_body()
    model = PyMAF(NetworkConfig(), body, InitialEstimate.upright(body)).eval()
    size = model.encoder.size
    graph = fold_constants(trace_model(model, all_levels=False))
    image = np.random.default_rng(0).random((1, 3, size, size), dtype=np.float32)
    published = PublishedSkinning(model, body).eval()
    tensor = torch.from_numpy(image)

    def run_torch() -> object:
        with torch.no_grad():
            return published(tensor)

    runs: dict[str, Run] = {
        "torch": run_torch,
        "openvino_f32": _openvino_run(graph.SerializeToString(), image, threads),
        "product": _product_run(threads),
    }
    left_out = ""
    try:
        runs["openvino_int8"] = _openvino_run(_int8(graph, size), image, threads)
    except ImportError as error:
        left_out = f"int8: {error}"
    seconds = in_turn(list(runs.values()), rounds)
    fastest = dict(zip(runs, seconds.min(axis=1).tolist(), strict=True))
    median = dict(zip(runs, np.median(seconds, axis=1).tolist(), strict=True))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        PyMAF(NetworkConfig(), body, InitialEstimate.upright(body)).eval()(tensor)
    operations = counter.get_total_flops()
    peak = 2 * _SIDE**3 / fastest["product"]
    ratios = {
        "resnet50_openvino_f32_over_torch": fastest["torch"] / fastest["openvino_f32"],
        "resnet50_share_of_peak": operations / fastest["openvino_f32"] / peak,
    }
    if "openvino_int8" in fastest:
        ratios["resnet50_int8_over_torch"] = fastest["torch"] / fastest["openvino_int8"]
    return {
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "milliseconds": {name: round(1000 * value, 2) for name, value in fastest.items()},
        "milliseconds_median": {name: round(1000 * value, 2) for name, value in median.items()},
        "operations": operations,
        "peak_operations_a_second": round(peak),
        "threads": threads,
        "rounds": rounds,
        "left_out": left_out,
    }


def in_turn(runs: Sequence[Run], rounds: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the seconds (runs, rounds) of each run, after one warm-up round."""
    for run in runs:
        run()
    seconds = np.zeros((len(runs), rounds))
    for number in range(rounds):
        for index, run in enumerate(runs):
            started = time.perf_counter()
            run()
            seconds[index, number] = time.perf_counter() - started
    return seconds


def _int8(graph: ModelProto, size: int) -> bytes:
    import_openvino()
    try:
        import nncf  # noqa: F401  a missing NNCF is not a fault of the model
    except ImportError as error:
        raise ImportError("NNCF is not installed (pip install '.[train]')") from error
    from trainer.export.quantize import quantize_encoder

    random = np.random.default_rng(1)
    crops = random.random((_CALIBRATION_CROPS, 3, size, size), dtype=np.float32)
    content: bytes = quantize_encoder(graph, crops).SerializeToString()
    return content


def _options(threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }


def _openvino_run(content: bytes, image: Any, threads: int) -> Run:
    core = open_core()
    model = core.read_model(content)
    model.reshape({port: list(image.shape) for port in model.inputs})
    request = core.compile_model(model, "CPU", _options(threads)).create_infer_request()
    return lambda: request.infer({"image": image}, share_inputs=True)


def _product_run(threads: int) -> Run:
    """Return a product of square matrices by the same back-end: the machine's peak."""
    openvino = import_openvino()
    ops = openvino.opset13
    left = ops.parameter([_SIDE, _SIDE], np.float32)
    values = np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32)
    product = ops.matmul(left, ops.constant(values), False, False)
    model = openvino.Model([product], [left], "product")
    request = open_core().compile_model(model, "CPU", _options(threads)).create_infer_request()
    return lambda: request.infer([values], share_inputs=True)


def write(figures: dict[str, Any], path: Path) -> None:
    """Write figures as JSON."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")
