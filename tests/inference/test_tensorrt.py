"""TensorRT back-end; everything that needs a device runs on a fake (`fake_tensorrt`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose

from pymaf_live.body import default_body
from pymaf_live.errors import Interrupted, ModelError
from pymaf_live.inference import backends, open_session, tensorrt_engine
from pymaf_live.inference.device import DeviceError, NoDeviceError
from pymaf_live.inference.session import Session
from pymaf_live.inference.tensorrt_engine import TensorRtEngine
from pymaf_live.inference.tensorrt_library import load_library, unavailable_reason
from pymaf_live.system.reporter import SILENT, SilentReporter
from tests.helpers.model import expected, write_fake_model
from tests.inference.fake_tensorrt import MAGIC, FakeTensorRt, make_fakes

pytest.importorskip("onnxruntime")

BODY = default_body()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_model(tmp_path_factory.mktemp("model") / "small.onnx", BODY, 64)


def make_images(count: int) -> np.ndarray:
    images = np.zeros((count, 3, 64, 64), np.float32)
    for k in range(count):
        images[k, :, 10 : 40 + k, 20 + 3 * k : 30 + 3 * k] = 1 - 0.05 * k
    return images


def opened(model: Path, cache: Path | None = None, **facts: Any) -> tuple[Any, ...]:
    trt, runtime, library, cuda = make_fakes(**facts)
    return TensorRtEngine(model, "tensorrt", cache, library=library, cuda=cuda), trt, runtime


def test_estimates_equal_the_models_outputs_for_any_batch(model: Path) -> None:
    engine, trt, _ = opened(model)
    session = Session(engine)
    for count in (1, 3, 1, 1, 3, 8, 11):
        camera, score = expected(make_images(count), BODY)
        people = session.run(make_images(count))
        assert len(people) == count
        for person, levels in enumerate(people):
            assert_allclose(levels[-1].camera, camera[person], atol=1e-4)
            assert levels[-1].score == pytest.approx(score[person], abs=1e-4)
    # larger batches run in parts
    assert trt.profile == ((1, 3, 64, 64), (8, 3, 64, 64))


def test_a_run_copies_to_the_gpu_computes_copies_back_and_waits(model: Path) -> None:
    engine, _, runtime = opened(model)
    runtime.calls.clear()
    engine.infer(make_images(1))
    outputs = 5
    order = [call for call in runtime.calls if "Alloc" not in call and "Malloc" not in call]
    assert order == [
        "cudaMemcpyAsync up",
        *["cudaMemcpyAsync down"] * outputs,
        "cudaStreamSynchronize",
    ]


def test_from_the_third_run_on_a_graph_is_replayed_without_allocations(model: Path) -> None:
    engine, trt, runtime = opened(model)
    engine.infer(make_images(1))
    engine.infer(make_images(1))
    runtime.calls.clear()
    trt.calls.clear()
    outputs = engine.infer(1 - make_images(1))
    assert runtime.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"]
    assert trt.calls == []
    camera, _ = expected(1 - make_images(1), BODY)
    assert_allclose(outputs["camera"], camera, atol=1e-4)


def test_a_network_that_cannot_be_captured_runs_without_graphs(model: Path) -> None:
    engine, _, runtime = opened(model)
    runtime.refuse["cudaGraphInstantiate"] = "cudaErrorStreamCaptureUnsupported"
    for count in (1, 1, 2, 2):
        camera, _ = expected(make_images(count), BODY)
        assert_allclose(engine.infer(make_images(count))["camera"], camera, atol=1e-4)
    assert "cudaGraphLaunch" not in runtime.calls


def test_closing_frees_all_memory_and_the_stream(model: Path) -> None:
    engine, _, runtime = opened(model)
    for count in (1, 2, 1, 1):
        engine.infer(make_images(count))
    assert runtime.alive
    engine.close()
    assert not runtime.alive
    assert runtime.streams == 0


def test_a_load_engine_is_used_again(model: Path, tmp_path: Path) -> None:
    _, first, _ = opened(model, tmp_path)
    engine, second, _ = opened(model, tmp_path)
    assert (first.builds, second.builds) == (1, 0)
    assert engine.notice == ""


@pytest.mark.parametrize(
    "facts", [{"name": "Other 4000"}, {"driver": 13010}, {"version": "11.5.0"}]
)
def test_an_engine_for_another_gpu_driver_or_version_is_not_used(
    facts: dict[str, Any], model: Path, tmp_path: Path
) -> None:
    opened(model, tmp_path)
    _, trt, _ = opened(model, tmp_path, **facts)
    assert trt.builds == 1


def engine_file(folder: Path) -> Path:
    (path,) = (folder / "engines").glob("*.engine")
    return path


@pytest.mark.parametrize("damage", ["truncated", "tampered", "header", "empty", "foreign"])
def test_a_damaged_or_foreign_engine_is_built_again_with_a_notice(
    damage: str, model: Path, tmp_path: Path
) -> None:
    opened(model, tmp_path)
    path = engine_file(tmp_path)
    content = path.read_bytes()
    changed = {
        "truncated": content[: len(content) // 2],
        "tampered": content[:-1] + bytes([content[-1] ^ 1]),
        "header": content.replace(b'"key"', b'"kex"'),
        "empty": b"",
        "foreign": content.replace(b"Fake 3000", b"Real 3000"),
    }[damage]
    path.write_bytes(changed)
    engine, trt, _ = opened(model, tmp_path)
    assert trt.builds == 1
    assert "built again" in engine.notice
    assert path.read_bytes() == content
    assert len(engine.infer(make_images(2))["camera"]) == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no POSIX permissions in this shared system")
def test_an_engine_writable_by_others_is_not_used(model: Path, tmp_path: Path) -> None:
    opened(model, tmp_path)
    engine_file(tmp_path).chmod(0o666)
    engine, trt, _ = opened(model, tmp_path)
    assert trt.builds == 1
    assert "written by others" in engine.notice


def test_an_engine_that_the_device_refuses_is_not_cached(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        build = FakeTensorRt._build
        patch.setattr(
            FakeTensorRt, "_build", lambda *arguments: b"OTHER" + build(*arguments)[len(MAGIC) :]
        )
        with pytest.raises(DeviceError, match="cannot run its own engine"):
            opened(model, tmp_path)
    assert not list(tmp_path.rglob("*.engine"))  # an engine that never ran is not cached


def test_a_full_disk_only_prevents_caching(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pymaf_live.system.atomic_write as atomic

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "_flush_to_disk", full)
    engine, _, _ = opened(model, tmp_path)
    assert "cannot be stored" in engine.notice
    assert "No space left" in engine.notice
    assert "\n" not in engine.notice
    assert len(engine.infer(make_images(1))["camera"]) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_build_reports_its_progress_and_can_be_cancelled(model: Path, tmp_path: Path) -> None:
    fractions: list[float] = []
    _, _, library, cuda = make_fakes()

    class StopHalfway(SilentReporter):
        def progress(self, fraction: float | None, detail: str = "") -> None:
            fractions.append(fraction or 0.0)

        def cancelled(self) -> bool:
            return fractions[-1] >= 0.5

    with pytest.raises(Interrupted, match="stopped"):
        TensorRtEngine(
            model, "tensorrt", tmp_path, reporter=StopHalfway(), library=library, cuda=cuda
        )
    assert fractions == [0.25, 0.5]
    assert not list(tmp_path.rglob("*.engine"))


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_damaged_model_is_refused_in_one_line(
    content: bytes | None, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(model.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ModelError, match=r"bad\.onnx") as caught:
        opened(path)
    assert "\n" not in str(caught.value)


def test_operators_too_new_for_tensorrt_are_refused(model: Path, tmp_path: Path) -> None:
    loaded = onnx.load(model)
    loaded.opset_import[0].version = 20
    # what changed between the opsets does not matter: the model is refused before
    for node in list(loaded.graph.node):
        if node.op_type == "ReduceMean":
            axes = f"{node.output[0]}_axes"
            loaded.graph.initializer.append(
                onnx.numpy_helper.from_array(np.array([2, 3], np.int64), axes)
            )
            attributes = [a for a in node.attribute if a.name != "axes"]
            dims = node.attribute[0].ints if node.attribute[0].name == "axes" else [2, 3]
            loaded.graph.initializer[-1].CopyFrom(
                onnx.numpy_helper.from_array(np.array(dims, np.int64), axes)
            )
            del node.attribute[:]
            node.attribute.extend(attributes)
            node.input.append(axes)
    onnx.save(loaded, tmp_path / "new.onnx")
    with pytest.raises(ModelError, match="reads GridSample wrongly above 18"):
        opened(tmp_path / "new.onnx")


def test_too_little_memory_is_reported_and_freed(model: Path) -> None:
    engine, _, runtime = opened(model)
    runtime.refuse["cudaMalloc"] = "cudaErrorMemoryAllocation"
    with pytest.raises(DeviceError, match="too little memory") as caught:
        engine.infer(make_images(1))
    assert "\n" not in str(caught.value)
    engine.close()
    assert not runtime.alive


# --- the choice of `auto`


@pytest.fixture
def installed_fake(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Pretend that `tensorrt` is installed and a GPU exists; both are fakes."""
    trt, runtime, library, cuda = make_fakes()
    monkeypatch.setattr(
        backends, "missing_reason", lambda name: "" if name == "tensorrt" else "absent"
    )
    monkeypatch.setattr(tensorrt_engine, "load_library", lambda name: library)
    monkeypatch.setattr(tensorrt_engine, "Cuda", lambda: cuda)
    return trt, runtime


def test_auto_uses_existing_engines_but_builds_none(
    model: Path, installed_fake: Any, tmp_path: Path
) -> None:
    automatic = open_session(model, cache=tmp_path)
    assert automatic.backend.startswith("OpenVINO")
    assert "not built yet; choose the back-end by name" in automatic.notice
    assert open_session(model, "tensorrt", cache=tmp_path).backend.startswith("TensorRT")
    assert open_session(model, cache=tmp_path).backend.startswith("TensorRT")


def test_auto_uses_a_working_gpu(model: Path, installed_fake: Any) -> None:
    session = open_session(model, reporter=SILENT)
    assert session.backend == "TensorRT 11.4.0 on Fake 3000"
    assert session.notice == ""


def test_no_frame_is_lost_when_the_gpu_fails(model: Path, installed_fake: Any) -> None:
    trt, runtime = installed_fake
    # no graphs, so that each run calls the library
    runtime.refuse["cudaStreamBeginCapture"] = "cudaErrorStreamCaptureUnsupported"
    session = open_session(model, reporter=SILENT)
    session.run(make_images(1))
    trt.fails_after = trt.calls.count("execute_async_v3")
    camera, _ = expected(make_images(2), BODY)
    people = session.run(make_images(2))
    assert_allclose([levels[-1].camera for levels in people], camera, atol=1e-4)
    assert session.backend.startswith("OpenVINO")
    assert "the fake failed on request" in session.notice
    assert "OpenVINO" in session.notice
    assert not runtime.alive  # the GPU's memory was freed
    assert len(session.run(make_images(3))) == 3


def test_too_little_gpu_memory_at_the_start_leads_to_the_cpu(
    model: Path, installed_fake: Any
) -> None:
    _, runtime = installed_fake
    runtime.refuse["cudaHostAlloc"] = "cudaErrorMemoryAllocation"
    session = open_session(model, reporter=SILENT)
    assert session.backend.startswith("OpenVINO")
    assert "too little memory" in session.notice


def test_a_backend_chosen_by_name_is_not_replaced(model: Path, installed_fake: Any) -> None:
    _, runtime = installed_fake
    runtime.refuse["cudaHostAlloc"] = "cudaErrorMemoryAllocation"
    with pytest.raises(ModelError, match="too little memory"):
        open_session(model, "tensorrt")


def test_a_damaged_model_is_reported_by_the_cpus_backend(
    tmp_path: Path, installed_fake: Any
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.onnx is not an ONNX file"):
        open_session(tmp_path / "bad.onnx")


def test_without_a_gpu_there_is_no_notice_but_a_reason(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, runtime, _, cuda = make_fakes()
    runtime.refuse["cudaGetDeviceCount"] = "cudaErrorNoDevice"
    monkeypatch.setattr(backends, "missing_reason", lambda name: "")
    monkeypatch.setattr(tensorrt_engine, "Cuda", lambda: cuda)
    session = open_session(model)
    assert session.backend.startswith("OpenVINO")
    assert session.notice == ""
    assert any("no NVIDIA GPU" in why for why in session.passed_over)
    with pytest.raises(ModelError, match="no NVIDIA GPU"):
        open_session(model, "tensorrt")
    with pytest.raises(NoDeviceError):
        cuda.device()


def test_a_missing_or_incomplete_library_is_reported_with_a_remedy(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert "not installed; pip install 'pymaf-live[tensorrt]'" in unavailable_reason("tensorrt")
    with pytest.raises(ModelError, match=r"tensorrt cannot be loaded \(not installed; pip"):
        open_session(model, "tensorrt")
    monkeypatch.delitem(sys.modules, "tensorrt")
    (tmp_path / "tensorrt").mkdir()
    (tmp_path / "tensorrt" / "__init__.py").write_text(
        "raise ImportError('libnvinfer.so.11: cannot open shared object file')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"incomplete \(libnvinfer.so.11") as caught:
        load_library("tensorrt")
    assert "\n" not in str(caught.value)


def test_importing_the_program_loads_no_gpu_library() -> None:
    code = (
        "import sys, pymaf_live.inference, pymaf_live.inference.tensorrt_engine;"
        "print([m for m in ('tensorrt', 'tensorrt_rtx', 'cuda.bindings', 'onnx')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
