"""Metadata of an ONNX file, read without loading its graph.

A model names the body that it was trained with, which must be known before a back-end opens it.
The file is a Protocol Buffers message of fields with a number, a wire type and a value; metadata
are field 14, each a message of a key (1) and a value (2). Weights are skipped.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pymaf_live.errors import ModelError

_METADATA, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_BYTES = 1 << 20
_MAX_FIELDS = 10_000


def metadata_entries(path: Path) -> dict[str, str]:
    """Return the metadata by key.

    Raises
    ------
    ModelError
        If the file cannot be read or is not ONNX.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            found = _fields(file, size, {_METADATA})
        entries = {}
        for _, content in found:
            pair = dict(_fields(BytesIO(content), len(content), {_KEY, _VALUE}))
            entries[pair.get(_KEY, b"").decode()] = pair.get(_VALUE, b"").decode()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not an ONNX file: {error}") from error
    return entries


def _fields(file: BinaryIO, end: int, wanted: set[int]) -> list[tuple[int, bytes]]:
    """Return number and content of the wanted fields of type bytes, up to position `end`."""
    found: list[tuple[int, bytes]] = []
    for _ in range(_MAX_FIELDS):
        if file.tell() >= end:
            return found
        tag = _varint(file)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _varint(file)
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(wire)
        if wire == _BYTES:
            length = _varint(file)
        if length is None or length > end - file.tell():
            raise ValueError("it is damaged")
        if number in wanted and wire == _BYTES:
            if length > _MAX_BYTES:
                raise ValueError("its metadata are too long")
            found.append((number, file.read(length)))
        else:
            file.seek(length, os.SEEK_CUR)
    raise ValueError("it has too many fields")


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is truncated")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("it is damaged")
