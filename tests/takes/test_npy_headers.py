"""Tests of array headers that NumPy's own reader answers with errors of many kinds."""

import io
import zipfile

import numpy as np
import pytest

from pymaf_live.errors import InputError
from pymaf_live.system.npy import read_npy_header
from pymaf_live.takes.npz_file import read_take


def _entry(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }, ",
        "{'descr': '<f8', 'fortran_order': False",
        "{[]: 1}",
        "{'descr': {}, 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1)}",
        "{'descr': '<f8', 'fortran_order': 7, 'shape': (0,)}",
        "  {'descr'\n : '<f8'",
        "'" * 3,
        "(" * 100,
    ],
)
def test_damaged_header_is_a_value_error(header):
    content = _entry(header, bytes(16))
    with pytest.raises(ValueError, match=r"[Hh]eader|fortran_order"):
        read_npy_header(io.BytesIO(content), len(content))


def test_size_is_compared_with_the_entry():
    content = _entry("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", bytes(16))
    with pytest.raises(ValueError, match="declares 24 bytes, but it has 16"):
        read_npy_header(io.BytesIO(content), len(content))


def test_valid_header_leaves_the_file_at_its_data():
    file = io.BytesIO()
    np.save(file, np.arange(6.0).reshape(2, 3))
    size = file.tell()
    file.seek(0)
    assert read_npy_header(file, size) == ((2, 3), False, np.dtype("f8"))
    np.testing.assert_array_equal(np.frombuffer(file.read()), np.arange(6.0))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_take_compressed_otherwise_is_refused(tmp_path, method):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("format.npy", _entry("{}"))
    with pytest.raises(InputError, match="compressed in an unsupported way"):
        read_take(path)
