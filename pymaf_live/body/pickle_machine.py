"""Interpreter of pickles that creates no objects but containers and records.

It executes the opcodes of protocols 0 to 5 (see Python's `pickletools`) that describe data. Where a
pickle names a function or class, the machine keeps the name; where it calls one, it keeps a record
of the call. Nothing is imported or called, and no memory is allocated beyond what the file holds.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap
from typing import Any

Buffer = bytes | mmap
"""Content of a file."""

_MAX_OPCODES = 1_000_000
_MAX_LINE = 1 << 28
_MAX_NUMBER = 64
"""Characters of a number in text, bytes of a long integer."""


@dataclass(frozen=True)
class Name:
    """Function or class that a pickle names."""

    module: str
    name: str


@dataclass(eq=False)
class Call:
    """Call that a pickle describes, and the state given to its result."""

    function: Name
    arguments: tuple[Any, ...]
    state: Any = None


class _Mark:
    """Begin of the items of a container on the stack."""


_MARK = _Mark()


class PickleMachine:
    """Execute the opcodes of one pickle.

    Parameters
    ----------
    content : bytes or mmap
    check_name : callable
        Is given every `Name` and raises ValueError if it is not accepted.
    """

    def __init__(self, content: Buffer, check_name: Callable[[Name], None]) -> None:
        self._content, self._size, self._position = content, len(content), 0
        self._check_name = check_name
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the pickled value: containers, numbers, text (Python 2's as bytes), `Call`s.

        Raises
        ------
        ValueError
            If the pickle is damaged or uses an opcode that data does not need.
        """
        for _ in range(_MAX_OPCODES):
            opcode = self._read(1)
            if opcode == b".":
                if len(self._stack) != 1:
                    raise ValueError("it is damaged")
                return self._stack.pop()
            action = _ACTIONS.get(opcode)
            if action is None:
                raise ValueError(f"it uses an unsupported opcode {opcode!r}")
            action(self)
        raise ValueError("it has too many entries")

    def _read(self, count: int) -> bytes:
        end = self._position + count
        if count < 0 or end > self._size:
            raise ValueError("it ends early")
        part = self._content[self._position : end]
        self._position = end
        return part

    def _number(self, layout: str) -> int:
        return int(struct.unpack(layout, self._read(struct.calcsize(layout)))[0])

    def _line(self, limit: int = _MAX_NUMBER) -> bytes:
        end = self._content.find(b"\n", self._position, self._position + limit + 1)
        if end < 0:
            raise ValueError("it ends early")
        line = self._content[self._position : end]
        self._position = end + 1
        return line

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ValueError("it is damaged")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ValueError("it is damaged")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self._stack:
            value = self._stack.pop()
            if value is _MARK:
                items.reverse()
                return items
            items.append(value)
        raise ValueError("it is damaged")

    def _drop(self) -> None:
        self._pop()

    def _drop_to_mark(self) -> None:
        self._pop_to_mark()

    # numbers and text ---------------------------------------------------------------------------

    def _text_integer(self) -> None:
        line = self._line()
        # protocol 0 writes truth values as these
        self._push({b"00": False, b"01": True}.get(line))
        if self._stack[-1] is None:
            self._stack[-1] = int(line)

    def _text_long(self) -> None:
        self._push(int(self._line().rstrip(b"L")))

    def _long(self, layout: str) -> None:
        count = self._number(layout)
        if not 0 <= count <= _MAX_NUMBER:
            raise ValueError("a number that is too large")
        self._push(int.from_bytes(self._read(count), "little", signed=True))

    def _float(self) -> None:
        self._push(float(struct.unpack(">d", self._read(8))[0]))

    def _quoted_text(self) -> None:
        line = self._line(_MAX_LINE).strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError("it is damaged")
        self._push(codecs.escape_decode(line[1:-1])[0])

    def _bytes(self, layout: str) -> None:
        self._push(self._read(self._number(layout)))

    def _unicode(self, layout: str) -> None:
        self._push(self._read(self._number(layout)).decode("utf-8", "surrogatepass"))

    # containers ---------------------------------------------------------------------------------

    def _tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(items)))

    def _append(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise ValueError("it is damaged")
        target.extend(items)

    def _append_one(self) -> None:
        self._append([self._pop()])

    def _set_items(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError("it is damaged")
        target.update(_dictionary(items))

    def _set_one_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    # names and calls ----------------------------------------------------------------------------

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("it is damaged")
        found = Name(module, name)
        self._check_name(found)
        self._push(found)

    def _name_of_lines(self) -> None:
        module = self._line(256).decode("ascii", "replace")
        self._name(module, self._line(256).decode("ascii", "replace"))

    def _name_of_stack(self) -> None:
        name, module = self._pop(), self._pop()
        self._name(module, name)

    def _call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise ValueError("it calls what is not a function")
        self._push(Call(function, arguments))

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if not isinstance(target, Call) or target.state is not None:
            raise ValueError("it sets the state of an object twice")
        target.state = state

    # memo ---------------------------------------------------------------------------------------

    def _put(self, index: int) -> None:
        self._memo[index] = self._top()

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise ValueError("it refers to data outside itself")
        self._push(self._memo[index])


def _dictionary(items: list[Any]) -> dict[Any, Any]:
    if not all(isinstance(key, (str, bytes, int)) for key in items[::2]):
        raise ValueError("a key that is not text")
    return dict(zip(items[::2], items[1::2], strict=True))


def _pairs(machine: PickleMachine) -> dict[Any, Any]:
    items = machine._pop_to_mark()
    if len(items) % 2:
        raise ValueError("it is damaged")
    return _dictionary(items)


def _ignore(machine: PickleMachine, count: int) -> None:
    machine._read(count)


_ACTIONS: dict[bytes, Callable[[PickleMachine], None]] = {
    # protocol and frames
    b"\x80": lambda m: _ignore(m, 1),
    b"\x95": lambda m: _ignore(m, 8),
    # constants and numbers
    b"N": lambda m: m._push(None),
    b"\x88": lambda m: m._push(True),
    b"\x89": lambda m: m._push(False),
    b"I": PickleMachine._text_integer,
    b"L": PickleMachine._text_long,
    b"F": lambda m: m._push(float(m._line())),
    b"J": lambda m: m._push(m._number("<i")),
    b"K": lambda m: m._push(m._number("<B")),
    b"M": lambda m: m._push(m._number("<H")),
    b"\x8a": lambda m: m._long("<B"),
    b"\x8b": lambda m: m._long("<i"),
    b"G": PickleMachine._float,
    # text and bytes
    b"S": PickleMachine._quoted_text,
    b"T": lambda m: m._bytes("<i"),
    b"U": lambda m: m._bytes("<B"),
    b"B": lambda m: m._bytes("<I"),
    b"C": lambda m: m._bytes("<B"),
    b"\x8e": lambda m: m._bytes("<Q"),
    b"\x96": lambda m: m._bytes("<Q"),
    b"V": lambda m: m._push(m._line(_MAX_LINE).decode("raw-unicode-escape")),
    b"X": lambda m: m._unicode("<I"),
    b"\x8c": lambda m: m._unicode("<B"),
    b"\x8d": lambda m: m._unicode("<Q"),
    # containers
    b"(": lambda m: m._push(_MARK),
    b")": lambda m: m._push(()),
    b"t": lambda m: m._push(tuple(m._pop_to_mark())),
    b"\x85": lambda m: m._tuple(1),
    b"\x86": lambda m: m._tuple(2),
    b"\x87": lambda m: m._tuple(3),
    b"]": lambda m: m._push([]),
    b"l": lambda m: m._push(m._pop_to_mark()),
    b"a": PickleMachine._append_one,
    b"e": lambda m: m._append(m._pop_to_mark()),
    b"}": lambda m: m._push({}),
    b"d": lambda m: m._push(_pairs(m)),
    b"s": PickleMachine._set_one_item,
    b"u": lambda m: m._set_items(m._pop_to_mark()),
    # stack and memo
    b"0": PickleMachine._drop,
    b"1": PickleMachine._drop_to_mark,
    b"2": lambda m: m._push(m._top()),
    b"p": lambda m: m._put(int(m._line())),
    b"q": lambda m: m._put(m._number("<B")),
    b"r": lambda m: m._put(m._number("<I")),
    b"\x94": lambda m: m._put(len(m._memo)),
    b"g": lambda m: m._get(int(m._line())),
    b"h": lambda m: m._get(m._number("<B")),
    b"j": lambda m: m._get(m._number("<I")),
    # names and calls
    b"c": PickleMachine._name_of_lines,
    b"\x93": PickleMachine._name_of_stack,
    b"R": PickleMachine._call,
    b"\x81": PickleMachine._call,
    b"b": PickleMachine._build,
}
