"""Efficiency of a network on this CPU, as a share of the rate of plain matrix products.

The work of a network is counted from its graph: two operations (multiply and add) for every product
in a convolution or a matrix product, none for other nodes. The peak rate is measured as one large
matrix product on the same back-end, in the same precision and with the same number of threads.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.system.openvino_import import import_openvino, open_core

_MATRIX_SIDE = 1024
"""Side of the matrices: large enough to be bound by arithmetic, small enough for every cache."""
_TIMING_SECONDS = 0.25
"""Minimum duration of each timing."""
_ROUNDS = 3


@dataclass(frozen=True)
class Roofline:
    """One network on one machine with a number of threads."""

    threads: int
    operations: float
    """Operations of a run for one person; a multiply-add counts as two."""
    milliseconds: float
    """Duration of the fastest run."""
    peak: float
    """Operations per second of the fastest matrix product."""
    precision: str

    @property
    def rate(self) -> float:
        """Operations per second of the network."""
        return self.operations / (self.milliseconds / 1000)

    @property
    def share(self) -> float:
        """Share of the peak rate that the network reaches."""
        return self.rate / self.peak


def count_operations(model: Any) -> float:
    """Count the operations of an OpenVINO model with known shapes.

    Convolutions (also transposed and grouped ones) and matrix products are counted.
    """
    return float(sum(_node_operations(node) for node in model.get_ops()))


def _node_operations(node: Any) -> int:
    kind = node.get_type_name()
    if kind in ("Convolution", "GroupConvolution"):
        weights = [int(n) for n in node.input_value(1).get_shape()]
        # weights are (groups,) out, in, window...: each output value sums over the axes after `out`
        products = math.prod(weights[2 if kind == "GroupConvolution" else 1 :])
        return 2 * products * math.prod(int(n) for n in node.output(0).get_shape())
    if kind in ("ConvolutionBackpropData", "GroupConvolutionBackpropData"):
        weights = [int(n) for n in node.input_value(1).get_shape()]
        # (groups,) in, out, window...: each input value contributes to the axes after `in`
        products = math.prod(weights[2 if kind.startswith("Group") else 1 :])
        return 2 * products * math.prod(int(n) for n in node.input_value(0).get_shape())
    if kind == "MatMul":
        first = [int(n) for n in node.input_value(0).get_shape()]
        summed = first[-2] if node.get_attributes()["transpose_a"] and len(first) > 1 else first[-1]
        return 2 * summed * math.prod(int(n) for n in node.output(0).get_shape())
    return 0


def measure_roofline(path: Path, threads: int, precision: str = "f32") -> Roofline:
    """Measure a network and the machine's peak rate, alternately.

    Parameters
    ----------
    path : Path
        ONNX file that OpenVINO reads.
    threads : int
    precision : {'f32', 'bf16'}

    Raises
    ------
    ModelError
        If OpenVINO cannot be loaded or cannot run the file.
    """
    try:
        openvino = import_openvino()
        core = open_core()
        model = core.read_model(path)
        shape = [1 if n.is_dynamic else n.get_length() for n in model.inputs[0].partial_shape]
        model.reshape({model.inputs[0]: shape})
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
        }
        network = core.compile_model(model, "CPU", options).create_infer_request()
        image = np.full(shape, 0.5, np.float32)
        product = core.compile_model(_matrix_product(openvino), "CPU", options)
        product_request = product.create_infer_request()
        matrix = np.full((_MATRIX_SIDE, _MATRIX_SIDE), 0.5, np.float32)
        # alternately, so that other load on the machine affects both
        runs = [
            (_fastest_run(product_request, [matrix]), _fastest_run(network, [image]))
            for _ in range(_ROUNDS)
        ]
    except (ImportError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ModelError(f"OpenVINO cannot run {path}: {reason}") from error
    return Roofline(
        threads=threads,
        operations=count_operations(model),
        milliseconds=1000 * min(run for _, run in runs),
        peak=2 * _MATRIX_SIDE**3 / min(run for run, _ in runs),
        precision=precision,
    )


def _matrix_product(openvino: Any) -> Any:
    ops = openvino.opset13
    shape = (_MATRIX_SIDE, _MATRIX_SIDE)
    left = ops.parameter(list(shape), np.float32)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return openvino.Model([ops.matmul(left, ops.constant(values), False, False)], [left], "product")


def _fastest_run(request: Any, inputs: list[Any]) -> float:
    """Return the seconds of the fastest run, after one run that does not count."""
    request.infer(inputs)
    fastest, deadline = math.inf, time.perf_counter() + _TIMING_SECONDS
    while time.perf_counter() < deadline:
        start = time.perf_counter()
        request.infer(inputs)
        fastest = min(fastest, time.perf_counter() - start)
    return fastest
