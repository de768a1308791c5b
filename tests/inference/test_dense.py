"""Optional dense map of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference import open_session
from tests.helpers.model import write_fake_model

BODY = default_body()
PARTS, SIZE = 4, 64


def add_maps(path: Path, names: tuple[str, ...], parts: int = PARTS) -> None:
    """Add dense outputs (B, P, S, S) that are linear mixtures of the image's colours."""
    model = onnx.load(path)
    for node in model.graph.node:  # the fake model uses these names for inner tensors
        for ports in (node.input, node.output):
            ports[:] = [f"inner_{port}" if port in ("u", "v") else port for port in ports]
    random = np.random.default_rng(3)
    for name in names:
        weights = random.normal(size=(parts, 3, 1, 1)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(weights, f"{name}_weights"))
        model.graph.node.append(helper.make_node("Conv", ["image", f"{name}_weights"], [name]))
        model.graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", parts, SIZE, SIZE])
        )
    onnx.save(model, path)


def mixed(path: Path, name: str, images: np.ndarray) -> np.ndarray:
    (weights,) = (
        numpy_helper.to_array(each)
        for each in onnx.load(path).graph.initializer
        if each.name == f"{name}_weights"
    )
    return np.einsum("pc,bchw->bphw", weights[:, :, 0, 0], images)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((2, 3, SIZE, SIZE), np.float32)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_the_finest_level_has_the_most_likely_part_and_the_position_on_it(
    tmp_path: Path, images: np.ndarray, backend: str
) -> None:
    path = write_fake_model(tmp_path / "dense.onnx", BODY, SIZE, levels=2)
    add_maps(path, ("part", "u", "v"))
    session = open_session(path, backend)
    assert session.metadata.dense == ("part", "u", "v")
    people = session.run(images)
    part = mixed(path, "part", images).argmax(axis=1)
    for number, (coarse, fine) in enumerate(people):
        assert coarse.dense is None
        assert fine.dense is not None
        agreeing = fine.dense.part == part[number]
        assert agreeing.mean() > 0.999  # except for ties in float32
        for name, found in (("u", fine.dense.u), ("v", fine.dense.v)):
            every = mixed(path, name, images)[number]
            own = np.take_along_axis(every, part[number][None], axis=0)[0].clip(0, 1)
            assert_allclose(found[agreeing], own[agreeing], atol=1e-4)


def test_parts_are_allowed_without_positions_but_not_the_reverse(
    tmp_path: Path, images: np.ndarray
) -> None:
    parts_only = write_fake_model(tmp_path / "parts.onnx", BODY, SIZE)
    add_maps(parts_only, ("part",))
    dense = open_session(parts_only, "onnxruntime").run(images)[0][-1].dense
    assert dense is not None
    assert dense.u is None
    positions_only = write_fake_model(tmp_path / "positions.onnx", BODY, SIZE)
    add_maps(positions_only, ("u", "v"))
    with pytest.raises(ModelError, match="u, v without the others of a dense map"):
        open_session(positions_only, "onnxruntime")


@pytest.mark.parametrize(("parts", "message"), [(1, "not a dense map"), (300, "not a dense map")])
def test_a_map_of_implausible_size_is_refused(tmp_path: Path, parts: int, message: str) -> None:
    path = write_fake_model(tmp_path / "odd.onnx", BODY, SIZE)
    add_maps(path, ("part",), parts)
    with pytest.raises(ModelError, match=message):
        open_session(path, "onnxruntime")


def test_a_file_may_state_where_its_levels_sample(tmp_path: Path) -> None:
    path = tmp_path / "reads.onnx"
    write_fake_model(path, BODY, SIZE, levels=2)
    assert open_session(path, "onnxruntime").metadata.reads == (21, 0)
    write_fake_model(path, BODY, SIZE, levels=2, metadata={"reads": "14,0"})
    assert open_session(path, "onnxruntime").metadata.reads == (14, 0)
    # only the last of three levels is in the file
    write_fake_model(path, BODY, SIZE, metadata={"reads": "14,0,7"})
    assert open_session(path, "onnxruntime").metadata.reads == (7,)
    for wrong in ("many", "14", "9999,0", "1,2" * 5000):
        write_fake_model(path, BODY, SIZE, levels=2, metadata={"reads": wrong})
        with pytest.raises(ModelError, match="its metadata reads"):
            open_session(path, "onnxruntime")
