"""Headers of NumPy's array files, read without trusting them."""

from __future__ import annotations

import math
import tokenize
import zipfile
from typing import IO, Any

import numpy as np

_MAX_DIMENSIONS = 8
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Methods that NumPy writes; others (bzip2, LZMA) fail with errors of their own and have no use."""

_MAX_RATIO, _ALWAYS_ALLOWED = 200, 64 << 20
"""Bytes for each byte of the file, and the size up to which the ratio does not matter: real arrays
are compressed tenfold at most, a bomb a thousandfold."""


def check_archive_size(archive: zipfile.ZipFile, file_size: int, limit: int) -> None:
    """Refuse an archive whose entries are together larger than `limit` or than plausible.

    Parameters
    ----------
    archive : zipfile.ZipFile
    file_size : int
        Bytes of the archive itself.
    limit : int
        Bytes.

    Raises
    ------
    ValueError
    """
    total = sum(info.file_size for info in archive.infolist())
    if total > min(limit, max(_ALWAYS_ALLOWED, _MAX_RATIO * file_size)):
        raise ValueError(f"it declares {total} bytes, more than the limit")


def read_npy_header(file: IO[bytes], entry_size: int) -> tuple[tuple[int, ...], bool, Any]:
    """Read the header of an array file and compare it with the size of the file.

    Parameters
    ----------
    file : binary file
        At its begin; is left at the first byte of the data.
    entry_size : int
        Bytes of the whole file.

    Returns
    -------
    shape : tuple of int
    fortran : bool
        The data are in Fortran's order.
    dtype : numpy.dtype
        May be of objects, whose data this function does not check.

    Raises
    ------
    ValueError
        If the header is damaged or declares another size than the file has.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError("it has an unknown array header")
    except (SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError) as error:
        # NumPy parses the header as Python's text and passes on whatever that raises
        raise ValueError("its array header is damaged") from error
    if len(shape) > _MAX_DIMENSIONS or any(size < 0 for size in shape):
        raise ValueError("its array header has an impossible shape")
    size, rest = math.prod(shape) * dtype.itemsize, entry_size - file.tell()
    if not dtype.hasobject and size != rest:
        raise ValueError(f"its array header declares {size} bytes, but it has {rest}")
    return shape, fortran, dtype


def check_zip_entry(info: zipfile.ZipInfo) -> None:
    """Refuse entries that NumPy's archives never have.

    Raises
    ------
    ValueError
    """
    if info.compress_type not in _COMPRESSIONS or info.flag_bits & 1:
        raise ValueError(f"{info.filename[:40]!r} is compressed in an unsupported way")
