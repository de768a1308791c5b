"""Container of a glTF 2.0 file: JSON, buffers, accessors, all bounded and checked.

Written to the specification of the Khronos Group. `ContainerError` is raised for whatever does not
conform; the reader turns it into one line.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from pymaf_live.characters.files import FileTooLargeError, read_file
from pymaf_live.characters.model import MAX_FILE_BYTES

_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942
_MAX_JSON_BYTES = 64 << 20
_TYPES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_DATA_URI = "base64,"


class ContainerError(ValueError):
    """File that does not conform to the specification."""


@dataclass(frozen=True, eq=False)
class Container:
    """JSON and binary buffers of a file."""

    path: Path
    document: dict[str, Any]
    buffers: tuple[bytes, ...]

    def items(self, name: str, limit: int) -> list[dict[str, Any]]:
        """Return a top-level list of objects, at most `limit` of them."""
        found = self.document.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise ContainerError(f"{name} is not a list of objects")
        if len(found) > limit:
            raise ContainerError(f"{len(found)} {name}; at most {limit} are supported")
        return found

    def item(self, name: str, index: object, limit: int = 1 << 20) -> dict[str, Any]:
        """Return one object of a top-level list."""
        items = self.items(name, limit)
        return items[checked_index(index, len(items), name)]

    def view(self, index: object) -> tuple[memoryview, int]:
        """Return the bytes of a buffer view and its stride, 0 for none."""
        view = self.item("bufferViews", index)
        buffer = self.buffers[checked_index(view.get("buffer"), len(self.buffers), "buffers")]
        start, length = natural(view.get("byteOffset", 0)), natural(view.get("byteLength"))
        if start + length > len(buffer):
            raise ContainerError("a buffer view ends after its buffer")
        return memoryview(buffer)[start : start + length], natural(view.get("byteStride", 0))

    def array(self, index: object, kinds: tuple[str, ...], limit: int) -> npt.NDArray[Any]:
        """Return an accessor's values (N, K); integers that are normalised become 0..1 or -1..1.

        Parameters
        ----------
        index : object
            Index of the accessor as found in the file.
        kinds : tuple of str
            Types that are allowed, such as 'VEC3'.
        limit : int
            Largest number of elements.
        """
        accessor = self.item("accessors", index)
        kind, component = accessor.get("type"), accessor.get("componentType")
        if kind not in kinds or component not in _COMPONENTS:
            raise ContainerError(f"an accessor is {kind} instead of {' or '.join(kinds)}")
        if "sparse" in accessor:
            raise ContainerError("sparse accessors are not supported")
        count, width = natural(accessor.get("count")), _TYPES[str(kind)]
        if count > limit:
            raise ContainerError(f"an accessor has {count} elements; at most {limit} are supported")
        dtype = np.dtype(_COMPONENTS[component])
        if "bufferView" not in accessor:
            return np.zeros((count, width), dtype)
        content, stride = self.view(accessor["bufferView"])
        start, size = natural(accessor.get("byteOffset", 0)), width * dtype.itemsize
        stride = stride or size
        if stride < size or (count and start + stride * (count - 1) + size > len(content)):
            raise ContainerError("an accessor ends after its buffer view")
        values: npt.NDArray[Any] = np.ndarray(
            (count, width), dtype, content, start, (stride, dtype.itemsize)
        ).copy()
        if accessor.get("normalized") and dtype.kind in "iu":
            return np.maximum(values / np.iinfo(dtype).max, -1.0)
        return values


def natural(value: object) -> int:
    """Return a size or offset.

    Raises
    ------
    ContainerError
        If it is not a whole number from 0 to 2^40.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ContainerError(f"{str(value)[:40]!r} is not a size")
    if not 0 <= value < 1 << 40 or int(value) != value:
        raise ContainerError(f"{str(value)[:40]} is not a size")
    return int(value)


def checked_index(value: object, count: int, name: str) -> int:
    """Return an index below `count`.

    Raises
    ------
    ContainerError
    """
    index = natural(value)
    if index >= count:
        raise ContainerError(f"{name} has no element {index}")
    return index


def read_container(path: Path) -> tuple[Container, bytes]:
    """Read a .glb, .vrm or .gltf file.

    Returns
    -------
    container : Container
    content : bytes
        The whole file, for its hash.

    Raises
    ------
    ContainerError
        If the file is damaged, too large or of another format.
    OSError
        If the file cannot be read.
    """
    try:
        content = read_file(path, MAX_FILE_BYTES)
    except FileTooLargeError as error:
        raise ContainerError(str(error)) from error
    text, binary = _chunks(content) if content[:4] == b"glTF" else (content, None)
    document = parse_json(text)
    asset = document.get("asset")
    version = str(asset.get("version")) if isinstance(asset, dict) else "?"
    if not version.startswith("2."):
        raise ContainerError(f"the file is not glTF 2.0 (version {version[:20]})")
    return Container(path, document, _buffers(path, document, binary)), content


def parse_json(text: bytes) -> dict[str, Any]:
    """Parse the JSON of a file.

    Raises
    ------
    ContainerError
    """
    if len(text) > _MAX_JSON_BYTES:
        raise ContainerError(f"its JSON has more than {_MAX_JSON_BYTES >> 20} MB")
    try:
        document = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ContainerError("the file is not glTF: its JSON cannot be read") from error
    if not isinstance(document, dict):
        raise ContainerError("the file is not glTF: its JSON is not an object")
    return document


def _chunks(content: bytes) -> tuple[bytes, bytes | None]:
    """Return the JSON chunk and the binary chunk, None without one."""
    if len(content) < 20:
        raise ContainerError("the file is cut off")
    _, version, length = struct.unpack_from("<III", content)
    if version != 2 or length > len(content):
        raise ContainerError("the file is cut off, or not glTF 2.0")
    size, kind = struct.unpack_from("<II", content, 12)
    if kind != _JSON_CHUNK or 20 + size > length:
        raise ContainerError("the file has no JSON at its start")
    text, rest = content[20 : 20 + size], 20 + size
    if rest + 8 > length:
        return text, None
    size, kind = struct.unpack_from("<II", content, rest)
    if kind != _BINARY_CHUNK:
        return text, None
    if rest + 8 + size > length:
        raise ContainerError("the file is cut off")
    return text, content[rest + 8 : rest + 8 + size]


def _buffers(path: Path, document: dict[str, Any], binary: bytes | None) -> tuple[bytes, ...]:
    listed = document.get("buffers", [])
    if not isinstance(listed, list) or len(listed) > 64:
        raise ContainerError("buffers is not a list of at most 64 objects")
    buffers, total = [], 0
    for index, each in enumerate(listed):
        if not isinstance(each, dict):
            raise ContainerError("a buffer is not an object")
        uri = each.get("uri")
        if uri is None:
            if index or binary is None:
                raise ContainerError("a buffer has no content")
            buffers.append(binary)
            continue
        buffers.append(uri_content(path, uri, MAX_FILE_BYTES - total))
        total += len(buffers[-1])
    return tuple(buffers)


def uri_content(path: Path, uri: object, limit: int) -> bytes:
    """Return the bytes that a URI of a file names: embedded, or a file in the same folder.

    Raises
    ------
    ContainerError
        If the URI leads elsewhere, or its file is missing or larger than `limit` bytes.
    """
    if not isinstance(uri, str):
        raise ContainerError("a URI is not text")
    if uri.startswith("data:"):
        head, found, text = uri.partition(_DATA_URI)
        if not found or len(head) > 100:
            raise ContainerError("an embedded buffer is not base64")
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error) as error:
            raise ContainerError("an embedded buffer is not base64") from error
    name = unquote(uri)
    parts = Path(name.replace("\\", "/")).parts
    if ":" in name or "\0" in name or not parts or parts[0] == "/" or ".." in parts:
        raise ContainerError(f"{uri[:80]!r} is not a file beside this one")
    neighbour = path.parent.joinpath(*parts)
    try:
        return read_file(neighbour, limit)
    except OSError as error:
        raise ContainerError(f"the file {name[:80]} beside it cannot be read") from error
    except FileTooLargeError as error:
        raise ContainerError(f"the file {name[:80]} beside it is too large") from error
