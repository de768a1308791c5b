"""BlazePose's landmark network as a trainable torch module, its weights read from the .tflite file.

The file is a flatbuffer of NHWC operators with static shapes and batch norm folded in. Each
operator becomes a small NCHW module; `taps` names the inner tensors to return, and operators that
none of them needs are left out. The tensor numbers of the pyramid come from reading the graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.errors import ModelError

SIZE = 256
"""Side of the input crop in pixels."""


@dataclass(frozen=True)
class Layout:
    """Tensor numbers and sizes of a landmark file."""

    pyramid: tuple[int, int, int]
    """Maps of 16x16, 32x32 and 64x64, coarse to fine."""
    channels: int
    """Channels of each of these maps."""
    trunk: int
    """The 2x2 map that the landmark outputs are computed from."""
    trunk_channels: int
    stem: int
    """Last tensor of the high-resolution stages (to the lateral of 32x32): general edge and texture
    filters that hold under 4 % of the weights and take half of the backward pass."""


LAYOUTS = {
    "lite": Layout((260, 262, 264), 32, 308, 192, 211),
    "full": Layout((275, 277, 279), 48, 335, 288, 231),
    "heavy": Layout((541, 543, 545), 48, 694, 288, 453),
}

_OUTPUTS = {"landmarks": "Identity", "presence": "Identity_1", "world": "Identity_4"}
_HEATMAPS = "Identity_3"


class _Pad(nn.Module):
    def __init__(self, amounts: list[int]) -> None:
        super().__init__()
        self.amounts = amounts

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, self.amounts)


class TfliteModule(nn.Module):
    """A convolutional .tflite graph as a torch module.

    Parameters
    ----------
    path : Path
        The landmark file.
    taps : mapping of str to int or str
        Name of each returned tensor -> its number, or the name of an output.

    Raises
    ------
    ModelError
        If the file is missing or has an unsupported operator.
    """

    def __init__(self, path: Path, taps: Mapping[str, int | str]) -> None:
        super().__init__()
        graph = _Graph(path)
        self.taps = {name: graph.number(tensor) for name, tensor in taps.items()}
        self.input = graph.input
        steps = list(_steps(graph))
        needed, used = set(self.taps.values()), []
        for output, inputs, module in reversed(steps):
            if output in needed:
                needed.update(inputs)
                used.append((output, inputs, module))
        used.reverse()
        self.operators = nn.ModuleDict({str(output): module for output, _, module in used})
        self.program = [(output, inputs) for output, inputs, _ in used]
        self._last_use = {i: output for output, inputs in self.program for i in inputs}

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the tapped tensors, NCHW or (B, N), of images (B, 3, S, S), RGB in 0..1."""
        values = {self.input: image}
        tapped = set(self.taps.values())
        for output, inputs in self.program:
            value = values[inputs[0]]
            for other in inputs[1:]:
                value = value + values[other]
            values[output] = self.operators[str(output)](value)
            for i in inputs:
                if self._last_use[i] == output and i not in tapped:
                    values.pop(i, None)
        return {name: values[number] for name, number in self.taps.items()}


class _Graph:
    """Flatbuffer model, as far as the conversion reads it."""

    def __init__(self, path: Path) -> None:
        from mediapipe.tasks.metadata import schema_py_generated as schema

        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
        if content[4:8] != b"TFL3":
            raise ModelError(f"{path} is not a tflite file")
        self.schema = schema
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self.graph = self.model.subgraphs[0]
        self.input = int(self.graph.inputs[0])
        self.constants = {
            number: values
            for number in range(len(self.graph.tensors))
            if (values := self._constant(number)) is not None
        }
        names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        codes = self.model.operatorCodes
        self.codes = [names[max(c.builtinCode, c.deprecatedBuiltinCode)] for c in codes]

    def shape(self, number: int) -> list[int]:
        return [int(extent) for extent in self.graph.tensors[number].shape]

    def number(self, tensor: int | str) -> int:
        if isinstance(tensor, int):
            return tensor
        for output in self.graph.outputs:
            if self.graph.tensors[output].name.decode() == tensor:
                return int(output)
        raise ModelError(f"the landmark file has no output {tensor}")

    def _constant(self, number: int) -> Any:
        tensor = self.graph.tensors[number]
        types = self.schema.TensorType
        kinds = {types.FLOAT32: np.float32, types.FLOAT16: np.float16, types.INT32: np.int32}
        data = self.model.buffers[tensor.buffer].data
        if data is None or not len(data) or tensor.type not in kinds:
            return None
        flat = np.frombuffer(np.asarray(data, np.uint8).tobytes(), kinds[tensor.type])
        return flat.reshape(self.shape(number))


def _steps(graph: _Graph) -> Iterator[tuple[int, list[int], nn.Module]]:
    pads: dict[int, tuple[int, list[int]]] = {}
    for operator in graph.graph.operators:
        kind = graph.codes[operator.opcodeIndex]
        inputs, output = [int(i) for i in operator.inputs], int(operator.outputs[0])
        options = operator.builtinOptions
        if kind == "DEQUANTIZE":
            graph.constants[output] = graph.constants[inputs[0]].astype(np.float32)
        elif kind == "PAD":
            (top, bottom), (left, right), (first, last) = graph.constants[inputs[1]][1:].tolist()
            amounts = [left, right, top, bottom]
            if first == last == 0:
                # folded into the unpadded convolution that follows
                pads[output] = (inputs[0], amounts)
            yield output, inputs[:1], _Pad([*amounts, first, last])
        elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            yield _convolution(graph, operator, pads, depthwise=kind.startswith("DEPTH"))
        elif kind == "ADD":
            yield output, inputs, _activation(options)
        elif kind == "RESIZE_BILINEAR":
            size, before = graph.constants[inputs[1]].tolist(), graph.shape(inputs[0])[1:3]
            # by factors: an exported graph would compute sizes from the batch
            factors = tuple(to / extent for to, extent in zip(size, before, strict=True))
            yield output, inputs[:1], nn.Upsample(scale_factor=factors, mode="bilinear")
        elif kind == "MAX_POOL_2D":
            window = (options.filterHeight, options.filterWidth)
            stride = (options.strideH, options.strideW)
            yield output, inputs[:1], nn.MaxPool2d(window, stride)
        elif kind == "RESHAPE":
            yield output, inputs[:1], nn.Flatten()
        elif kind == "LOGISTIC":
            yield output, inputs[:1], nn.Sigmoid()
        else:
            raise ModelError(f"the landmark file has an unsupported operator: {kind}")


def _convolution(
    graph: _Graph, operator: Any, pads: dict[int, tuple[int, list[int]]], *, depthwise: bool
) -> tuple[int, list[int], nn.Module]:
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    options = operator.builtinOptions
    weight = torch.from_numpy(graph.constants[int(operator.inputs[1])].astype(np.float32))
    # tflite: (out, h, w, in), depthwise (1, h, w, channels)
    weight = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
    kernel, stride = (weight.shape[2], weight.shape[3]), (options.strideH, options.strideW)
    channels = graph.shape(source)[3]
    amounts = [0, 0, 0, 0]
    if options.padding == graph.schema.Padding.SAME:
        for axis in (0, 1):
            before, after = graph.shape(source)[1 + axis], graph.shape(output)[1 + axis]
            total = max((after - 1) * stride[axis] + kernel[axis] - before, 0)
            amounts[2 * (1 - axis)] = total // 2
            amounts[2 * (1 - axis) + 1] = total - total // 2
    elif source in pads:
        source, amounts = pads[source]
    even = amounts[0] == amounts[1] and amounts[2] == amounts[3]
    convolution = nn.Conv2d(
        channels,
        weight.shape[0],
        kernel,
        stride,
        (amounts[2], amounts[0]) if even else 0,
        groups=weight.shape[0] if depthwise else 1,
    )
    bias = graph.constants[int(operator.inputs[2])].astype(np.float32)
    with torch.no_grad():
        convolution.weight.copy_(weight)
        assert convolution.bias is not None
        convolution.bias.copy_(torch.from_numpy(bias))
    padding = [] if even else [_Pad(amounts)]
    return output, [source], nn.Sequential(*padding, convolution, _activation(options))


def _activation(options: Any) -> nn.Module:
    # in place: training is bound by memory
    kinds: dict[int, nn.Module] = {
        0: nn.Identity(), 1: nn.ReLU(inplace=True), 3: nn.ReLU6(inplace=True)
    }  # fmt: skip
    if options.fusedActivationFunction not in kinds:
        raise ModelError("the landmark file has an unsupported activation")
    return kinds[options.fusedActivationFunction]


def landmark_module(path: Path, kind: str, *, heatmaps: bool = False) -> TfliteModule:
    """Return encoder, pyramid and landmark outputs of a `lite`, `full` or `heavy` file.

    Parameters
    ----------
    path : Path
    kind : str
        Key of `LAYOUTS`.
    heatmaps : bool
        Return the landmarks' heatmaps too.
    """
    layout = LAYOUTS[kind]
    taps: dict[str, int | str] = {f"map{i}": n for i, n in enumerate(layout.pyramid)}
    taps |= {"trunk": layout.trunk, **_OUTPUTS}
    return TfliteModule(path, {**taps, "heatmaps": _HEATMAPS} if heatmaps else taps)
