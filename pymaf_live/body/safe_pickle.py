"""Safe reader of pickled arrays: nothing in the file is executed.

SMPL's files are pickled dictionaries of arrays, the older ones written by Python 2 and with
chumpy's objects. Python's own unpickler would call what the file names and hand its states to
NumPy, which trusts them: a forged data type crashes it. `PickleMachine` therefore only records what
the file describes, and this module builds arrays from raw bytes and plain data types of its own.
The result contains numbers, text, arrays and containers of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.body.pickle_machine import Buffer, Call, Name, PickleMachine
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints

_MAX_ENTRIES = 1 << 28
_MAX_DEPTH = 8
_MAX_LENGTH = 64
_MAX_VALUES = 100_000
"""One list can be in another many times, so the total is limited, too."""
_MAX_DIMENSIONS = 4
_CODE = re.compile(r"[<>=|]?([biuf?SU])(\d{0,3})")
_NUMBER_BYTES = {"b": (1,), "?": (0,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}

_CORES = ("numpy.core", "numpy._core")
_BUILTINS = ("__builtin__", "builtins")
_RECONSTRUCT = {(f"{core}.multiarray", "_reconstruct") for core in _CORES}
_SCALAR = {(f"{core}.multiarray", "scalar") for core in _CORES}
_FROM_BUFFER = {(f"{core}.numeric", "_frombuffer") for core in _CORES}
_NEW_OBJECT = {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")}
_SETS = {(module, "set") for module in _BUILTINS}
_SPARSE = {
    (f"scipy.sparse.{prefix}{layout}", f"{layout}_matrix"): layout
    for layout in ("csc", "csr", "coo")
    for prefix in ("", "_")
}
_CHUMPY_ARRAY = ("chumpy.ch", "Ch")
_CHUMPY_SELECTION = ("chumpy.reordering", "Select")
_DTYPE = ("numpy", "dtype")
_ENCODE = ("_codecs", "encode")
_ALLOWED = {
    ("numpy", "ndarray"), _DTYPE, _ENCODE, _CHUMPY_ARRAY, _CHUMPY_SELECTION,
    *_RECONSTRUCT, *_SCALAR, *_FROM_BUFFER, *_NEW_OBJECT, *_SETS, *_SPARSE,
    *((module, "object") for module in _BUILTINS),
}  # fmt: skip


def load_arrays(content: Buffer, name: object) -> Any:
    """Read a pickle of arrays.

    Parameters
    ----------
    content : bytes or mmap
    name : path or str
        Name of the file, for the message.

    Returns
    -------
    object
        Containers of numbers, text and arrays; sparse matrices as `scipy.sparse.csr_matrix`,
        chumpy's objects as the arrays they hold.

    Raises
    ------
    InputError
        If the pickle is damaged or contains anything else, which the message names.
    """
    try:
        return _Builder().value(PickleMachine(content, _check_name).run(), 0)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
        reason = (str(error).splitlines() or ["it is damaged"])[0]
        raise InputError(f"{name} is refused: {reason}") from error


def _check_name(name: Name) -> None:
    if (name.module, name.name) not in _ALLOWED:
        raise ValueError(
            f"it contains {name.module}.{name.name}, which is neither a NumPy array, a SciPy "
            "sparse matrix nor a chumpy array"
        )


class _Builder:
    """Turn the machine's plain records into arrays, each of them once."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES
        self._arrays: dict[int, tuple[Call, Any]] = {}

    def value(self, value: Any, depth: int) -> Any:
        """Return a value with every record replaced by what it describes."""
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            raise ValueError("it is nested too deeply")
        if isinstance(value, (list, tuple, dict)) and len(value) > _MAX_LENGTH:
            raise ValueError("it has too many entries")
        if isinstance(value, dict):
            return {_text(key): self.value(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item, depth + 1) for item in value]
        if isinstance(value, (bytes, bytearray)):
            return value.decode("latin1")
        if isinstance(value, Call):
            # by identity: the file refers to one array from several places
            if id(value) not in self._arrays:
                self._arrays[id(value)] = (value, self._called(value, depth))
            return self._arrays[id(value)][1]
        if isinstance(value, Name):
            raise ValueError(f"{value.name} is not a number, text or array")
        return value

    def _called(self, call: Call, depth: int) -> Any:
        made: tuple[tuple[set[tuple[str, str]], Callable[[Call, int], Any]], ...] = (
            (_RECONSTRUCT, self._array),
            (_FROM_BUFFER, self._array_from_buffer),
            (_SCALAR, self._scalar),
            ({_ENCODE}, lambda call, _: _encoded(call)),
            (_SETS, lambda *_: []),
            ({_CHUMPY_ARRAY}, lambda call, depth: self.value(_state(call).get("x"), depth + 1)),
            ({_CHUMPY_SELECTION}, self._selection),
            (set(_SPARSE), self._sparse_matrix),
        )
        key = _called_name(call)
        for names, build in made:
            if key in names:
                return build(call, depth)
        raise ValueError(f"{key[1]} is not a number, text or array")

    def _array(self, call: Call, depth: int) -> Any:
        # (version, shape, dtype, Fortran order, data); the size that the call names is ignored
        if not isinstance(call.state, tuple) or len(call.state) != 5:
            raise ValueError("an array of an unsupported layout")
        _, shape, kind, fortran, data = call.state
        dtype = _dtype(kind)
        if dtype is None:
            if not isinstance(data, list):
                raise ValueError("an array of an unsupported layout")
            return self.value(data, depth)
        return _shaped(_bytes(data), dtype, shape, "F" if fortran is True else "C")

    def _array_from_buffer(self, call: Call, _: int) -> Array:
        data, kind, shape, order = call.arguments
        dtype = _dtype(kind)
        if dtype is None or order not in ("C", "F"):
            raise ValueError("an array of an unsupported type")
        return _shaped(_bytes(data), dtype, shape, order)

    def _scalar(self, call: Call, _: int) -> Any:
        kind, data = call.arguments
        dtype = _dtype(kind)
        raw = _bytes(data)
        if dtype is None or len(raw) != dtype.itemsize:
            raise ValueError("a number of a wrong size")
        return np.frombuffer(raw, dtype)[0]

    def _selection(self, call: Call, depth: int) -> Array:
        """Return chumpy's `Select`: entries `idxs` of the flat `a`, in `preferred_shape`."""
        state = _state(call)
        source = np.asarray(self.value(state.get("a"), depth + 1), dtype=np.float64).ravel()
        selected: Array = source[self._indices(state["idxs"], depth)]
        shape = state.get("preferred_shape")
        if shape is None:
            return selected
        sizes = np.ravel(self.value(shape, depth + 1))
        return selected.reshape([int(size) for size in sizes])

    def _indices(self, value: Any, depth: int) -> Ints:
        indices = np.asarray(self.value(value, depth + 1))
        if indices.dtype.kind not in "iu":
            raise ValueError("indices that are no integers")
        return indices.astype(np.int64).ravel()

    def _sparse_matrix(self, call: Call, depth: int) -> csr_matrix:
        """Return the matrix of a record after checking every index."""
        layout = _SPARSE[_called_name(call)]
        state = _state(call)
        shape = self.value(state["_shape"] if "_shape" in state else state["shape"], depth + 1)
        rows, columns = (int(size) for size in shape)
        if not (rows > 0 and columns > 0 and rows * columns <= _MAX_ENTRIES):
            raise ValueError("a sparse matrix of an unsupported size")
        data = np.asarray(self.value(state["data"], depth + 1), dtype=np.float64).ravel()
        if layout == "coo":
            coordinates = state.get("coords") or (state["row"], state["col"])
            row, column = (self._indices(indices, depth) for indices in coordinates)
        else:
            pointers = self._indices(state["indptr"], depth)
            minor = self._indices(state["indices"], depth)
            major = columns if layout == "csc" else rows
            outer = _expanded_pointers(pointers, major, len(minor))
            row, column = (minor, outer) if layout == "csc" else (outer, minor)
        _check_indices(row, column, len(data), (rows, columns))
        return csr_matrix((data, (row, column)), shape=(rows, columns))


def _called_name(call: Call) -> tuple[str, str]:
    """Return what a record is made by: its function, or the class of the object it describes."""
    name = call.function
    if (name.module, name.name) in _NEW_OBJECT:
        first = call.arguments[0] if call.arguments else None
        if not isinstance(first, Name):
            raise ValueError("an object that is not an array")
        name = first
    return name.module, name.name


def _state(call: Call) -> dict[str, Any]:
    """Return the attributes of an object."""
    parts = call.state if isinstance(call.state, tuple) else (call.state,)
    return {
        _text(key): value for part in parts if isinstance(part, dict) for key, value in part.items()
    }


def _text(value: Any) -> Any:
    return value.decode("latin1") if isinstance(value, bytes) else value


def _encoded(call: Call) -> bytes:
    text, *rest = call.arguments
    if not isinstance(text, str) or (rest and _text(rest[0]) not in ("latin1", "latin-1")):
        raise ValueError("text of an unsupported encoding")
    return text.encode("latin1")


def _bytes(value: Any) -> bytes | bytearray:
    if isinstance(value, Call) and _called_name(value) == _ENCODE:
        return _encoded(value)
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, str):
        return value.encode("latin1")
    raise ValueError("an array of an unsupported layout")


def _dtype(value: Any) -> np.dtype[Any] | None:
    """Return the plain data type that a record describes, None for an array of objects.

    Its state is (version, byte order, subtype, names, fields, size, alignment, flags): fields and
    subtypes are refused, and the rest besides the byte order and the size of text is ignored.
    """
    if not isinstance(value, Call) or _called_name(value) != _DTYPE or not value.arguments:
        raise ValueError("an array of an unsupported type")
    code = _text(value.arguments[0])
    if code in ("O", "O8", "O4", "|O"):
        return None
    match = _CODE.fullmatch(code) if isinstance(code, str) else None
    if match is None:
        raise ValueError("an array of an unsupported type")
    kind, size = match[1], int(match[2] or 0)
    order = code[0] if code[0] in "<>=|" else "<"
    if value.state is not None:
        state = value.state
        if not isinstance(state, tuple) or len(state) < 5 or any(state[2:5]):
            raise ValueError("an array of an unsupported type")
        order = _text(state[1])
    if kind in _NUMBER_BYTES:
        if size not in _NUMBER_BYTES[kind]:
            raise ValueError("an array of an unsupported type")
    elif not 0 < size < 256:
        raise ValueError("an array of an unsupported type")
    if order not in ("<", ">", "=", "|"):
        raise ValueError("an array of an unsupported type")
    plain = "?" if kind in "b?" else f"{kind}{size}"  # "b1" is a truth value, "i1" a byte
    return np.dtype(f"{order if order in '<>' else ''}{plain}")


def _shaped(data: bytes | bytearray, dtype: np.dtype[Any], shape: Any, order: Any) -> Array:
    """Return an array of raw bytes after comparing its size with them."""
    if (
        not isinstance(shape, tuple)
        or len(shape) > _MAX_DIMENSIONS
        or not all(type(size) is int and size >= 0 for size in shape)
    ):
        raise ValueError("an array of an unsupported shape")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("an array that differs in size from its data")
    array: Array = np.frombuffer(data, dtype).reshape(shape, order="F" if order == "F" else "C")
    return array


def _expanded_pointers(pointers: Ints, major: int, count: int) -> Ints:
    """Return the row (or column) of each entry of a compressed sparse matrix."""
    if len(pointers) != major + 1 or pointers[0] != 0 or (np.diff(pointers) < 0).any():
        raise ValueError("a sparse matrix with overlapping rows")
    if pointers[-1] != count:
        raise ValueError("a truncated sparse matrix")
    return np.repeat(np.arange(major), np.diff(pointers))


def _check_indices(row: Ints, column: Ints, count: int, shape: tuple[int, int]) -> None:
    if not len(row) == len(column) == count:
        raise ValueError("a truncated sparse matrix")
    for indices, size in zip((row, column), shape, strict=True):
        if count and not (indices.min() >= 0 and indices.max() < size):
            raise ValueError("a sparse matrix with indices outside its shape")
