"""Check of an ONNX graph for parts that could take memory or time without limit.

A few kilobytes can describe a constant of gigabytes or a loop that never ends; the back-ends fold
and run such graphs without asking. The networks of this program need neither control flow, nor
functions, nor tensors that much larger than an image, so that files with these are refused before a
back-end opens them. Weights are skipped; see `onnx_metadata` for the encoding.
"""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pymaf_live.errors import ModelError
from pymaf_live.inference.onnx_metadata import read_fields, varints
from pymaf_live.system.regular_file import open_regular

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 5, 6, 11
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_INT32, _TENSOR_INT64 = 1, 2, 5, 7
_TENSOR_NAME, _TENSOR_RAW, _TENSOR_LOCATION = 8, 9, 14
_INT32, _INT64 = 6, 7

_MAX_ELEMENTS = 1 << 26
"""Elements of one tensor; a batch of the largest images has a tenth of that."""
_MAX_SHAPE_VALUES = 16
"""Integer constants with more values are indices, not shapes."""
_NOT_SHAPES = frozenset({"Slice", "Gather", "GatherND", "Reshape", "Squeeze", "Unsqueeze", "Clip"})
"""Operators that read integers which are positions or keep the number of elements."""


def require_bounded_graph(path: Path) -> None:
    """Refuse a model whose graph could take memory or time without limit.

    Raises
    ------
    ModelError
        If it has control flow, functions, weights in other files or shapes of huge tensors, or if
        the file cannot be read.
    """
    try:
        with open_regular(path) as file:
            problem = _problem(file, path.stat().st_size)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    except (ValueError, struct.error) as error:
        raise ModelError(f"{path} is not an ONNX file: {error}") from error
    if problem:
        raise ModelError(f"the model {path} does not fit this program: {problem}")


def _problem(file: BinaryIO, size: int) -> str:
    constants: dict[str, list[int]] = {}
    users: defaultdict[str, set[str]] = defaultdict(set)
    for number, start, length in read_fields(file, 0, size):
        if number == _MODEL_FUNCTIONS:
            return "it defines functions"
        if number == _MODEL_GRAPH:
            for part, begin, extent in read_fields(file, start, start + length):
                if part == _GRAPH_NODE:
                    problem = _read_node(file, begin, extent, constants, users)
                elif part == _GRAPH_INITIALIZER:
                    problem = _read_tensor(file, begin, extent, "", constants)
                else:
                    continue
                if problem:
                    return problem
    for name, values in constants.items():
        if not users[name] <= _NOT_SHAPES and math.prod(max(1, abs(v)) for v in values) > (
            _MAX_ELEMENTS
        ):
            return f"its constant {name[:40]!r} is the shape of a tensor larger than any image"
    return ""


def _read_node(
    file: BinaryIO,
    start: int,
    length: int,
    constants: dict[str, list[int]],
    users: defaultdict[str, set[str]],
) -> str:
    inputs: list[str] = []
    outputs: list[str] = []
    operator = ""
    tensors: list[tuple[int, int]] = []
    for number, begin, extent in read_fields(file, start, start + length):
        if number == _NODE_INPUT:
            inputs.append(_text(file, begin, extent))
        elif number == _NODE_OUTPUT:
            outputs.append(_text(file, begin, extent))
        elif number == _NODE_OP:
            operator = _text(file, begin, extent)
        elif number == _NODE_ATTRIBUTE:
            parts = list(read_fields(file, begin, begin + extent))
            if any(part in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS) for part, _, _ in parts):
                return "it has loops or branches"
            tensors += [(at, size) for part, at, size in parts if part == _ATTRIBUTE_TENSOR]
    for name in inputs:
        users[name].add(operator)
    if operator != "Constant" or not outputs:
        return ""
    problems = [_read_tensor(file, at, size, outputs[0], constants) for at, size in tensors]
    return next(filter(None, problems), "")


def _read_tensor(
    file: BinaryIO, start: int, length: int, name: str, constants: dict[str, list[int]]
) -> str:
    """Note the values of a small integer tensor under its name; return what is wrong with it."""
    kind = 0
    count = 1
    values: list[int] = []
    raw = b""
    for number, begin, extent in read_fields(file, start, start + length):
        if number == _TENSOR_NAME:
            name = _text(file, begin, extent)
        elif number == _TENSOR_TYPE:
            kind = _number(file, begin, extent)
        elif number == _TENSOR_LOCATION and _number(file, begin, extent):
            return "its weights are in another file"
        elif number == _TENSOR_DIMS:
            count *= math.prod(_numbers(file, begin, extent)) if extent < 1024 else 0
        elif number in (_TENSOR_INT32, _TENSOR_INT64) and extent < 1024:
            values += _numbers(file, begin, extent)
        elif number == _TENSOR_RAW and extent <= 8 * _MAX_SHAPE_VALUES:
            raw = _bytes(file, begin, extent)
    if kind in (_INT32, _INT64) and 0 <= count <= _MAX_SHAPE_VALUES:
        if raw:
            letter, width = ("i", 4) if kind == _INT32 else ("q", 8)
            values += struct.unpack(
                f"<{len(raw) // width}{letter}", raw[: len(raw) // width * width]
            )
        constants[name] = values[:_MAX_SHAPE_VALUES]
    return ""


def _bytes(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _text(file: BinaryIO, start: int, length: int) -> str:
    return _bytes(file, start, min(length, 1024)).decode(errors="replace")


def _numbers(file: BinaryIO, start: int, length: int) -> Iterator[int]:
    return varints(_bytes(file, start, length))


def _number(file: BinaryIO, start: int, length: int) -> int:
    return next(_numbers(file, start, length), 0)
