"""Safe reader of pickled arrays: nothing in the file is executed.

SMPL's files are pickled dictionaries of arrays, the older ones written by Python 2 and with
chumpy's objects. A pickle can call whatever it names, so no name is ever imported: a name is either
in the short list below, which maps it to a harmless substitute, or the file is refused. The result
contains numbers, text, arrays and containers of these.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.errors import InputError

_MAX_ENTRIES = 1 << 28
_MAX_DEPTH = 4
_MAX_LENGTH = 64


class _Object:
    """Substitute of `object`, the base class that Python 2's pickles name."""


class _ArrayClass:
    """Substitute of `numpy.ndarray`, which could be called with any size."""


class _Record:
    """Attributes of an object that is never created, as plain values."""

    state: dict[str, Any]

    def __new__(cls) -> _Record:
        record = super().__new__(cls)
        record.state = {}
        return record

    def __setstate__(self, state: object) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.state.update(part)


class _ChumpyArray(_Record):
    """Substitute of chumpy.ch.Ch: an array in `x`."""


class _ChumpySelection(_Record):
    """Substitute of chumpy.reordering.Select: entries `idxs` of the flat `a`, `preferred_shape`."""


class _Sparse(_Record):
    layout: str


class _Csc(_Sparse):
    layout = "csc"


class _Csr(_Sparse):
    layout = "csr"


class _Coo(_Sparse):
    layout = "coo"


def _empty_array(kind: object, shape: object, _: object) -> Any:
    # pickled arrays start empty; a size given here would only allocate memory
    if kind is not _ArrayClass or shape != (0,):
        raise pickle.UnpicklingError("an array that does not start empty")
    return np.ndarray((0,), np.uint8)


def _array_from_buffer(content: object, dtype: object, shape: object, order: object) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array of an unsupported type")
    if not isinstance(content, (bytes, bytearray)) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array of an unsupported layout")
    return np.frombuffer(content, dtype).reshape(shape, order="C" if order == "C" else "F")


def _scalar(dtype: object, content: object) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject or dtype.itemsize > 64:
        raise pickle.UnpicklingError("a number of an unsupported type")
    raw = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(raw, bytes) or len(raw) != dtype.itemsize:
        raise pickle.UnpicklingError("a number of a wrong size")
    return np.frombuffer(raw, dtype)[0]


def _dtype(text: object, *_: object) -> Any:
    code = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    if not isinstance(code, str) or len(code) > 8:
        raise pickle.UnpicklingError("an array of an unsupported type")
    return np.dtype(code)


def _encoded(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("text of an unsupported encoding")
    return text.encode("latin1")


def _new_record(kind: object, *_: object) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, _Record)):
        raise pickle.UnpicklingError("an object that is not an array")
    return kind()


_NUMPY_CORES = ("numpy.core", "numpy._core")
_SUBSTITUTES: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _ArrayClass,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encoded,
    ("chumpy.ch", "Ch"): _ChumpyArray,
    ("chumpy.reordering", "Select"): _ChumpySelection,
    **{(f"{core}.multiarray", "_reconstruct"): _empty_array for core in _NUMPY_CORES},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in _NUMPY_CORES},
    **{(f"{core}.numeric", "_frombuffer"): _array_from_buffer for core in _NUMPY_CORES},
    **{(module, "_reconstructor"): _new_record for module in ("copy_reg", "copyreg")},
    **{(module, "object"): _Object for module in ("__builtin__", "builtins")},
    # chumpy's bookkeeping
    **{(module, "set"): set for module in ("__builtin__", "builtins")},
    **{
        (f"scipy.sparse.{prefix}{kind.layout}", f"{kind.layout}_matrix"): kind
        for kind in (_Csc, _Csr, _Coo)
        for prefix in ("", "_")
    },
}  # fmt: skip


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _SUBSTITUTES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it contains {module}.{name}, which is neither a NumPy array, a SciPy sparse "
                "matrix nor a chumpy array"
            ) from None

    def persistent_load(self, _: Any) -> Any:
        raise pickle.UnpicklingError("it refers to data outside itself")


def load_arrays(content: bytes, name: object) -> Any:
    """Read a pickle of arrays.

    Parameters
    ----------
    content : bytes
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
        return _plain(_Unpickler(io.BytesIO(content), encoding="latin1").load(), 0)
    except InputError:
        raise
    except Exception as error:
        # a damaged pickle can raise almost any error of the objects it fills
        reason = (str(error).splitlines() or ["it is damaged"])[0]
        raise InputError(f"{name} is refused: {reason}") from error


def _plain(value: Any, depth: int) -> Any:
    """Return a value with all substitutes replaced by arrays."""
    # one list may be in another many times, so the length is limited like the depth
    if depth > _MAX_DEPTH or (isinstance(value, (list, tuple, dict)) and len(value) > _MAX_LENGTH):
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return [_plain(item, depth + 1) for item in value.ravel().tolist()]
    if isinstance(value, _ChumpyArray):
        return _plain(value.state.get("x"), depth + 1)
    if isinstance(value, _ChumpySelection):
        return _selection(value.state, depth)
    if isinstance(value, _Sparse):
        return _sparse_matrix(value)
    return value


def _selection(state: dict[str, Any], depth: int) -> Any:
    source = np.asarray(_plain(state.get("a"), depth + 1), dtype=np.float64).ravel()
    selected = source[np.asarray(state["idxs"], dtype=np.int64).ravel()]
    shape = state.get("preferred_shape")
    return selected if shape is None else selected.reshape([int(size) for size in np.ravel(shape)])


def _sparse_matrix(record: _Sparse) -> csr_matrix:
    """Return the matrix of a record after checking every index."""
    state = record.state
    shape = state["_shape"] if "_shape" in state else state["shape"]
    rows, columns = (int(size) for size in shape)
    if not (rows > 0 and columns > 0 and rows * columns <= _MAX_ENTRIES):
        raise ValueError("a sparse matrix of an unsupported size")
    data = np.asarray(state["data"], dtype=np.float64).ravel()
    if record.layout == "coo":
        coords = state.get("coords") or (state["row"], state["col"])
        row, column = (np.asarray(indices, dtype=np.int64).ravel() for indices in coords)
    else:
        pointers = np.asarray(state["indptr"], dtype=np.int64).ravel()
        minor = np.asarray(state["indices"], dtype=np.int64).ravel()
        major = columns if record.layout == "csc" else rows
        if len(pointers) != major + 1 or pointers[0] != 0 or (np.diff(pointers) < 0).any():
            raise ValueError("a sparse matrix with overlapping rows")
        if pointers[-1] != len(minor):
            raise ValueError("a truncated sparse matrix")
        outer = np.repeat(np.arange(major), np.diff(pointers))
        row, column = (minor, outer) if record.layout == "csc" else (outer, minor)
    if not len(row) == len(column) == len(data):
        raise ValueError("a truncated sparse matrix")
    if len(data) and not (
        row.min() >= 0 and row.max() < rows and column.min() >= 0 and column.max() < columns
    ):
        raise ValueError("a sparse matrix with indices outside its shape")
    return csr_matrix((data, (row, column)), shape=(rows, columns))
