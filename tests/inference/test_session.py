from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference import open_session, openvino_requests
from pymaf_live.inference.engine import Engine
from pymaf_live.inference.openvino_engine import OpenVinoEngine
from pymaf_live.inference.session import Session
from tests.helpers.model import SCALE, UPRIGHT, expected, write_fake_model

BODY = default_body()


def make_images(count: int, size: int = 64) -> np.ndarray:
    images = np.zeros((count, 3, size, size), np.float32)
    for k in range(count):
        images[k, :, 10 : 40 + k, 20 + 5 * k : 30 + 5 * k] = 1 - 0.1 * k
    return images


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_model(tmp_path_factory.mktemp("model") / "small.onnx", BODY, 64)


@pytest.fixture(params=["openvino", "onnxruntime"])
def backend(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


def test_estimates_equal_the_models_outputs_for_any_batch(model: Path, backend: str) -> None:
    session = open_session(model, backend)
    for count in (1, 3, 1, 2):
        images = make_images(count)
        camera, score = expected(images, BODY)
        people = session.run(images)
        assert [len(levels) for levels in people] == [1] * count
        for person, levels in enumerate(people):
            estimate = levels[-1]
            assert_allclose(estimate.camera, camera[person], atol=1e-4)
            assert estimate.score == pytest.approx(score[person], abs=1e-4)
            assert estimate.rotations.shape == (BODY.joint_count, 3, 3)
            assert_allclose(estimate.rotations[0], UPRIGHT)
            assert estimate.shape.shape == (BODY.shape_count,)
            assert_allclose(estimate.joint_score, score[person], atol=1e-4)
    assert session.run(make_images(0)) == []
    session.close()
    with pytest.raises(ModelError, match="closed"):
        session.run(make_images(1))


def test_an_estimate_does_not_change_with_the_next_run(model: Path, backend: str) -> None:
    session = open_session(model, backend)
    first = session.run(make_images(1))[0][0]
    before = first.camera.copy()
    session.run(1 - make_images(1))
    assert_allclose(first.camera, before)


def test_metadata_are_read_by_both_backends(model: Path, backend: str) -> None:
    metadata = open_session(model, backend).metadata
    assert (metadata.name, metadata.input_size, metadata.levels) == ("fake", 64, 1)
    assert metadata.joint_names == BODY.joint_names
    assert metadata.body_sha256 == BODY.sha256
    assert metadata.crop_rule == "trunk-up 1.75"


def test_levels_are_ordered_from_coarse_to_fine(tmp_path: Path, backend: str) -> None:
    path = write_fake_model(tmp_path / "levels.onnx", BODY, 64, levels=3)
    levels = open_session(path, backend).run(make_images(1))[0]
    scales = [estimate.camera[0] for estimate in levels]
    assert_allclose(scales, [0.8 * SCALE, 0.9 * SCALE, SCALE], rtol=1e-5)


BROKEN = {
    "no licence": ({"metadata": {"licence": None}}, "lacks licence"),
    "size in words": ({"metadata": {"input_size": "large"}}, "input_size is 'large'"),
    "another size": ({"metadata": {"input_size": "128"}}, r"image is \(B, 3, 64, 64\)"),
    "a joint more": (
        {"metadata": {"joint_names": ",".join((*BODY.joint_names, "tail"))}},
        r"rotations is \(B, 24, 3, 3\) instead of \(B, 25, 3, 3\)",
    ),
    "a joint twice": ({"metadata": {"joint_names": "a,a"}}, "distinct names"),
    "no hash": ({"metadata": {"body_sha256": "unknown"}}, "SHA-256"),
    "levels that are not there": ({"metadata": {"levels": "3"}}, "rotations_1"),
    "an output less": ({"without": ("joint_score",)}, "its outputs are"),
    "a line break in the name": ({"metadata": {"name": "one\ntwo"}}, "not plain text"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_model_that_breaks_the_contract_is_refused_in_one_line(
    case: str, tmp_path: Path, backend: str
) -> None:
    changes, message = BROKEN[case]
    path = write_fake_model(tmp_path / "broken.onnx", BODY, 64, **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=message) as caught:
        open_session(path, backend)
    assert "\n" not in str(caught.value)


def test_a_fixed_batch_is_refused(tmp_path: Path, model: Path, backend: str) -> None:
    import onnx

    loaded = onnx.load(model)
    loaded.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(loaded, tmp_path / "fixed.onnx")
    with pytest.raises(ModelError, match=r"image is \(1, 3, 64, 64\) instead of \(B"):
        open_session(tmp_path / "fixed.onnx", backend)


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_file_that_is_not_a_model_is_refused_in_one_line(
    content: bytes | None, tmp_path: Path, model: Path, backend: str
) -> None:
    path = tmp_path / "bad.onnx"
    # None: a valid model that is truncated
    path.write_bytes(model.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ModelError) as caught:
        open_session(path, backend)
    assert "\n" not in str(caught.value)
    assert "bad.onnx" in str(caught.value)


def test_missing_files_and_unknown_backends_are_refused(tmp_path: Path, model: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelError, match="no model file"):
            open_session(path)
    with pytest.raises(ModelError, match="no back-end 'abacus'"):
        open_session(model, "abacus")


def test_values_that_are_not_finite_are_an_error(tmp_path: Path, backend: str) -> None:
    path = write_fake_model(tmp_path / "nan.onnx", BODY, 64, fill=float("nan"))
    with pytest.raises(ModelError, match="camera that is not finite"):
        open_session(path, backend)


class FailingLater(Engine):
    """A back-end whose outputs are valid once and broken afterwards."""

    name = "fake"

    def __init__(
        self, model: Path, name: str, break_output: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self._engine = OpenVinoEngine(model)
        self.metadata = self._engine.metadata
        self._name, self._break_output, self._runs = name, break_output, 0

    def infer(self, images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = {name: values.copy() for name, values in self._engine.infer(images).items()}
        self._runs += 1
        if self._runs > 1:
            outputs[self._name] = self._break_output(outputs[self._name])
        return outputs


@pytest.mark.parametrize(
    ("name", "break_output", "message"),
    [
        ("joint_score", lambda values: values * np.inf, "joint_score that is not finite"),
        ("rotations", lambda values: values[:, :-1], r"rotations is \(1, 23, 3, 3\) instead of"),
    ],
)
def test_a_broken_output_after_valid_ones_is_an_error(
    model: Path, name: str, break_output: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    session = Session(FailingLater(model, name, break_output))
    with pytest.raises(ModelError, match=message):
        session.run(make_images(1))


def test_a_file_may_leave_output_sizes_open_but_not_violate_them(
    tmp_path: Path, backend: str
) -> None:
    path = write_fake_model(tmp_path / "open.onnx", BODY, 64, say_sizes=False)
    assert open_session(path, backend).run(make_images(2))[1][0].shape.shape == (BODY.shape_count,)
    names = {"joint_names": ",".join((*BODY.joint_names, "tail"))}
    path = write_fake_model(tmp_path / "b.onnx", BODY, 64, say_sizes=False, metadata=names)
    with pytest.raises(ModelError, match=r"24, 3, 3\) instead of \(., 25, 3, 3\)"):
        open_session(path, backend)


def test_images_that_do_not_fit_are_refused(model: Path) -> None:
    session = open_session(model, "openvino")
    for images in (make_images(1, 32), make_images(1)[0], make_images(1).astype(np.float64)):
        with pytest.raises(ModelError, match="takes"):
            session.run(images)


def test_without_openvino_auto_uses_onnx_runtime_with_a_notice(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "openvino", None)
    session = open_session(model)
    assert session.backend.startswith("ONNX Runtime")
    assert "openvino cannot be loaded" in session.notice
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="no back-end can run the model"):
        open_session(model)


def test_compiled_models_are_stored_in_the_cache(model: Path, tmp_path: Path) -> None:
    open_session(model, "openvino", cache=tmp_path / "cache").run(make_images(1))
    assert any((tmp_path / "cache").iterdir())


def test_a_cached_model_has_the_same_results_and_is_not_rewritten(
    model: Path, tmp_path: Path
) -> None:
    images = make_images(1)
    first = open_session(model, "openvino", cache=tmp_path).run(images)
    (cached,) = tmp_path.iterdir()
    written = cached.stat().st_mtime_ns
    second = open_session(model, "openvino", cache=tmp_path)
    np.testing.assert_array_equal(second.run(images)[0][-1].rotations, first[0][-1].rotations)
    assert second.metadata == open_session(model, "openvino").metadata
    assert cached.stat().st_mtime_ns == written


def test_a_damaged_cached_model_is_compiled_again(model: Path, tmp_path: Path) -> None:
    images = make_images(1)
    reference = open_session(model, "openvino", cache=tmp_path).run(images)
    (cached,) = tmp_path.iterdir()
    content = bytearray(cached.read_bytes())
    content[len(content) // 2] ^= 0xFF
    cached.write_bytes(content)
    again = open_session(model, "openvino", cache=tmp_path).run(images)
    np.testing.assert_array_equal(again[0][-1].rotations, reference[0][-1].rotations)
    assert cached.read_bytes() != bytes(content)


def test_a_replaced_model_file_is_not_taken_from_the_cache(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(model.read_bytes())
    open_session(path, "openvino", cache=tmp_path / "cache")
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="is not an ONNX file"):
        open_session(path, "openvino", cache=tmp_path / "cache")


def test_importing_inference_and_tracking_loads_no_heavy_library() -> None:
    code = (
        "import sys, pymaf_live.inference, pymaf_live.tracking;"
        "print([m for m in ('openvino', 'onnxruntime', 'mediapipe', 'torch', 'PySide6', 'vispy')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_concurrent_requests_have_the_same_results_as_sequential_ones(model: Path) -> None:
    sequential = open_session(model, "openvino")
    session = open_session(model, "openvino", num_streams=2)
    assert (sequential.num_streams, session.num_streams) == (1, 2)
    batches = [make_images(count) for count in (1, 3, 0, 2)]
    for batch in batches:
        batch *= 0.5 + 0.1 * len(batch)
    pending = [session.start(batch) for batch in batches]
    for batch, started in reversed(list(zip(batches, pending, strict=True))):
        for people, reference in zip(started.result(), sequential.run(batch), strict=True):
            np.testing.assert_allclose(people[0].camera, reference[0].camera, atol=1e-6)


def test_pending_batches_of_a_failed_backend_run_on_the_next_one(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = open_session(model, "onnxruntime").run(make_images(2))
    session = open_session(model, num_streams=2)
    pending = [session.start(make_images(2)) for _ in range(2)]

    def failing(*_: object) -> None:
        raise ModelError("OpenVINO failed: worn out")

    monkeypatch.setattr(openvino_requests.CompiledBatch, "finish", failing)
    for batch in pending:
        for people, other in zip(batch.result(), reference, strict=True):
            np.testing.assert_allclose(people[0].camera, other[0].camera, atol=1e-5)
    assert session.backend.startswith("ONNX Runtime")
    assert session.notice.count("worn out") == 1
