"""Weights that a model file stores in fewer bytes: fp16, or int8 with scales.

The file computes the f32 weights from them: Cast(fp16), or Cast(int8) times the scales of its
output channels, and times those of its input channels. Inference engines do that once, when they
load the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_Arrays = dict[str, npt.NDArray[Any]]


def unpack_weights(model: ModelProto) -> None:
    """Replace stored weights by f32 constants, and the nodes that compute them, in place."""
    from onnx import numpy_helper

    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    unpacked: _Arrays = {}
    kept = []
    for node in graph.node:
        values = _unpacked(node, stored, unpacked)
        if values is None:
            kept.append(node)
        else:
            unpacked[node.output[0]] = values
    used = {name for node in kept for name in node.input} | {one.name for one in graph.output}
    remaining = [tensor for tensor in graph.initializer if tensor.name in used]
    remaining += [
        numpy_helper.from_array(values, name) for name, values in unpacked.items() if name in used
    ]
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(remaining)


def _unpacked(
    node: NodeProto, stored: dict[str, Any], unpacked: _Arrays
) -> npt.NDArray[np.float32] | None:
    """Return what a node computes of stored weights; None if it computes anything else."""
    from onnx import TensorProto, numpy_helper

    if node.op_type == "Cast":
        tensor = stored.get(node.input[0])
        if tensor is None or node.attribute[0].i != TensorProto.FLOAT:
            return None
        if tensor.data_type not in (TensorProto.FLOAT16, TensorProto.INT8):
            return None
        return np.asarray(numpy_helper.to_array(tensor).astype(np.float32))
    if node.op_type == "Mul" and node.input[0] in unpacked:
        scales = stored.get(node.input[1])
        if scales is None or scales.data_type != TensorProto.FLOAT:
            return None
        values, factors = unpacked[node.input[0]], numpy_helper.to_array(scales)
        if np.broadcast_shapes(values.shape, factors.shape) != values.shape:
            return None
        return np.asarray(values * factors, dtype=np.float32)
    return None
