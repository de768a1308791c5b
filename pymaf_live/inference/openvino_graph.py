"""Preparation of a model's graph for OpenVINO's CPU plugin; results do not change."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_live.system.openvino_import import import_openvino


def fold_half_precision_weights(model: Any) -> None:
    """Replace weights stored in fp16 and cast to f32 by f32 constants.

    Otherwise OpenVINO casts them again in every run.
    """
    openvino = import_openvino()
    for cast in model.get_ops():
        if cast.get_type_name() != "Convert":
            continue
        stored = cast.input_value(0).get_node()
        if stored.get_type_name() == "Constant" and stored.get_element_type() == openvino.Type.f16:
            folded = openvino.opset13.constant(np.asarray(stored.data, dtype=np.float32))
            folded.set_friendly_name(cast.get_friendly_name())
            _replace(cast, folded)


def separate_activations(model: Any) -> None:
    """Prevent the fusion of a ReLU into the matrix product before it, for a single row.

    A product without a fused activation runs on a kernel that reads the weights twice as fast, and
    for one row reading them is the whole cost: 2155 x 256 take 79 us and with the ReLU 156.
    Operators whose result is read twice are not fused, so a ReLU is written as (x + |x|) / 2, which
    is bit-identical. Shapes must be known.
    """
    ops = import_openvino().opset13
    half = np.array([[0.5]], dtype=np.float32)
    for relu in model.get_ops():
        if relu.get_type_name() == "Relu" and _is_single_row_layer(relu.input_value(0)):
            x = relu.input_value(0)
            _replace(relu, ops.multiply(ops.add(x, ops.abs(x)), ops.constant(half)))


def with_channels_last(model: Any) -> Any:
    """Return the model with an input (B, S, S, 3) in place of (B, 3, S, S).

    Convolutions need channels last, so the input need not be transposed first.
    """
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


def _is_single_row_layer(output: Any) -> bool:
    """Return True if a value (1, N) is a product with constant weights, maybe scaled or shifted."""
    node = output.get_node()
    if node.get_type_name() in ("Add", "Multiply"):
        # the operand that is not the product is a constant, itself perhaps times another one
        return any(_is_single_row_layer(node.input_value(side)) for side in (0, 1))
    return node.get_type_name() == "MatMul" and list(output.get_shape())[:-1] == [1]


def _replace(old: Any, new: Any) -> None:
    for user in old.output(0).get_target_inputs():
        user.replace_source_output(new.output(0))
