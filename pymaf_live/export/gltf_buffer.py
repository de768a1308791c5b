"""Binary part of a glTF file, and the file's container."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import OutputError
from pymaf_live.types import Array

FLOAT, BYTE, SHORT, INT = 5126, 5121, 5123, 5125
ELEMENT_SIZE = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
_MAGIC, _JSON_CHUNK, _BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942


class BinaryBuffer:
    """Binary part of a file and the tables that describe it.

    Parameters
    ----------
    content : bytes
        Content to append to.
    views, accessors : list of dict, optional
        Tables of that content, which are appended to.
    """

    def __init__(
        self,
        content: bytes = b"",
        views: list[dict[str, Any]] | None = None,
        accessors: list[dict[str, Any]] | None = None,
    ) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.views: list[dict[str, Any]] = [] if views is None else views
        self.accessors: list[dict[str, Any]] = [] if accessors is None else accessors
        self._append(content)

    def add(
        self,
        values: npt.NDArray[Any],
        kind: str,
        component: int = FLOAT,
        *,
        bounds: bool = False,
        target: int | None = None,
    ) -> int:
        """Add an array, one element of `kind` per row, and return the index of its accessor."""
        dtype = {FLOAT: "<f4", BYTE: "u1", SHORT: "<u2", INT: "<u4"}[component]
        array = np.ascontiguousarray(values, dtype=dtype).reshape(-1, ELEMENT_SIZE[kind])
        view = self.add_bytes(array.tobytes(), {} if target is None else {"target": target})
        accessor: dict[str, Any] = {
            "bufferView": view,
            "componentType": component,
            "count": len(array),
            "type": kind,
        }
        if bounds:
            accessor["min"] = array.min(axis=0).tolist()
            accessor["max"] = array.max(axis=0).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def add_bytes(self, content: bytes, view: dict[str, Any] | None = None) -> int:
        """Add bytes, such as an image, and return the index of their view."""
        place = {"buffer": 0, "byteOffset": self.size, "byteLength": len(content)}
        self.views.append(place | (view or {}))
        self._append(content)
        return len(self.views) - 1

    def _append(self, content: bytes) -> None:
        padding = -len(content) % 4
        self.parts += [content, b"\0" * padding]
        self.size += len(content) + padding


def xyzw(wxyz: Array) -> Array:
    """Convert quaternions (..., 4) from w first to w last."""
    return np.asarray(wxyz[..., [1, 2, 3, 0]])


def with_continuous_signs(quaternions: Array) -> Array:
    """Return quaternions (N, 4) with signs such that interpolation takes the short way."""
    dots = (quaternions[1:] * quaternions[:-1]).sum(axis=-1)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0))
    return np.asarray(quaternions * np.r_[1.0, signs][:, None])


def write_chunks(path: Path, document: dict[str, Any], buffer: BinaryBuffer) -> None:
    """Write a .glb file.

    Raises
    ------
    OutputError
        If it would exceed the format's 4 GiB.
    """
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + buffer.size
    if total >= 1 << 32:
        raise OutputError(f"cannot write {path}: the motion is too long for a .glb file")
    with path.open("wb") as file:
        file.write(struct.pack("<III", _MAGIC, 2, total))
        file.write(struct.pack("<II", len(text), _JSON_CHUNK) + text)
        file.write(struct.pack("<II", buffer.size, _BINARY_CHUNK))
        file.writelines(buffer.parts)
