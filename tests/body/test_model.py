"""Tests of the body file reader."""

from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body, load_body
from pymaf_live.errors import ModelError
from pymaf_live.resources import resource


@pytest.fixture(scope="module")
def arrays():
    with np.load(resource("body/open_body.npz"), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def written(folder: Path, arrays, **changes) -> Path:
    path = folder / "body.npz"
    np.savez(path, **{**arrays, **changes})
    return path


def test_shipped_body_is_valid():
    body = default_body()
    assert body.joint_names[0] == "pelvis"
    assert len(body.keypoint_sets["coco"]) == 17
    assert body.keypoint_rows("lsp").shape == (14, len(body.template))


def test_unknown_keypoint_set_is_named():
    with pytest.raises(ModelError, match="no key-point set 'nonsense'"):
        default_body().keypoint_rows("nonsense")


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="there is no body file"):
        load_body(tmp_path / "absent.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 torn"])
def test_file_that_is_not_an_npz_is_refused(tmp_path, content):
    path = tmp_path / "body.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not a body file"):
        load_body(path)


def test_pickled_arrays_are_refused(tmp_path, arrays):
    path = written(tmp_path, arrays, f=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match="is not a body file"):
        load_body(path)


def test_missing_array_is_named(tmp_path, arrays):
    path = tmp_path / "body.npz"
    np.savez(path, **{k: v for k, v in arrays.items() if k != "weights"})
    with pytest.raises(ModelError, match="weights"):
        load_body(path)


def changed(values, index, value):
    values = values.copy()
    values[index] = value
    return values


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("v_template", (0, 0), np.nan, "not finite"),
        ("weights", (5, 0), 7.0, "do not sum to 1"),
        ("J_regressor", (1, 0), 0.5, "do not sum to 1"),
        ("f", (0, 0), 10**6, "indices outside"),
        ("sample_vertices", 0, -1, "indices outside"),
        ("kintree_table", (0, 3), 9, "tree"),
        ("kp_indices", 0, 10**6, "indices outside"),
        ("joint_mirror", 0, 1, "not a permutation"),
    ],
)
def test_invalid_arrays_are_refused(tmp_path, arrays, name, index, value, message):
    path = written(tmp_path, arrays, **{name: changed(arrays[name], index, value)})
    with pytest.raises(ModelError, match=message):
        load_body(path)


def test_inconsistent_shapes_are_refused(tmp_path, arrays):
    with pytest.raises(ModelError, match="shapedirs"):
        load_body(written(tmp_path, arrays, shapedirs=arrays["shapedirs"][:-1]))
