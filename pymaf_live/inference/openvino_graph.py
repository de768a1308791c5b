"""A model file's graph made ready for OpenVINO's processor plugin, which changes no result."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_live.system.openvino_import import import_openvino


def with_whole_weights(model: Any) -> None:
    """Turn weights that are kept in fp16 and cast back into f32 constants.

    Left as they are, OpenVINO casts them anew in every run.
    """
    openvino = import_openvino()
    for cast in model.get_ops():
        if cast.get_type_name() != "Convert":
            continue
        stored = cast.input_value(0).get_node()
        if stored.get_type_name() == "Constant" and stored.get_element_type() == openvino.Type.f16:
            whole = openvino.opset13.constant(np.asarray(stored.data, dtype=np.float32))
            whole.set_friendly_name(cast.get_friendly_name())
            _put_in_place_of(cast, whole)


def with_activations_apart(model: Any) -> None:
    """Keep the ReLU behind a layer of one row out of its matrix product.

    A product with nothing behind it is made by a kernel that reads the weights twice as fast, and
    for one row reading them is all that it costs: 2155 x 256 take 79 us and with the ReLU 156. What
    two operators read is not joined, so a ReLU is written as (x + |x|) / 2, which is the same to
    the bit. Shapes must be known.
    """
    ops = import_openvino().opset13
    half = np.array([[0.5]], dtype=np.float32)
    for relu in model.get_ops():
        if relu.get_type_name() == "Relu" and _is_layer_of_one_row(relu.input_value(0)):
            x = relu.input_value(0)
            _put_in_place_of(relu, ops.multiply(ops.add(x, ops.abs(x)), ops.constant(half)))


def _is_layer_of_one_row(output: Any) -> bool:
    """Whether a value (1, N) is a product with constant weights, perhaps scaled and shifted."""
    node = output.get_node()
    if node.get_type_name() in ("Add", "Multiply"):
        # what is not the product is a constant, itself perhaps times another one
        return any(_is_layer_of_one_row(node.input_value(side)) for side in (0, 1))
    return node.get_type_name() == "MatMul" and list(output.get_shape())[:-1] == [1]


def _put_in_place_of(old: Any, new: Any) -> None:
    for user in old.output(0).get_target_inputs():
        user.replace_source_output(new.output(0))


def with_pixels_together(model: Any) -> Any:
    """The model with an input (B, S, S, 3) in place of (B, 3, S, S).

    Convolutions want a pixel's colours together; so they need not be brought together first.
    """
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()
