"""Constant folding of traced graphs: everything independent of the image is computed once.

A trace holds every constant as a node of its own, sums of parameters, and the same constant as
often as it is used. ONNX Runtime's basic optimisation level folds constants and removes common
subexpressions; it writes plain ONNX with the original operators.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnx import ModelProto, TensorProto

from pymaf_live.errors import ModelError
from pymaf_live.system.onnxruntime_import import import_onnxruntime

_MAX_ROUNDS = 4


def fold_constants(model: ModelProto) -> ModelProto:
    """Return the model with all constants folded, in the same version of ONNX.

    Raises
    ------
    ModelError
        If the result is not plain ONNX.
    """
    version = [(opset.domain, opset.version) for opset in model.opset_import]
    for _ in range(_MAX_ROUNDS):
        before = len(model.graph.node)
        model = _optimize(model)
        # common subexpressions are found only if their constants are the same tensor
        _merge_equal_constants(model)
        if len(model.graph.node) == before:
            break
    if any(node.domain not in {domain for domain, _ in version} for node in model.graph.node):
        raise ModelError("the folded graph has operators that are not plain ONNX")
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(*opset) for opset in version)
    return model


def _optimize(model: ModelProto) -> ModelProto:
    onnxruntime = import_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return onnx.load(path)


def _merge_equal_constants(model: ModelProto) -> None:
    """Keep one tensor of each set of equal constants."""
    first: dict[bytes, str] = {}
    replacement: dict[str, str] = {}
    kept: list[TensorProto] = []
    for tensor in model.graph.initializer:
        name, nameless = tensor.name, TensorProto()
        nameless.CopyFrom(tensor)
        nameless.ClearField("name")
        content = nameless.SerializeToString(deterministic=True)
        if content in first:
            replacement[name] = first[content]
        else:
            first[content] = name
            kept.append(tensor)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = replacement.get(name, name)
    kept = [TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
