"""Reader of FBX's binary container, for files that get new animation and else stay as they are.

Properties stay encoded (`fbx_nodes.Packed`); `value` decodes single ones. Damaged files raise
`ValueError`.
"""

from __future__ import annotations

import struct
from typing import Any

from pymaf_live.export.fbx_nodes import HEADER, Node, Packed, offset_size

_MAX_NODES = 4_000_000
_MAX_DEPTH = 64
_SIZES = {b"C": 1, b"B": 1, b"Y": 2, b"I": 4, b"L": 8, b"F": 4, b"D": 8}
_FORMATS = {b"C": "<?", b"B": "<?", b"Y": "<h", b"I": "<i", b"L": "<q", b"F": "<f", b"D": "<d"}
_ARRAYS = frozenset((b"f", b"d", b"l", b"i", b"b", b"c"))
_FIRST_VERSION = 7000


def read_tree(content: bytes) -> tuple[int, list[Node]]:
    """Return the version and the top-level nodes of a file.

    Raises
    ------
    ValueError
        If the file is damaged, text, or older than version 7.0.
    """
    if not content.startswith(HEADER[:20]) or len(content) < len(HEADER) + 4:
        raise ValueError("it is not a binary FBX file")
    (version,) = struct.unpack_from("<I", content, len(HEADER))
    if not _FIRST_VERSION <= version < 10_000:
        raise ValueError(f"its version {version} is not supported")
    reader = _Reader(content, offset_size(version))
    top, _ = reader.nodes(len(HEADER) + 4, len(content), 0)
    return version, top


class _Reader:
    def __init__(self, content: bytes, size: int) -> None:
        self._content = content
        self._size = size
        self._code = "<III" if size == 4 else "<QQQ"
        self._count = 0

    def nodes(self, start: int, end: int, depth: int) -> tuple[list[Node], int]:
        """Return the nodes of a list and the place after its end."""
        if depth > _MAX_DEPTH:
            raise ValueError("its nodes are nested too deeply")
        found: list[Node] = []
        head = 3 * self._size + 1
        while start + head <= end:
            stop, count, length = struct.unpack_from(self._code, self._content, start)
            name_length = self._content[start + head - 1]
            if stop == 0:
                return found, start + head
            first = start + head + name_length
            if not start < stop <= end or first + length > stop:
                raise ValueError("a node ends outside the file")
            self._count += 1
            if self._count > _MAX_NODES:
                raise ValueError("it has too many nodes")
            name = self._content[start + head : first].decode("utf-8", "replace")
            node = Node(name, self._properties(first, first + length, count))
            if first + length < stop:
                node.children, _ = self.nodes(first + length, stop, depth + 1)
                node.scope = True
            found.append(node)
            start = stop
        if depth == 0:
            raise ValueError("it is cut off")
        return found, start

    def _properties(self, start: int, end: int, count: int) -> list[Any]:
        found: list[Any] = []
        content = self._content
        while start < end:
            code = content[start : start + 1]
            if code in _SIZES:
                size = _SIZES[code]
            elif code in (b"S", b"R") and start + 5 <= end:
                size = 4 + struct.unpack_from("<I", content, start + 1)[0]
            elif code in _ARRAYS and start + 13 <= end:
                size = 12 + struct.unpack_from("<I", content, start + 9)[0]
            else:
                raise ValueError("a property has an unknown type")
            if start + 1 + size > end:
                raise ValueError("a property ends outside its node")
            found.append(Packed(content[start : start + 1 + size]))
            start += 1 + size
        if len(found) != count:
            raise ValueError("a node has not as many properties as it states")
        return found


def value(packed: Any) -> Any:
    """Return a property that is a number or text; None for arrays and bytes."""
    if not isinstance(packed, Packed):
        return packed
    code = packed.content[:1]
    if code in _FORMATS:
        return struct.unpack_from(_FORMATS[code], packed.content, 1)[0]
    if code == b"S":
        return packed.content[5:].decode("utf-8", "replace")
    return None


def child(node: Node, name: str) -> Node | None:
    """Return the first child with a name."""
    return next((each for each in node.children if each.name == name), None)
