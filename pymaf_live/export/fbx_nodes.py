"""FBX's binary container: a tree of named nodes with typed properties.

Written to the description of the format that the Blender Foundation published in 2013. Our files
have version 7.4, whose offsets are 32-bit; files that are read keep theirs.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pymaf_live.system.reporter import SILENT, Reporter, report_progress

VERSION = 7400
WIDE_VERSION = 7500
"""Version from which offsets are 64-bit."""

HEADER = b"Kaydara FBX Binary  \0\x1a\0"
_FOOTER_ID = bytes.fromhex("fabcab09d0c8d466b176fb831cf7267e")
_FOOTER_END = bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")
_ARRAY_TYPES = {"float32": b"f", "float64": b"d", "int32": b"i", "int64": b"l"}
_MIN_COMPRESSED_SIZE = 128
_COMPRESSION_LEVEL = 1
"""zlib level; curves of floats hardly shrink more at higher ones."""


@dataclass
class Node:
    """Node with a name, ordered properties and children.

    A property is a bool, int (64-bit), `Int32`, float, str, bytes, an array of 32- or 64-bit
    numbers, or the result of `packed`.
    """

    name: str
    properties: list[Any] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    scope: bool = False
    """Compound node, whose list of children is written even when it is empty. Without it, readers
    that expect one (the FBX SDK, assimp) ignore the node and what is connected to it."""

    def add(self, name: str, *properties: Any) -> Node:
        """Add a child and return it."""
        child = Node(name, list(properties))
        self.children.append(child)
        return child


@dataclass(frozen=True)
class Int32:
    """Integer that a reader expects in 32 bits."""

    value: int


@dataclass(frozen=True)
class Packed:
    """Property that is already encoded, for use in many nodes."""

    content: bytes


def packed(values: npt.NDArray[Any]) -> Packed:
    """Encode an array property."""
    array = np.ascontiguousarray(values).ravel()
    code = _ARRAY_TYPES[array.dtype.name]
    raw = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    encoding, content = 0, raw
    if len(raw) > _MIN_COMPRESSED_SIZE:
        encoding, content = 1, zlib.compress(raw, _COMPRESSION_LEVEL)
    return Packed(code + struct.pack("<III", len(array), encoding, len(content)) + content)


def raw_bytes(content: bytes) -> Packed:
    """Encode a property of raw bytes."""
    return Packed(b"R" + len(content).to_bytes(4, "little") + content)


def object_name(name: str, kind: str) -> bytes:
    """Return a name in the form of the Objects section."""
    return name.encode() + b"\0\x01" + kind.encode()


def write_file(
    file: BinaryIO, top: list[Node], reporter: Reporter = SILENT, version: int = VERSION
) -> None:
    """Write top-level nodes as a file.

    Raises
    ------
    OverflowError
        If the file would exceed the 4 GiB of this version.
    Interrupted
        If the reporter is cancelled.
    """
    file.write(HEADER + struct.pack("<I", version))
    size = offset_size(version)
    for index, node in enumerate(top):
        _write(file, node, size)
        report_progress(reporter, (index + 1) / len(top))
    file.write(b"\0" * (3 * size + 1) + _FOOTER_ID)
    padding = 16 - file.tell() % 16  # at least one byte
    file.write(b"\0" * padding + b"\0" * 4 + struct.pack("<I", version))
    file.write(b"\0" * 120 + _FOOTER_END)


def offset_size(version: int) -> int:
    """Return the number of bytes of an offset."""
    return 8 if version >= WIDE_VERSION else 4


def _write(file: BinaryIO, node: Node, size: int) -> None:
    start = file.tell()
    name = node.name.encode()
    properties = b"".join(_encoded(value) for value in node.properties)
    file.write(b"\0" * (3 * size) + struct.pack("<B", len(name)) + name + properties)
    for child in node.children:
        _write(file, child, size)
    if node.children or node.scope or not node.properties:
        file.write(b"\0" * (3 * size + 1))
    end = file.tell()
    if end >= 1 << (8 * size):
        raise OverflowError
    file.seek(start)
    code = "<III" if size == 4 else "<QQQ"
    file.write(struct.pack(code, end, len(node.properties), len(properties)))
    file.seek(end)


def _encoded(value: Any) -> bytes:
    match value:
        case Packed():
            return value.content
        case bool():
            return b"C" + struct.pack("<?", value)
        case Int32():
            return b"I" + struct.pack("<i", value.value)
        case int():
            return b"L" + struct.pack("<q", value)
        case float():
            return b"D" + struct.pack("<d", value)
        case str():
            return _string(value.encode())
        case bytes():
            return _string(value)
        case np.ndarray():
            return packed(value).content
    raise TypeError(type(value))


def _string(content: bytes) -> bytes:
    return b"S" + struct.pack("<I", len(content)) + content
