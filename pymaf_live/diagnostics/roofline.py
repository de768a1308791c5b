"""How near a network comes to what the processor can do: its products against plain ones.

The work of a network is counted from its graph: two operations for every product of a convolution
or a matrix product, nothing for all else. What the processor can do is measured as one large matrix
product by the same back-end, in the same precision, with as many threads.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.system.openvino_import import import_openvino

_SIDE = 1024
"""Of the matrices: large enough to be bound by products, small enough for every cache and clock."""
_SECONDS = 0.25
"""Of timing at least, each time."""


@dataclass(frozen=True)
class Roofline:
    """One network on one machine with some threads."""

    threads: int
    operations: float
    """Of a run for one person; a product and its sum are two."""
    milliseconds: float
    """Of the quickest run."""
    peak: float
    """Operations a second of the quickest matrix product."""
    precision: str

    @property
    def rate(self) -> float:
        """Operations a second of the network."""
        return self.operations / (self.milliseconds / 1000)

    @property
    def share(self) -> float:
        """Of the peak that the network reaches."""
        return self.rate / self.peak


def operations_of(model: Any) -> float:
    """Operations of an OpenVINO model whose shapes are all known.

    Counted are convolutions, transposed ones too, and matrix products; a grouped convolution by its
    groups.
    """
    return float(sum(_operations(op) for op in model.get_ops()))


def _operations(op: Any) -> int:
    kind = op.get_type_name()
    if kind in ("Convolution", "GroupConvolution"):
        weights = [int(n) for n in op.input_value(1).get_shape()]
        # (groups,) out, in, window...: each value of the output sums what lies behind `out`
        products = math.prod(weights[2 if kind == "GroupConvolution" else 1 :])
        return 2 * products * math.prod(int(n) for n in op.output(0).get_shape())
    if kind in ("ConvolutionBackpropData", "GroupConvolutionBackpropData"):
        weights = [int(n) for n in op.input_value(1).get_shape()]
        # (groups,) in, out, window...: each value of the input goes into what lies behind `in`
        products = math.prod(weights[2 if kind.startswith("Group") else 1 :])
        return 2 * products * math.prod(int(n) for n in op.input_value(0).get_shape())
    if kind == "MatMul":
        first = [int(n) for n in op.input_value(0).get_shape()]
        summed = first[-2] if op.get_attributes()["transpose_a"] and len(first) > 1 else first[-1]
        return 2 * summed * math.prod(int(n) for n in op.output(0).get_shape())
    return 0


def roofline_of(path: Path, threads: int, precision: str = "f32") -> Roofline:
    """Measure a network file and the machine's peak, in turn.

    Parameters
    ----------
    path : Path
        An ONNX file that OpenVINO reads.
    threads : int
    precision : {'f32', 'bf16'}

    Raises
    ------
    ModelError
        If OpenVINO cannot be loaded or cannot run the file.
    """
    try:
        openvino = import_openvino()
        core = openvino.Core()
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
        product = core.compile_model(_product(openvino), "CPU", options).create_infer_request()
        matrix = np.full((_SIDE, _SIDE), 0.5, np.float32)
        # in turn: a machine that gets busier meanwhile does so for both
        runs = [(_best(product, [matrix]), _best(network, [image])) for _ in range(3)]
    except (ImportError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ModelError(f"{path} cannot be measured by OpenVINO: {reason}") from error
    return Roofline(
        threads=threads,
        operations=operations_of(model),
        milliseconds=1000 * min(run for _, run in runs),
        peak=2 * _SIDE**3 / min(run for run, _ in runs),
        precision=precision,
    )


def _product(openvino: Any) -> Any:
    ops = openvino.opset13
    left = ops.parameter([_SIDE, _SIDE], np.float32)
    values = np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32)
    return openvino.Model([ops.matmul(left, ops.constant(values), False, False)], [left], "product")


def _best(request: Any, inputs: list[Any]) -> float:
    """Seconds of the quickest run."""
    request.infer(inputs)
    best, until = math.inf, time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        begun = time.perf_counter()
        request.infer(inputs)
        best = min(best, time.perf_counter() - begun)
    return best
