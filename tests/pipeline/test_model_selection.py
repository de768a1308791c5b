"""Model selection: names, the choice by fake latencies, and the latency cache."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference import open_session
from pymaf_live.pipeline import latency, model_selection
from pymaf_live.pipeline.latency import Latency, measure_latency
from pymaf_live.pipeline.model_selection import (
    NON_NETWORK_BUDGET_MS,
    keeps_up,
    model_path,
    required_rate,
    resolve_model,
    select_model,
    shipped_models,
)
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.types import SourceFacts
from tests.helpers.model import write_fake_model

VIDEO = SourceFacts("video", "video", (640, 480), Fraction(25), None, None, live=False)
CAMERA = SourceFacts("camera", "0", (640, 480), None, None, None, live=True)
ALBUM = SourceFacts("images", "album", None, None, 2, None, live=False)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Return the files of two models, as an installation has them."""
    folder = tmp_path / "resources" / "models"
    folder.mkdir(parents=True)
    lite = write_fake_model(folder / "lite.onnx", default_body())
    full = Path(shutil.copy(lite, folder / "full.onnx"))
    monkeypatch.setattr(model_selection, "resource_folders", lambda name: [folder])
    return {"lite": lite, "full": full}


@pytest.mark.parametrize(
    ("latency_ms", "rate", "people", "expected"),
    [
        (30 - NON_NETWORK_BUDGET_MS, 30.0, 1, True),
        (34 - NON_NETWORK_BUDGET_MS, 30.0, 1, False),
        (16 - NON_NETWORK_BUDGET_MS, 30.0, 2, True),
        (17 - NON_NETWORK_BUDGET_MS, 30.0, 2, False),
        (17 - NON_NETWORK_BUDGET_MS, 60.0, 1, False),
        (1000.0, None, 4, True),
    ],
)
def test_a_model_keeps_up_if_it_fits_the_frame_interval(
    latency_ms: float, rate: float | None, people: int, expected: bool
) -> None:
    assert keeps_up(latency_ms, rate, people) is expected


def test_the_required_rate_is_the_sources_own() -> None:
    assert required_rate(VIDEO) == 25
    assert required_rate(CAMERA) == 30
    assert required_rate(replace(CAMERA, frame_rate=Fraction(60))) == 60
    assert required_rate(ALBUM) is None
    # as the window plays separate images
    assert required_rate(replace(ALBUM, live=True)) is None


def test_auto_measures_once_and_caches_the_latency(
    shipped: dict[str, Path], probes: list[float], tmp_path: Path
) -> None:
    options = PipelineOptions(cache=tmp_path / "cache")
    probes += [20.0]
    assert select_model(VIDEO, options) == shipped["full"]
    assert select_model(VIDEO, options) == shipped["full"]
    assert select_model(replace(VIDEO, frame_rate=Fraction(50)), options) == shipped["lite"]
    assert select_model(VIDEO, replace(options, people=2)) == shipped["lite"]
    boxes = {"0": np.zeros((2, 4))}
    assert select_model(VIDEO, replace(options, boxes=boxes)) == shipped["lite"]
    assert probes == []
    assert not list((tmp_path / "cache").glob("*.part*"))


def test_another_file_thread_count_or_back_end_is_measured_again(
    shipped: dict[str, Path], probes: list[float], tmp_path: Path
) -> None:
    options = PipelineOptions(cache=tmp_path / "cache")
    probes += [20.0, 50.0, 20.0, 50.0]
    assert select_model(CAMERA, options) == shipped["full"]
    assert select_model(CAMERA, replace(options, threads=1)) == shipped["lite"]
    assert select_model(CAMERA, replace(options, backend="openvino")) == shipped["full"]
    write_fake_model(shipped["full"], default_body(), fill=0.5)
    assert select_model(CAMERA, options) == shipped["lite"]
    assert probes == []


@pytest.mark.parametrize(
    "content", [b"\xff", b"[1]", b"{", b'{"a": null}', b"[" * 100_000, b'{"a": 1e999}']
)
def test_a_damaged_cache_is_replaced(
    shipped: dict[str, Path], probes: list[float], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "times.json").write_bytes(content)
    probes += [20.0]
    options = PipelineOptions(cache=tmp_path)
    assert select_model(VIDEO, options) == shipped["full"]
    assert list(json.loads((tmp_path / "times.json").read_text()).values()) == [20.0]


def test_without_a_cache_folder_the_latency_is_measured_every_time(
    shipped: dict[str, Path], probes: list[float], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    probes += [20.0, 50.0]
    assert select_model(VIDEO, PipelineOptions()) == shipped["full"]
    assert select_model(VIDEO, PipelineOptions(cache=tmp_path / "file")) == shipped["lite"]


def test_nothing_is_measured_without_need(shipped: dict[str, Path], probes: list[float]) -> None:
    assert select_model(ALBUM, PipelineOptions(people=9)) == shipped["full"]
    fast = replace(VIDEO, frame_rate=Fraction(1000))
    assert select_model(fast, PipelineOptions()) == shipped["lite"]
    assert select_model(VIDEO, PipelineOptions(model="lite")) == shipped["lite"]
    assert select_model(CAMERA, PipelineOptions(model="full")) == shipped["full"]
    shipped["full"].unlink()
    assert select_model(ALBUM, PipelineOptions()) == shipped["lite"]
    shipped["full"].write_bytes(shipped["lite"].read_bytes())
    shipped["lite"].unlink()
    assert select_model(fast, PipelineOptions()) == shipped["full"]


def test_models_are_named_after_their_files(shipped: dict[str, Path], tmp_path: Path) -> None:
    assert shipped_models() == shipped
    assert resolve_model("auto") == "auto"
    assert resolve_model("full") == model_path("full") == shipped["full"]
    assert resolve_model(shipped["lite"]) == shipped["lite"]
    with pytest.raises(ModelError, match="neither auto, full, lite nor a file"):
        resolve_model("enormous")


def test_an_installation_without_models_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> Path:
        raise ModelError(f"the installation lacks resources/{name}")

    monkeypatch.setattr(model_selection, "resource_folders", lambda name: [])
    monkeypatch.setattr(model_selection, "resource", lacking)
    with pytest.raises(ModelError, match=r"models/lite\.onnx"):
        resolve_model("auto")


def test_a_latency_measured_on_a_busy_machine_is_not_cached(
    shipped: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = iter([Latency(600.0, disturbed=True), Latency(20.0, disturbed=False)])
    monkeypatch.setattr(latency, "measure_latency", lambda session: next(found))
    options = PipelineOptions(cache=tmp_path / "cache")
    assert select_model(VIDEO, options) == shipped["lite"]
    assert select_model(VIDEO, options) == shipped["full"]
    assert select_model(VIDEO, options) == shipped["full"]


@pytest.mark.parametrize(("cpu_seconds", "disturbed"), [(0.19, False), (0.02, True)])
def test_a_measurement_is_short_and_detects_other_load(
    shipped: dict[str, Path], monkeypatch: pytest.MonkeyPatch, cpu_seconds: float, disturbed: bool
) -> None:
    session = open_session(shipped["lite"])
    runs: list[int] = []
    monkeypatch.setattr(session, "run", lambda images: runs.append(len(images)))
    wall_times = iter([0.0, 0.0, 0.2])
    cpu_times = iter([5.0, 5.0 + cpu_seconds])
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(wall_times))
    monkeypatch.setattr(latency.time, "process_time", lambda: next(cpu_times))
    # a second run would end after .4 s
    found = measure_latency(session)
    assert runs == [1]
    assert found.milliseconds == pytest.approx(200)
    assert found.disturbed is disturbed
    session.close()
