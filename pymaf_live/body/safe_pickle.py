"""Pickles of array files, read without running anything of theirs.

SMPL's files are pickles of dictionaries of arrays, the older ones written by Python 2 with chumpy's
objects among them. A pickle can call whatever it names, so nothing is looked up: a name is either
in the short list below, and then stands for a record of ours, or the file is refused. What comes
out is numbers, text, arrays and containers of these.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.errors import InputError

_MOST_ENTRIES = 1 << 28
_MOST_DEPTH = 4
_MOST_WIDE = 64


class _Object:
    """Stands for `object`, the base that Python 2's pickles name."""


class _ArrayKind:
    """Stands for `numpy.ndarray`, which could be called with any size."""


class _Record:
    """What a pickle says of an object that is never made: its attributes, as plain values."""

    told: dict[str, Any]

    def __new__(cls) -> _Record:
        record = super().__new__(cls)
        record.told = {}
        return record

    def __setstate__(self, state: object) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.told.update(part)


class _ChumpyArray(_Record):
    """chumpy.ch.Ch: an array under `x`."""


class _ChumpySelection(_Record):
    """chumpy.reordering.Select: the entries `idxs` of the flat `a`, as `preferred_shape`."""


class _Sparse(_Record):
    layout: str


class _Csc(_Sparse):
    layout = "csc"


class _Csr(_Sparse):
    layout = "csr"


class _Coo(_Sparse):
    layout = "coo"


def _reconstructed(kind: object, shape: object, _: object) -> Any:
    # pickles of arrays begin empty; a size asked for here would be memory for nothing
    if kind is not _ArrayKind or shape != (0,):
        raise pickle.UnpicklingError("an array that does not begin empty")
    return np.ndarray((0,), np.uint8)


def _from_buffer(content: object, dtype: object, shape: object, order: object) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array of an odd type")
    if not isinstance(content, (bytes, bytearray)) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array of an odd layout")
    return np.frombuffer(content, dtype).reshape(shape, order="C" if order == "C" else "F")


def _scalar(dtype: object, content: object) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject or dtype.itemsize > 64:
        raise pickle.UnpicklingError("a number of an odd type")
    raw = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(raw, bytes) or len(raw) != dtype.itemsize:
        raise pickle.UnpicklingError("a number of an odd size")
    return np.frombuffer(raw, dtype)[0]


def _dtype(text: object, *_: object) -> Any:
    code = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    if not isinstance(code, str) or len(code) > 8:
        raise pickle.UnpicklingError("an array of an odd type")
    return np.dtype(code)


def _encoded(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("an odd piece of text")
    return text.encode("latin1")


def _remade(kind: object, *_: object) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, _Record)):
        raise pickle.UnpicklingError("an object that is no array")
    return kind()


_CORES = ("numpy.core", "numpy._core")
_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _ArrayKind,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encoded,
    ("chumpy.ch", "Ch"): _ChumpyArray,
    ("chumpy.reordering", "Select"): _ChumpySelection,
    **{(f"{core}.multiarray", "_reconstruct"): _reconstructed for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _from_buffer for core in _CORES},
    **{(module, "_reconstructor"): _remade for module in ("copy_reg", "copyreg")},
    **{(module, "object"): _Object for module in ("__builtin__", "builtins")},
    # what chumpy notes about its own bookkeeping
    **{(module, "set"): set for module in ("__builtin__", "builtins")},
    **{
        (f"scipy.sparse.{mark}{kind.layout}", f"{kind.layout}_matrix"): kind
        for kind in (_Csc, _Csr, _Coo)
        for mark in ("", "_")
    },
}  # fmt: skip


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it holds {module}.{name}, which is neither a NumPy array, a SciPy sparse matrix "
                "nor chumpy's holder of an array"
            ) from None

    def persistent_load(self, _: Any) -> Any:
        raise pickle.UnpicklingError("it points outside itself")


def read_inert(content: bytes, name: object) -> Any:
    """Read a pickle of arrays.

    Parameters
    ----------
    content : bytes
    name : path or str
        Of the file, for the message.

    Returns
    -------
    object
        Containers of numbers, text and arrays; sparse matrices as `scipy.sparse.csr_matrix`,
        chumpy's objects as the arrays that they hold.

    Raises
    ------
    InputError
        If the file is no sound pickle, or holds anything else, which is named.
    """
    try:
        return _plain(_Reader(io.BytesIO(content), encoding="latin1").load(), 0)
    except InputError:
        raise
    except Exception as error:
        # a damaged pickle can end in almost any error of the objects that it fills
        reason = (str(error).splitlines() or ["it is damaged"])[0]
        raise InputError(f"{name} is refused: {reason}") from error


def _plain(value: Any, depth: int) -> Any:
    # one list may stand in another many times, so breadth is bounded as depth is
    if depth > _MOST_DEPTH or (isinstance(value, (list, tuple, dict)) and len(value) > _MOST_WIDE):
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        return {key: _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return [_plain(one, depth + 1) for one in value.ravel().tolist()]
    if isinstance(value, _ChumpyArray):
        return _plain(value.told.get("x"), depth + 1)
    if isinstance(value, _ChumpySelection):
        return _selected(value.told, depth)
    if isinstance(value, _Sparse):
        return _matrix(value)
    return value


def _selected(told: dict[str, Any], depth: int) -> Any:
    source = np.asarray(_plain(told.get("a"), depth + 1), dtype=np.float64).ravel()
    chosen = source[np.asarray(told["idxs"], dtype=np.int64).ravel()]
    shape = told.get("preferred_shape")
    return chosen if shape is None else chosen.reshape([int(size) for size in np.ravel(shape)])


def _matrix(record: _Sparse) -> csr_matrix:
    """The matrix that a record tells of, every index checked first."""
    told = record.told
    shape = told["_shape"] if "_shape" in told else told["shape"]
    rows, columns = (int(size) for size in shape)
    if not (rows > 0 and columns > 0 and rows * columns <= _MOST_ENTRIES):
        raise ValueError("a sparse matrix of an odd size")
    data = np.asarray(told["data"], dtype=np.float64).ravel()
    if record.layout == "coo":
        coords = told.get("coords") or (told["row"], told["col"])
        row, column = (np.asarray(one, dtype=np.int64).ravel() for one in coords)
    else:
        pointers = np.asarray(told["indptr"], dtype=np.int64).ravel()
        minor = np.asarray(told["indices"], dtype=np.int64).ravel()
        major = columns if record.layout == "csc" else rows
        if len(pointers) != major + 1 or pointers[0] != 0 or (np.diff(pointers) < 0).any():
            raise ValueError("a sparse matrix whose rows overlap")
        if pointers[-1] != len(minor):
            raise ValueError("a sparse matrix that is cut short")
        outer = np.repeat(np.arange(major), np.diff(pointers))
        row, column = (minor, outer) if record.layout == "csc" else (outer, minor)
    if not len(row) == len(column) == len(data):
        raise ValueError("a sparse matrix that is cut short")
    if len(data) and not (
        row.min() >= 0 and row.max() < rows and column.min() >= 0 and column.max() < columns
    ):
        raise ValueError("a sparse matrix that points outside itself")
    return csr_matrix((data, (row, column)), shape=(rows, columns))
