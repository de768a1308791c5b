"""Tests of the reader of pickled arrays against forged and damaged files."""

import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csc_matrix

from pymaf_live.body import default_body
from pymaf_live.body.safe_pickle import load_arrays
from pymaf_live.body.smpl_file import read_smpl
from pymaf_live.errors import InputError
from tests.body.fake_smpl import small_smpl, write_old_pickle
from tests.helpers.paths import SHARED

HOSTILE = SHARED / "cases/hostile"
_MAX_MEMORY = 300 << 20


class _Forged:
    """Pickles as a call with a state, both freely chosen."""

    def __init__(self, function, arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


def _array(*, dtype=None, shape=(2,), data=b"\0" * 16, fortran=False):
    kind = _Forged(np.dtype, ("f8", False, True)) if dtype is None else dtype
    state = (1, shape, kind, fortran, data)
    return _Forged(np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state)


def _dtype(code="f8", state=None):
    return _Forged(np.dtype, (code, False, True), state)


def _load(value, protocol=2):
    # Python's own pickler calls nothing, so forged values are written as they are
    return load_arrays(pickle.dumps(value, protocol=protocol), "forged.pkl")


@pytest.mark.parametrize("protocol", range(6))
def test_all_protocols_give_the_same_arrays(protocol):
    value = {
        "plain": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "big_endian": np.arange(3, dtype=">u2"),
        "truth": np.array([True, False]),
        "bytes": np.array([-1, 2], dtype=np.int8),
        "number": np.float32(2.5),
        "text": "lrotmin",
        "negative": -(2**40),
        "flags": [True, False, None, 1.5],
    }
    found = load_arrays(pickle.dumps(value, protocol=protocol), "x.pkl")
    for name in ("plain", "fortran", "big_endian", "truth", "bytes"):
        np.testing.assert_array_equal(found[name], value[name])
        assert found[name].dtype == value[name].dtype
    assert found["number"] == 2.5
    assert (found["text"], found["negative"]) == ("lrotmin", -(2**40))
    assert found["flags"] == [True, False, None, 1.5]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("layout", [csc_matrix, coo_matrix])
def test_sparse_matrices_are_read_in_all_protocols(protocol, layout):
    matrix = layout(np.array([[0.0, 2, 0], [1, 0, 3]]))
    found = load_arrays(pickle.dumps(matrix, protocol=protocol), "x.pkl")
    np.testing.assert_array_equal(found.toarray(), matrix.toarray())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (_array(dtype=_dtype("V8")), "unsupported type"),
        (_array(dtype=_dtype("M8")), "unsupported type"),
        (_array(dtype=_dtype("f8", (3, "<", ("f8", (2,)), None, None, -1, -1, 0))), "type"),
        (_array(dtype=_dtype("f8", (3, "<", None, ("a",), {"a": 1}, 8, 8, 0))), "type"),
        (_array(dtype=_dtype("i0")), "unsupported type"),
        (_array(dtype=_dtype("S99999")), "unsupported type"),
        (_array(dtype=7), "unsupported type"),
        (_array(shape=(1 << 40,)), "differs in size"),
        (_array(shape=(-1, -2)), "unsupported shape"),
        (_array(shape=(1,) * 40), "unsupported shape"),
        (_array(shape=(0, 1 << 62, 1 << 62), data=b"x"), "differs in size"),
        (_array(shape="2"), "unsupported shape"),
        (_array(data="x" * 15), "differs in size"),
        (_array(data=5), "unsupported layout"),
    ],
)
def test_forged_arrays_are_refused(value, message):
    with pytest.raises(InputError, match=message) as caught:
        _load(value)
    assert "\n" not in str(caught.value)


def test_state_set_twice_is_refused():
    once = pickle.dumps(_array(), protocol=2)
    state = b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R\x89U\x10" + bytes(16) + b"t"
    with pytest.raises(InputError, match="twice"):
        load_arrays(once[:-1] + state + b"b.", "x.pkl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends early"),
        (b"\x80\x02", "ends early"),
        (b"\x80\x02N", "ends early"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02NN.", "damaged"),
        (b"\x80\x02}K\x01s.", "damaged"),
        (b"\x80\x02h\x05.", "outside itself"),
        (b"\x80\x02P5\n.", "unsupported opcode"),
        (b"\x80\x02\x82\x01.", "unsupported opcode"),
        (b"\x80\x02cos\nsystem\nU\x04true\x85R.", r"os\.system"),
        (b"\x80\x02cnumpy\nload\n.", r"numpy\.load"),
        (b"\x80\x02cnumpy\nndarray\n.", "not a number"),
        (b"\x80\x02K\x01K\x02\x85R.", "not a function"),
        (b"\x80\x02U\x01xN\x86N\x86" * 3 + b".", "damaged"),
        (b"\x80\x02]K\x01]K\x02a\x86.", "damaged|nested"),
        (b"\x8e" + struct.pack("<Q", 1 << 62) + b".", "ends early"),
        (b"T\xff\xff\xff\x7f.", "ends early"),
        (b"T\xff\xff\xff\xff.", "ends early"),
        (b"\x8b\xff\xff\xff\x7f.", "too large"),
        (b"I" + b"9" * 5000 + b"\n.", "ends early"),
        (b"S'\n.", "damaged"),
        (b"\x80\x02(" * 100_000, "ends early"),
        (b"N0" * 600_000 + b".", "too many"),
    ],
)
def test_damaged_pickles_are_refused(content, message):
    with pytest.raises(InputError, match=message) as caught:
        load_arrays(content, "x.pkl")
    assert "\n" not in str(caught.value)


def test_huge_memo_index_allocates_nothing():
    tracemalloc.start()
    try:
        assert load_arrays(b"\x80\x02K\x07r\xff\xff\xff\xff.", "x.pkl") == 7
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_lists_that_contain_each_other_end():
    value = []
    for _ in range(8):
        value = [value] * 60
    with pytest.raises(InputError, match="nested too deeply"):
        _load(value)
    loop = []
    loop.append(loop)
    with pytest.raises(InputError, match="nested too deeply"):
        _load(loop)


def test_chumpy_object_inside_itself_is_refused():
    # an object whose `x` is the object
    content = (
        b"\x80\x02cchumpy.ch\nCh\n)\x81q\x01}U\x01xh\x01sb."
    )  # fmt: skip
    with pytest.raises(InputError, match="nested too deeply"):
        load_arrays(content, "x.pkl")


def test_random_damage_never_crashes(tmp_path):
    """Mutations of two files are read or refused in one line; PYMAF_FUZZ_ROUNDS asks for more."""
    entries = small_smpl(default_body())
    old = write_old_pickle(tmp_path / "old.pkl", entries).read_bytes()
    new = pickle.dumps({name: entries[name] for name in ("f", "J_regressor")}, protocol=4)
    random = np.random.default_rng(11)
    for content in (old, new):
        # damage the records rather than the numbers, of which most of a file consists
        records = np.flatnonzero(np.frombuffer(content, np.uint8) != 0)[:4000]
        for _ in range(int(os.environ.get("PYMAF_FUZZ_ROUNDS", "150"))):
            _read_mutated(content, records, random)


def _read_mutated(content, records, random):
    mutated = bytearray(content)
    for place in random.choice(records, random.integers(1, 4)):
        kind = random.integers(3)
        if kind == 0:
            mutated[place] = random.integers(256)
        elif kind == 1:
            mutated[place : place + 4] = random.bytes(4)
        else:
            del mutated[place : place + random.integers(1, 9)]
    message = ""
    try:
        load_arrays(bytes(mutated), "x.pkl")
    except InputError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize(
    "name", ["forged_dtype", "memo_bomb", "object_array_500M", "setstate_twice"]
)
def test_hostile_samples_are_refused_in_one_line(name):
    path = HOSTILE / f"smpl_{name}.pkl"
    if not path.exists():
        pytest.skip(f"needs {path}")
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read_smpl(path, default_body())
        assert tracemalloc.get_traced_memory()[1] < _MAX_MEMORY
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_too_large_npz_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("pymaf_live.body.smpl_file._MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", v_template=np.zeros(100), f=np.zeros(100))
    with pytest.raises(InputError, match="more than the limit"):
        read_smpl(tmp_path / "a.npz", default_body())


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.pkl").write_bytes(b"")
    with pytest.raises(InputError, match="cannot read"):
        read_smpl(tmp_path / "empty.pkl", default_body())
