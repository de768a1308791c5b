"""Selection of the fastest precision among those that keep the estimated bodies in place."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference import ModelVariant, open_session, openvino_engine
from pymaf_live.pipeline import model_selection
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.model_selection import shipped_models
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.precision_selection import fastest_variant, variants
from pymaf_live.types import SourceFacts
from tests.helpers.model import fake_metadata, write_fake_model

CAMERA = SourceFacts("camera", "0", (640, 480), None, None, None, live=True)


def write_model(path: Path, more: Mapping[str, str]) -> Path:
    write_fake_model(path, default_body())
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {**fake_metadata(default_body()), **more})
    onnx.save(model, path)
    return path


def write_twin(model: Path) -> Path:
    of = hashlib.sha256(model.read_bytes()).hexdigest()
    return write_model(model.with_suffix(".int8.onnx"), {"int8_of": of})


@pytest.fixture(autouse=True)
def cpu_with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_engine, "supported_precisions", lambda: ("bf16",))


def test_a_model_without_precisions_runs_in_f32_without_a_measurement(
    tmp_path: Path, probes: list[float]
) -> None:
    path = write_model(tmp_path / "model.onnx", {})
    assert fastest_variant(path, PipelineOptions()) == ModelVariant(path, "f32")


def test_the_fastest_variant_is_measured_once_and_cached(
    tmp_path: Path, probes: list[float]
) -> None:
    path = write_model(tmp_path / "model.onnx", {"precisions": "bf16"})
    twin = write_twin(path)
    assert variants(path) == [ModelVariant(path), ModelVariant(path, "bf16"), ModelVariant(twin)]
    options = PipelineOptions(cache=tmp_path / "cache")
    probes += [9.0, 6.0, 7.0]
    assert fastest_variant(path, options) == ModelVariant(path, "bf16")
    assert fastest_variant(path, options) == ModelVariant(path, "bf16")
    assert probes == []
    probes += [9.0, 10.0, 7.0]
    other = PipelineOptions(cache=tmp_path / "cache", threads=1)
    assert fastest_variant(path, other) == ModelVariant(twin)


def test_precisions_of_other_cpus_and_back_ends_are_not_selected(
    tmp_path: Path, probes: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "model.onnx", {"precisions": "bf16"})
    assert fastest_variant(path, PipelineOptions(backend="onnxruntime")) == ModelVariant(path)
    monkeypatch.setattr(openvino_engine, "supported_precisions", lambda: ())
    assert fastest_variant(path, PipelineOptions()) == ModelVariant(path)


def test_without_openvino_another_back_end_runs_in_f32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "model.onnx", {"precisions": "bf16"})
    write_twin(path)

    def missing() -> tuple[str, ...]:
        raise ImportError("no library")

    monkeypatch.setattr(openvino_engine, "supported_precisions", missing)
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert fastest_variant(path, PipelineOptions()) == ModelVariant(path)
    session = open_session(path, openvino_variant=ModelVariant(path))
    assert session.backend.startswith("ONNX Runtime")
    session.close()


def test_a_twin_of_another_model_or_a_damaged_twin_is_ignored(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.onnx", {})
    twin = write_model(tmp_path / "model.int8.onnx", {"int8_of": "0" * 64})
    assert variants(path) == [ModelVariant(path)]
    twin.write_bytes(b"not a model")
    assert variants(path) == [ModelVariant(path)]


def test_an_unknown_precision_in_a_file_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.onnx", {"precisions": "f4"})
    with pytest.raises(ModelError, match="precisions has 'f4'"):
        open_session(path, "openvino")


def test_the_pipeline_runs_the_selected_precision_and_reports_it(
    tmp_path: Path, probes: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "model.onnx", {})
    write_twin(path)
    probes += [9.0, 6.0]
    estimator = open_estimator(CAMERA, PipelineOptions(model=path, boxes={"0": []}))
    try:
        assert estimator.precision == "int8"
    finally:
        estimator.close()


def test_a_twin_is_not_listed_as_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "lite.onnx", {})
    write_twin(path)
    monkeypatch.setattr(model_selection, "resource_folders", lambda name: [tmp_path])
    assert shipped_models() == {"lite": path}
