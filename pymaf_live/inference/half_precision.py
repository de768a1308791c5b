"""Conversion of a model's graph to half precision: the encoder in fp16, the rest in f32.

TensorRT's newer releases choose no precision by themselves; every tensor has the type declared in
the file. The encoder, which does nearly all of the work, is converted to fp16. From the first
sampling of feature maps at points (GridSample, or GatherND cell by cell) on, everything stays in
f32: coordinates in fp16 would be off by fractions of a cell, and the regressors feed their errors
back into themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.inference.stored_weights import unpack_weights

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

LAST_OPSET = 18
"""Newer opsets call GridSample's 'bilinear' 'linear', which TensorRT silently takes for nearest."""

_SEEDS = ("Conv", "ConvTranspose")
_SAMPLING = ("GridSample", "GatherND")
# only these operators are converted; each computes in the type of its inputs
_CONVERTIBLE = frozenset(
    [
        "Conv",
        "ConvTranspose",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Clip",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Tanh",
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "Pad",
        "Resize",
        "Concat",
        "BatchNormalization",
        "Identity",
        "Slice",
        "Reshape",
        "Transpose",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "ReduceMean",
    ]
)
# inputs that always stay f32: scales and regions of interest
_F32_INPUTS = {"Resize": (1, 2)}
_MAX_BYTES = 1 << 30


def read_model(path: Path) -> ModelProto:
    """Read an ONNX file; weights stored in fp16 or int8 become f32 constants.

    Raises
    ------
    ModelError
        If it is damaged, or its operators are newer than `LAST_OPSET`.
    ImportError
        If the package ``onnx`` is missing.
    """
    import onnx

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path} is too large to be a model")
        model = onnx.load(path, load_external_data=False)
        if any(tensor.external_data for tensor in model.graph.initializer):
            raise ModelError(f"{path} stores its weights in other files")
        onnx.checker.check_model(model)
    except ModelError:
        raise
    except Exception as error:  # protobuf's and the checker's errors share no base
        raise ModelError(f"{path} is not a readable model") from error
    opset = max((each.version for each in model.opset_import if not each.domain), default=0)
    if not 0 < opset <= LAST_OPSET:
        raise ModelError(
            f"{path} uses ONNX opset {opset}, and TensorRT reads GridSample wrongly above "
            f"{LAST_OPSET}: export it again"
        )
    unpack_weights(model)
    return model


def to_half_precision(model: ModelProto) -> ModelProto:
    """Return the model with its encoder in fp16; inputs and outputs stay f32.

    Parameters
    ----------
    model : ModelProto
        From `read_model`; not modified.

    Returns
    -------
    ModelProto
        Identical to `model` if there is no convolution.

    Raises
    ------
    ModelError
        If the types of the graph are inconsistent.
    """
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:
        raise ModelError("the model's graph is inconsistent") from error
    inside = _encoder(model.graph)
    _convert(model.graph, inside)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ModelError("the model cannot be converted to half precision") from error
    return model


def _convert(graph: GraphProto, inside: frozenset[int]) -> None:
    """Convert the nodes `inside` to fp16, with casts where tensors enter and leave."""
    from onnx import TensorProto, helper

    inner = {name for k in inside for name in graph.node[k].output}
    outside = _used_outside(graph, inside)
    floats = _floats(graph)
    twins = _Twins(graph)
    nodes: list[NodeProto] = []
    for k, node in enumerate(graph.node):
        if k not in inside:
            nodes.append(node)
            continue
        converted = helper.make_node(node.op_type, [], [])
        converted.CopyFrom(node)
        for slot, name in enumerate(node.input):
            if name in floats and slot not in _F32_INPUTS.get(node.op_type, ()):
                # the encoder's own tensors exist in fp16 already
                converted.input[slot] = _twin(name) if name in inner else twins.of(name, nodes)
        for slot, name in enumerate(node.output):
            converted.output[slot] = _twin(name)
        nodes.append(converted)
        nodes += [
            helper.make_node("Cast", [_twin(name)], [name], to=TensorProto.FLOAT)
            for name in sorted(set(node.output) & outside)
        ]
    graph.initializer.extend(twins.tensors)
    # the recorded types of inner tensors are outdated
    del graph.value_info[:]
    used = {name for node in nodes for name in node.input} | {o.name for o in graph.output}
    _set_nodes(graph, [n for n in nodes if n.op_type != "Constant" or n.output[0] in used])
    remaining = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(remaining)


def _twin(name: str) -> str:
    """Return the name of the fp16 twin of an f32 tensor."""
    return f"{name}.fp16"


class _Twins:
    """The fp16 twins of f32 tensors that enter the encoder; each is created once."""

    def __init__(self, graph: GraphProto) -> None:
        self._constants = _constants(graph)
        self._names: set[str] = set()
        self.tensors: list[TensorProto] = []
        """Twins of constants."""

    def of(self, name: str, nodes: list[NodeProto]) -> str:
        """Return the name of the twin; a cast to it is added to `nodes` if it is not a constant."""
        from onnx import TensorProto, helper, numpy_helper

        twin = _twin(name)
        if name in self._names:
            return twin
        self._names.add(name)
        tensor = self._constants.get(name)
        if tensor is None:
            nodes.append(helper.make_node("Cast", [name], [twin], to=TensorProto.FLOAT16))
        else:
            with np.errstate(over="ignore"):
                array = numpy_helper.to_array(tensor).astype(np.float16)
            self.tensors.append(numpy_helper.from_array(array, twin))
        return twin


def _constants(graph: GraphProto) -> dict[str, TensorProto]:
    """Return the constant tensors of the graph by name."""
    initializers = {t.name: t for t in graph.initializer}
    return initializers | {
        node.output[0]: node.attribute[0].t
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }


def _floats(graph: GraphProto) -> set[str]:
    """Return the names of the f32 tensors."""
    from onnx import TensorProto

    infos = [*graph.value_info, *graph.input, *graph.output]
    floats = {info.name for info in infos if info.type.tensor_type.elem_type == TensorProto.FLOAT}
    constants = _constants(graph).items()
    return floats | {name for name, tensor in constants if tensor.data_type == TensorProto.FLOAT}


def _encoder(graph: GraphProto) -> frozenset[int]:
    """Return the indices of nodes between convolutions that sample no feature map at points."""
    producer = {name: k for k, node in enumerate(graph.node) for name in node.output}
    inputs = [{producer[name] for name in n.input if name in producer} for n in graph.node]
    after_sampling: set[int] = set()
    after_seed: set[int] = set()
    # nodes are in order of computation
    for k, node in enumerate(graph.node):
        if node.op_type in _SAMPLING or inputs[k] & after_sampling:
            after_sampling.add(k)
        elif node.op_type in _SEEDS or inputs[k] & after_seed:
            after_seed.add(k)
    leads_to_seed: set[int] = set()
    for k in reversed(range(len(graph.node))):
        if k in leads_to_seed or (graph.node[k].op_type in _SEEDS and k in after_seed):
            leads_to_seed |= {k, *inputs[k]}
    typed = _float_outputs(graph)
    large = _too_large(graph)
    return frozenset(
        k
        for k in after_seed & leads_to_seed
        if graph.node[k].op_type in _CONVERTIBLE
        and set(graph.node[k].output) <= typed
        and not set(graph.node[k].input) & large
    )


def _float_outputs(graph: GraphProto) -> set[str]:
    from onnx import TensorProto

    infos = [*graph.value_info, *graph.output]
    return {info.name for info in infos if info.type.tensor_type.elem_type == TensorProto.FLOAT}


def _too_large(graph: GraphProto) -> set[str]:
    """Return the names of weights that exceed the range of fp16."""
    from onnx import TensorProto, numpy_helper

    found = set()
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor)
            finite = values[np.isfinite(values)]
            if finite.size and np.abs(finite).max() > np.finfo(np.float16).max:
                found.add(tensor.name)
    return found


def _used_outside(graph: GraphProto, inside: frozenset[int]) -> set[str]:
    used = {output.name for output in graph.output}
    for k, node in enumerate(graph.node):
        if k not in inside:
            used |= set(node.input)
        else:
            used |= {
                node.input[s] for s in _F32_INPUTS.get(node.op_type, ()) if s < len(node.input)
            }
    return used


def _set_nodes(graph: GraphProto, nodes: list[Any]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
