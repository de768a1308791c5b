"""Benchmark figures from fake runs, and one short real run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.diagnostics import benchmark, benchmark_report, benchmark_runs
from pymaf_live.diagnostics.roofline import Roofline
from pymaf_live.errors import InputError, ModelError
from pymaf_live.resources import resource
from tests.helpers.clip import write_clip
from tests.helpers.model import write_fake_model


def bundle(path: Path, size: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pose_landmarks_detector.tflite", bytes(size))
    return path


class FakeRuns:
    """Fake child processes: `lite` takes 10 ms per frame, MediaPipe's networks 20 and 30."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.order: list[str] = []
        monkeypatch.setattr(benchmark, "process_run", self.process)
        monkeypatch.setattr(benchmark, "live_run", self.live)
        monkeypatch.setattr(benchmark, "mediapipe_run", self.mediapipe)
        monkeypatch.setattr(benchmark, "model_times", lambda *_: {"lite": 8.0, "full": 12.0})
        monkeypatch.setattr(benchmark, "_published_ratios", lambda: ({RESNET: 1.8}, ""))
        line = Roofline(threads=1, operations=1e8, milliseconds=10.0, peak=4e10, precision="f32")
        monkeypatch.setattr("pymaf_live.diagnostics.roofline.measure_roofline", lambda *_: line)

    def process(
        self, clip: Path, model: Any, *_: Any, overlay: bool, people: int = 0
    ) -> dict[str, Any]:
        name = Path(str(model)).stem
        self.order.append(f"{name} {'overlay' if overlay else 'plain'}")
        milliseconds = 10.0 if name == "lite" else 20.0
        return {
            "frames": 101,
            "frames_fps": 1000 / milliseconds,
            "steady_fps": 40.0,
            "fps": 30.0,
            "first_result_seconds": 1.5,
            "peak_mb": 500.0,
            "processor_ms": 18.0,
            "intervals": [milliseconds] * 98 + [60.0] * 2,
            "stages": {"network": [8.0] * 98 + [16.0] * 2},
            "means": {"draw": 5.0 if overlay else 0.0, "write": 0.0},
            "model": "full 2",
        }

    def live(self, *_: Any) -> dict[str, Any]:
        return {"frames_fps": 30.0, "delays": [20.0, 30.0, 40.0], "dropped": 1, "model": "full 2"}

    def mediapipe(self, clip: Path, task: Path) -> dict[str, Any]:
        self.order.append(f"mediapipe {task.stem}")
        milliseconds = 30.0 if "full" in task.stem else 20.0
        rate = 1000 / milliseconds
        return {
            "frames_fps": rate,
            "intervals": [milliseconds] * 100,
            "milliseconds": milliseconds - 2,
            "processor_ms": milliseconds,
        }


RESNET = "resnet50_openvino_f32_over_torch"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    return FakeRuns(monkeypatch)


def test_peers_run_alternately_and_ratios_compare_frame_rates(
    runs: FakeRuns, tmp_path: Path
) -> None:
    tasks = [resource("detector/person.task"), bundle(tmp_path / "full.task", 6_442_416)]
    figures = benchmark.measure(Path("a.mp4"), "full", "auto", runs=2, compare=tasks)
    round_ = ["full plain", "full overlay", "lite plain", "mediapipe person", "mediapipe full"]
    assert runs.order == round_ * 2
    ratios = figures["ratios"]
    assert ratios["lite_over_mediapipe_full"] == pytest.approx(3.0)
    assert ratios["lite_over_mediapipe_lite"] == pytest.approx(2.0)
    assert ratios[RESNET] == 1.8
    assert ratios["resnet50_int8_over_torch"] is None
    assert list(figures["ratios_missing"]) == ["resnet50_int8_over_torch"]
    assert set(ratios) == set(benchmark.RATIOS)


def test_stages_have_a_median_and_a_99th_percentile(runs: FakeRuns) -> None:
    figures = benchmark.measure(Path("a.mp4"), "full", "auto", runs=2)
    assert figures["process --no-overlay"]["frame"] == {"median": 20.0, "p99": 60.0}
    assert figures["stages"]["network"] == {"median": 8.0, "p99": 16.0}
    assert "draw" not in figures["stages"]
    assert figures["stages with overlay"]["draw"]["median"] == 5.0
    assert figures["live"]["delay"]["median"] == 30.0
    assert "ratios" not in figures
    assert figures["network"]["lite"][0]["share"] == pytest.approx(0.25)


def test_a_ratio_without_its_bundle_is_missing_with_a_reason(runs: FakeRuns) -> None:
    figures = benchmark.measure(
        Path("a.mp4"), "lite", "auto", runs=1, compare=[resource("detector/person.task")]
    )
    assert figures["ratios"]["lite_over_mediapipe_full"] is None
    assert "--mediapipe-task" in figures["ratios_missing"]["lite_over_mediapipe_full"]


def test_figures_are_compared_with_an_earlier_run(
    runs: FakeRuns, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(tmp_path / "a.mp4", 3)
    common = ["bench", "--clip", str(clip), "--runs", "1", "--model", "lite", "--json"]
    assert cli.main(common) == 0
    earlier = tmp_path / "earlier.json"
    figures = json.loads(capsys.readouterr().out)
    figures["process"]["frames_fps"] /= 2
    earlier.write_text(json.dumps(figures))
    assert cli.main([*common, "--against", str(earlier)]) == 0
    against = json.loads(capsys.readouterr().out)["against"]
    assert against["process / frames_fps"] == [50.0, 100.0, 2.0]
    assert against["process / frame / median"] == [10.0, 10.0, 1.0]
    assert cli.main([*common[:-1], "--against", str(earlier)]) == 0
    assert "process / frames_fps" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "[1]", '{"process": 3}', "{" * 100_000])
def test_a_file_without_figures_is_rejected(tmp_path: Path, content: str) -> None:
    path = tmp_path / "earlier.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"earlier\.json contains no benchmark figures"):
        benchmark_report.read_figures(path)


@pytest.mark.parametrize(
    ("size", "kind"), [(2_821_632, "lite"), (6_442_416, "full"), (27_000_000, "heavy")]
)
def test_a_bundle_is_identified_by_its_network(tmp_path: Path, size: int, kind: str) -> None:
    assert benchmark.landmark_model(bundle(tmp_path / "any.task", size)) == kind


def test_a_file_that_is_not_a_bundle_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "any.task"
    path.write_bytes(b"none")
    with pytest.raises(ModelError, match=r"any\.task is not a bundle"):
        benchmark.landmark_model(path)


def test_a_run_is_timed_from_its_first_to_its_last_result(tmp_path: Path) -> None:
    model = write_fake_model(tmp_path / "model.onnx", default_body())
    clip = write_clip(tmp_path / "walk.mp4", 12)
    run = benchmark_runs.process_run(clip, model, "openvino", None, overlay=False)
    assert run["frames"] == 12
    assert len(run["intervals"]) == 11
    assert run["frames_fps"] == pytest.approx(11_000 / sum(run["intervals"]), rel=1e-6)
    assert run["fps"] < run["steady_fps"] <= run["frames_fps"]
    assert {"decode", "detect"} <= set(run["stages"])
    assert all(len(values) <= 12 for values in run["stages"].values())
    assert run["model"] == "fake 0"
    assert 0 < run["processor_ms"] < 10_000


def test_a_failed_run_reports_the_reason_in_one_line(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 3)
    with pytest.raises(ModelError, match="there is no model file") as raised:
        benchmark_runs.process_run(clip, tmp_path / "none.onnx", "openvino", None, overlay=False)
    assert "\n" not in str(raised.value)
