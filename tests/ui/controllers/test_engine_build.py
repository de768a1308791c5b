"""Building TensorRT engines in the window."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.inference.tensorrt_library import Library
from pymaf_live.pipeline.options import PipelineOptions
from tests.helpers.model import write_fake_model
from tests.inference.fake_tensorrt import FakeTensorRt, make_fakes
from tests.ui.conftest import OpenWindow, own_threads
from tests.ui.model_steps import choose, open_named_pipeline
from ui.app import WindowParts
from ui.state.window import SourceChoice

pytestmark = pytest.mark.window


class SlowBuild(FakeTensorRt):
    """Fake build that advances one step per `steps.release()`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.steps = threading.Semaphore(0)

    def _build(self, network: Any, config: Any) -> bytes | None:
        monitor = config.progress_monitor
        monitor.phase_start("Timing kernels", None, 4)
        for step in range(4):
            self.steps.acquire(timeout=20)
            if not monitor.step_complete("Timing kernels", step):
                return None
        return super()._build(network, config)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SlowBuild:
    """Fake a machine with a GPU and TensorRT."""
    _, runtime, _, cuda = make_fakes()
    trt = SlowBuild(runtime)
    monkeypatch.setattr("ui.controllers.models.backend_unavailable_reason", lambda name: "")
    monkeypatch.setattr("pymaf_live.inference.backends.missing_reason", lambda name: "")
    monkeypatch.setattr("pymaf_live.inference.tensorrt_engine.Cuda", lambda: cuda)
    monkeypatch.setattr(
        "pymaf_live.inference.tensorrt_engine.load_library", lambda name: Library(name, trt)
    )
    return trt


@pytest.fixture
def with_model(
    gpu: SlowBuild, open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, clip: SourceChoice,
) -> WindowParts:  # fmt: skip
    """Return a window that runs a model file and offers TensorRT."""
    model = write_fake_model(tmp_path / "mine.onnx", default_body())
    parts = open_window(options=PipelineOptions(model=model, cache=tmp_path / "cache"))
    monkeypatch.setattr(parts.controller.opener, "open_pipeline", open_named_pipeline)
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.tools_feature.models.trigger()
    qtbot.waitUntil(
        lambda: "tensorrt" in parts.tools_feature.model_page.backends.buttons, timeout=10_000
    )
    return parts


def test_an_engine_is_built_while_the_old_back_end_continues(
    with_model: WindowParts, gpu: SlowBuild, qtbot: QtBot, tmp_path: Path
) -> None:
    page = with_model.tools_feature.model_page
    assert not page.building.isVisible()
    choose(qtbot, with_model, "tensorrt")
    qtbot.waitUntil(page.building.isVisible, timeout=10_000)
    gpu.steps.release(2)
    qtbot.waitUntil(lambda: page.building.bar.value() == 50, timeout=20_000)
    assert "TensorRT engine for mine" in page.building.text.text()
    assert page.building.step.text() == "Timing kernels"
    drawn = with_model.state.drawn.value
    qtbot.waitUntil(lambda: with_model.state.drawn.value != drawn, timeout=5000)
    assert with_model.state.figures.value.backend != "tensorrt"
    gpu.steps.release(2)
    qtbot.waitUntil(lambda: with_model.state.figures.value.backend == "tensorrt", timeout=20_000)
    assert not page.building.isVisible()
    assert page.backends.buttons["tensorrt"].isChecked()
    assert gpu.builds == 1
    assert list((tmp_path / "cache" / "engines").glob("*.engine"))
    # the engine is cached: chosen again it is ready at once
    choose(qtbot, with_model, "openvino")
    qtbot.waitUntil(lambda: with_model.state.figures.value.backend == "openvino", timeout=20_000)
    choose(qtbot, with_model, "tensorrt")
    qtbot.waitUntil(lambda: with_model.state.figures.value.backend == "tensorrt", timeout=20_000)
    assert gpu.builds == 1


def test_a_cancelled_engine_build_changes_nothing(
    with_model: WindowParts, gpu: SlowBuild, qtbot: QtBot, tmp_path: Path
) -> None:
    page = with_model.tools_feature.model_page
    before = with_model.state.figures.value.backend
    choose(qtbot, with_model, "tensorrt")
    gpu.steps.release(1)
    qtbot.waitUntil(lambda: page.building.bar.value() == 25, timeout=20_000)
    qtbot.mouseClick(page.building.cancel, Qt.MouseButton.LeftButton)
    assert not page.building.cancel.isEnabled()
    gpu.steps.release(1)
    qtbot.waitUntil(lambda: not page.building.isVisible(), timeout=20_000)
    assert gpu.builds == 0
    assert page.backends.buttons["auto"].isChecked()
    assert not page.problem.isVisible()
    assert with_model.state.figures.value.backend == before
    assert not list((tmp_path / "cache").rglob("*.engine"))


def test_a_failed_engine_build_says_why_and_keeps_the_old_back_end(
    with_model: WindowParts, gpu: SlowBuild, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = with_model.tools_feature.model_page
    monkeypatch.setattr(gpu, "_build", lambda network, config: None)
    choose(qtbot, with_model, "tensorrt")
    qtbot.waitUntil(page.problem.isVisible, timeout=20_000)
    assert "cannot build" in page.problem.text()
    assert page.backends.buttons["auto"].isChecked()
    assert not page.building.isVisible()


def test_closing_the_window_ends_an_engine_build(
    with_model: WindowParts, gpu: SlowBuild, qtbot: QtBot
) -> None:
    choose(qtbot, with_model, "tensorrt")
    gpu.steps.release(1)
    page = with_model.tools_feature.model_page
    qtbot.waitUntil(lambda: page.building.bar.value() == 25, timeout=20_000)
    with_model.window.close()
    gpu.steps.release(1)  # the builder checks for cancellation at its next step
    qtbot.waitUntil(lambda: not own_threads(set()), timeout=5000)
    assert gpu.builds == 0
