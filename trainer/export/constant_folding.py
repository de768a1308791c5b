"""A traced graph made lean: what does not hang on the picture is worked out once and for all.

A trace holds every constant as a node of its own, the parameters' own sums, and the same constant
as often as it was met. ONNX Runtime's basic level folds them and finds what is calculated twice;
it writes plain ONNX again, with the operators that came in.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnx import ModelProto, TensorProto

from pymaf_live.errors import ModelError

_MOST_ROUNDS = 4


def fold_constants(model: ModelProto) -> ModelProto:
    """The same model with all its constants folded, in the same version of ONNX.

    Raises
    ------
    ModelError
        If it became something else than plain ONNX.
    """
    version = [(opset.domain, opset.version) for opset in model.opset_import]
    for _ in range(_MOST_ROUNDS):
        before = len(model.graph.node)
        model = _optimised(model)
        # what is calculated twice is seen only where the constants are the same ones
        _share(model)
        if len(model.graph.node) == before:
            break
    if any(node.domain not in {domain for domain, _ in version} for node in model.graph.node):
        raise ModelError("the folded graph has operators that are not plain ONNX")
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(*opset) for opset in version)
    return model


def _optimised(model: ModelProto) -> ModelProto:
    import onnxruntime

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


def _share(model: ModelProto) -> None:
    """Keep one of equal constants."""
    first: dict[bytes, str] = {}
    same: dict[str, str] = {}
    kept: list[TensorProto] = []
    for tensor in model.graph.initializer:
        name, nameless = tensor.name, TensorProto()
        nameless.CopyFrom(tensor)
        nameless.ClearField("name")
        content = nameless.SerializeToString(deterministic=True)
        if content in first:
            same[name] = first[content]
        else:
            first[content] = name
            kept.append(tensor)
    for node in model.graph.node:
        for slot, name in enumerate(node.input):
            node.input[slot] = same.get(name, name)
    kept = [TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
