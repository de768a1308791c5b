"""Metadata of an ONNX file, read without loading its graph.

A model names the body that it was trained with, which must be known before a back-end opens it.
The file is a Protocol Buffers message of fields with a number, a wire type and a value; metadata
are field 14, each a message of a key (1) and a value (2). Weights are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pymaf_live.errors import ModelError
from pymaf_live.system.regular_file import open_regular

_METADATA, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_BYTES = 1 << 20
_MAX_FIELDS = 1_000_000


def metadata_entries(path: Path) -> dict[str, str]:
    """Return the metadata by key.

    Raises
    ------
    ModelError
        If the file cannot be read or is not ONNX.
    """
    entries = {}
    try:
        size = path.stat().st_size
        with open_regular(path) as file:
            for number, start, length in read_fields(file, 0, size):
                if number != _METADATA:
                    continue
                if length > _MAX_BYTES:
                    raise ValueError("its metadata are too long")
                file.seek(start)
                pair = _pair(file.read(length))
                entries[pair.get(_KEY, b"").decode()] = pair.get(_VALUE, b"").decode()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not an ONNX file: {error}") from error
    return entries


def read_fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, position and length in bytes of each field between two positions.

    The file may be read elsewhere in between.

    Raises
    ------
    ValueError
        If the content is not a message.
    """
    position = start
    for _ in range(_MAX_FIELDS):
        if position >= end:
            return
        file.seek(position)
        tag = _varint(file)
        number, wire = tag >> 3, tag & 7
        begin = file.tell()
        if wire == _VARINT:
            _varint(file)
            length = file.tell() - begin
        elif wire == _BYTES:
            length = _varint(file)
            begin = file.tell()
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("it is damaged")
        if length > end - begin:
            raise ValueError("it is damaged")
        yield number, begin, length
        position = begin + length
    raise ValueError("it has too many fields")


def varints(content: bytes) -> Iterator[int]:
    """Yield the numbers that are packed in a field, as signed 64-bit integers."""
    file = BytesIO(content)
    while file.tell() < len(content):
        value = _varint(file)
        yield value - (1 << 64) if value >> 63 else value


def _pair(content: bytes) -> dict[int, bytes]:
    file = BytesIO(content)
    return {
        number: content[start : start + length]
        for number, start, length in read_fields(file, 0, len(content))
    }


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is truncated")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("it is damaged")
