"""How fast the network of the paper's size runs here, as ratios to torch.

The network has random weights, which cost as much as learned ones. What it is measured against is
the way it was published: torch in f32, which skins the whole mesh at the start and after every
level. All are run in turn, a few times each, so that a machine that is busy meanwhile is so for all
of them, and the quickest run of each counts: what else the machine does is not its speed. With more
at work than there are cores, torch's threads wait for each other and the ratios flatter; the middle
runs are told too, and lie far from the quickest then.
"""

from __future__ import annotations

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
from pymaf_live.system.openvino_import import import_openvino
from trainer.export.constant_folding import fold_constants
from trainer.export.onnx import trace_model
from trainer.network.config import NetworkConfig
from trainer.network.estimates import InitialEstimate
from trainer.network.kinematic_chain import SampledSkin, columns_from_pose, orthonormalized
from trainer.network.pymaf import PyMAF

_SIDE = 1024
"""Of the matrices whose product is the machine's peak."""
_RANGES_FROM = 8
"""Crops that int8's ranges are taken from: of noise, as the weights are random."""

Run = Callable[[], object]


class PublishedWay(nn.Module):
    """The network as published: the mesh whole at the start and after each level.

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
        """(B, 3, S, S) to the last mesh (B, V, 4)."""
        model = self.model
        output = model(image)
        # the levels have skinned for each other; the start and the last are nobody's before
        last = output.levels[-1]
        start = orthonormalized(columns_from_pose(model.start_pose, model.joints))
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
    """Run all in turn.

    Parameters
    ----------
    threads : int
        Of each.
    rounds : int

    Returns
    -------
    dict
        ``ratios``: `resnet50_openvino_f32_over_torch`, `resnet50_int8_over_torch` (absent without
        NNCF) and `resnet50_share_of_peak`; the quickest and the middle runs in milliseconds, and
        what was counted.
    """
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    body = default_body()
    model = PyMAF(NetworkConfig(), body, InitialEstimate.upright(body)).eval()
    size = model.encoder.size
    graph = fold_constants(trace_model(model, all_levels=False))
    image = np.random.default_rng(0).random((1, 3, size, size), dtype=np.float32)
    published = PublishedWay(model, body).eval()
    given = torch.from_numpy(image)

    def by_torch() -> object:
        with torch.no_grad():
            return published(given)

    runs: dict[str, Run] = {
        "torch": by_torch,
        "openvino_f32": _by_openvino(graph.SerializeToString(), image, threads),
        "product": _product(threads),
    }
    without = ""
    try:
        runs["openvino_int8"] = _by_openvino(_int8(graph, size), image, threads)
    except ImportError as error:
        without = f"int8: {error}"
    seconds = in_turn(list(runs.values()), rounds)
    quickest = dict(zip(runs, seconds.min(axis=1).tolist(), strict=True))
    middle = dict(zip(runs, np.median(seconds, axis=1).tolist(), strict=True))
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        PyMAF(NetworkConfig(), body, InitialEstimate.upright(body)).eval()(given)
    operations = counted.get_total_flops()
    peak = 2 * _SIDE**3 / quickest["product"]
    ratios = {
        "resnet50_openvino_f32_over_torch": quickest["torch"] / quickest["openvino_f32"],
        "resnet50_share_of_peak": operations / quickest["openvino_f32"] / peak,
    }
    if "openvino_int8" in quickest:
        ratios["resnet50_int8_over_torch"] = quickest["torch"] / quickest["openvino_int8"]
    return {
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "milliseconds": {name: round(1000 * value, 2) for name, value in quickest.items()},
        "milliseconds_median": {name: round(1000 * value, 2) for name, value in middle.items()},
        "operations": operations,
        "peak_operations_a_second": round(peak),
        "threads": threads,
        "rounds": rounds,
        "left_out": without,
    }


def in_turn(runs: Sequence[Run], rounds: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds (runs, rounds) of each after a first run that does not count."""
    for run in runs:
        run()
    seconds = np.zeros((len(runs), rounds))
    for number in range(rounds):
        for which, run in enumerate(runs):
            begun = time.perf_counter()
            run()
            seconds[which, number] = time.perf_counter() - begun
    return seconds


def _int8(graph: ModelProto, size: int) -> bytes:
    try:
        import nncf  # noqa: F401  told apart from what may be wrong with a model
    except ImportError as error:
        raise ImportError("NNCF is not installed (pip install '.[train]')") from error
    from trainer.export.quantize import quantize_encoder

    random = np.random.default_rng(1)
    crops = random.random((_RANGES_FROM, 3, size, size), dtype=np.float32)
    content: bytes = quantize_encoder(graph, crops).SerializeToString()
    return content


def _options(threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }


def _by_openvino(content: bytes, image: Any, threads: int) -> Run:
    core = import_openvino().Core()
    model = core.read_model(content)
    model.reshape({port: list(image.shape) for port in model.inputs})
    request = core.compile_model(model, "CPU", _options(threads)).create_infer_request()
    return lambda: request.infer({"image": image}, share_inputs=True)


def _product(threads: int) -> Run:
    """A product of square matrices by the same back-end: the machine's peak."""
    openvino = import_openvino()
    ops = openvino.opset13
    left = ops.parameter([_SIDE, _SIDE], np.float32)
    values = np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32)
    product = ops.matmul(left, ops.constant(values), False, False)
    model = openvino.Model([product], [left], "product")
    request = openvino.Core().compile_model(model, "CPU", _options(threads)).create_infer_request()
    return lambda: request.infer([values], share_inputs=True)


def write(figures: dict[str, Any], path: Path) -> None:
    """As JSON, whole."""
    import json

    from pymaf_live.system.atomic_write import atomic_write

    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")
