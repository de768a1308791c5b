"""Weights stored in int8: half the file of fp16, computed with in f32 as before.

A weight is q * row * column, with int8 q and one f32 scale per output channel (row) and, in
convolutions, per input channel (column). Columns follow the spread of the channel's values on
training crops to a power that is chosen for each layer, because BlazePose's folded weights differ a
thousandfold between channels (the rule of AWQ: Lin et al., 'Activation-aware weight quantization',
MLSys 2024). What rounding shifts on average is put into the bias, layer by layer (Nagel et al.,
'Data-free quantization through weight equalization and bias correction', ICCV 2019): in the
features of BlazePose heavy that takes the error from 30 % to 3.5 % of their spread over people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from pymaf_live.types import Array
from trainer.network.encoder import Encoder

Crops = npt.NDArray[np.float32]

_LARGEST = 127
_MIN_VALUES = 4096
"""Smaller weights stay in fp16: they are few, and depthwise ones are the most sensitive."""
_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_CLIPS = (1.0, 0.9, 0.8, 0.7)
"""Shares of a row's largest value that its range may be cut to, if that lowers the error."""
_MIN_SPREAD = 1e-4
"""Smallest spread of an input channel relative to the layer's largest."""


@dataclass(frozen=True)
class Int8Weight:
    """A weight (O, I, ...) as int8 values and scales."""

    values: npt.NDArray[np.int8]
    """(O, I, ...)"""
    rows: npt.NDArray[np.float32]
    """(O, 1, ...)"""
    columns: npt.NDArray[np.float32] | None = None
    """(1, I, ...)"""

    def dequantized(self) -> npt.NDArray[np.float32]:
        """Return the weight (O, I, ...) exactly as the exported graph computes it."""
        weight = self.values.astype(np.float32) * self.rows
        return np.asarray(weight if self.columns is None else weight * self.columns)


def round_to_int8(weight: Array, spread: Array | None = None) -> Int8Weight:
    """Return the int8 weight with the smallest expected error.

    Parameters
    ----------
    weight : (O, I, ...) array
    spread : (I,) array, optional
        Standard deviation of the input channels; None = all alike, without scales of columns.
    """
    shape = (1, -1) + (1,) * (weight.ndim - 2)
    ones: Array = np.ones(weight.shape[1])
    known = ones if spread is None else np.maximum(spread, max(spread.max() * _MIN_SPREAD, 1e-12))
    best: tuple[float, Int8Weight] | None = None
    for power in _POWERS if spread is not None else (0.0,):
        columns = (known**-power).astype(np.float32).reshape(shape)
        error, found = _best_rows(weight, columns, known.reshape(shape))
        if best is None or error < best[0]:
            best = error, found
    assert best is not None
    return Int8Weight(best[1].values, best[1].rows) if spread is None else best[1]


def _best_rows(
    weight: Array, columns: npt.NDArray[np.float32], spread: Array
) -> tuple[float, Int8Weight]:
    """Return the error and the weight with each row's range cut where that lowers its error."""
    axes = tuple(range(1, weight.ndim))
    scaled = weight / columns
    largest = np.maximum(np.abs(scaled).max(axis=axes, keepdims=True), 1e-30)
    lowest: Array = np.full(largest.shape, np.inf)
    values, rows = np.zeros(weight.shape, np.int8), np.ones(largest.shape, np.float32)
    for clip in _CLIPS:
        tried_rows = (largest * clip / _LARGEST).astype(np.float32)
        tried = np.clip(np.rint(scaled / tried_rows), -_LARGEST, _LARGEST).astype(np.int8)
        miss = (tried * tried_rows.astype(np.float64) * columns - weight) * spread
        error = np.square(miss).sum(axis=axes, keepdims=True)
        better = error < lowest
        lowest = np.where(better, error, lowest)
        values, rows = np.where(better, tried, values), np.where(better, tried_rows, rows)
    return float(lowest.sum()), Int8Weight(values, rows, columns)


@torch.no_grad()
def round_encoder(encoder: Encoder, crops: Crops) -> list[Int8Weight]:
    """Round the large convolutions of an encoder to int8 in place, and correct their biases.

    Parameters
    ----------
    encoder : Encoder
    crops : (N, 3, S, S) array
        Training crops; all of them pass the encoder at once, twice.
    """
    layers = {
        name: module
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Conv2d)
        and module.groups == 1
        and module.bias is not None
        and module.weight.numel() >= _MIN_VALUES
    }
    spreads: dict[str, Array] = {}
    means: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def read(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            spreads[name] = inputs[0].std((0, 2, 3)).double().numpy()
            means[name] = output.mean((0, 2, 3))

        return read

    _run_with_hooks(encoder, crops, {layers[name]: watch(name) for name in layers})
    rounded = []
    for name, layer in layers.items():
        found = round_to_int8(layer.weight.double().numpy(), spreads[name])
        layer.weight.copy_(torch.from_numpy(found.dequantized()))
        rounded.append(found)

    def correct(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def shift(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
            missing = means[name] - output.mean((0, 2, 3))
            assert isinstance(module.bias, Tensor)
            module.bias.add_(missing)
            # the layers behind this one already see the corrected values
            return output + missing[:, None, None]

        return shift

    _run_with_hooks(encoder, crops, {layers[name]: correct(name) for name in layers})
    return rounded


def _run_with_hooks(
    encoder: Encoder, crops: Crops, hooks: Mapping[nn.Conv2d, Callable[..., object]]
) -> None:
    handles = [layer.register_forward_hook(hook) for layer, hook in hooks.items()]
    try:
        encoder(torch.from_numpy(crops))
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def round_linear_layers(model: nn.Module) -> list[Int8Weight]:
    """Round the large fully connected layers of a network to int8 in place."""
    rounded = []
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.weight.numel() >= _MIN_VALUES:
            found = round_to_int8(module.weight.double().numpy())
            module.weight.copy_(torch.from_numpy(found.dequantized()))
            rounded.append(found)
    return rounded


def store_as_int8(model: ModelProto, rounded: list[Int8Weight]) -> int:
    """Store the graph's tensors that equal a rounded weight, or its transpose, as int8 in place.

    Parameters
    ----------
    model : ModelProto
    rounded : list of Int8Weight

    Returns
    -------
    int
        Tensors found.
    """
    known: dict[tuple[tuple[int, ...], bytes], Int8Weight] = {}
    for one in rounded:
        weight = one.dequantized()
        known[weight.shape, weight.tobytes()] = one
        if weight.ndim == 2:
            # constant folding transposes, and cuts columns off that are zero
            used = int(np.flatnonzero(weight.any(axis=0)).max(initial=-1)) + 1
            turned = Int8Weight(one.values[:, :used].T.copy(), one.rows.T.copy())
            known[turned.values.shape, weight[:, :used].T.tobytes()] = turned
    graph, nodes, tensors, count = model.graph, [], [], 0
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        found = known.get((values.shape, values.tobytes()))
        if found is None:
            tensors.append(tensor)
        else:
            own_tensors, own_nodes = _stored(tensor.name, found)
            count += 1
            tensors += own_tensors
            nodes += own_nodes
    nodes += graph.node
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    del graph.node[:]
    graph.node.extend(nodes)
    return count


def _stored(name: str, weight: Int8Weight) -> tuple[list[TensorProto], list[NodeProto]]:
    """Return the tensors of a stored weight and the nodes that compute it."""
    factors = {"rows": weight.rows, "columns": weight.columns}
    tensors = [numpy_helper.from_array(weight.values, f"{name}.int8")]
    inner = f"{name}.values"
    nodes = [helper.make_node("Cast", [f"{name}.int8"], [inner], to=TensorProto.FLOAT)]
    for key, factor in factors.items():
        if factor is not None:
            tensors.append(numpy_helper.from_array(factor, f"{name}.{key}"))
            nodes.append(helper.make_node("Mul", [inner, f"{name}.{key}"], [f"{inner}.{key}"]))
            inner = f"{inner}.{key}"
    nodes[-1].output[0] = name
    return tensors, nodes
