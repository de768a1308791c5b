"""Choosing, adding and importing models in the window."""

from __future__ import annotations

import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.body.registry import body_by_name, user_model_folder
from pymaf_live.errors import ModelError
from pymaf_live.inference.tensorrt_library import Library
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import Source
from pymaf_live.system.trainer_entry import GROUP
from pymaf_live.types import SourceFacts
from tests.body.fake_smpl import fake_smpl, write_old_pickle
from tests.helpers.model import write_fake_model
from tests.inference.fake_tensorrt import FakeTensorRt, make_fakes
from tests.ui.conftest import OpenWindow, own_threads
from tests.ui.fakes import StandingEstimator
from ui.app import WindowParts
from ui.state.window import SourceChoice, TakePhase, WindowState
from ui.system.settings_binding import SettingsBinding
from ui.widgets.checkpoint_dialog import CheckpointDialog

pytestmark = pytest.mark.window


def named(facts: SourceFacts, options: PipelineOptions) -> StandingEstimator:
    """Return an estimator named after its model; 'lite' cannot be opened."""
    if options.model == "lite":
        raise ModelError("the model lite.onnx is damaged")
    estimator = StandingEstimator(0.01)
    estimator.model, estimator.backend = str(options.model), options.backend
    return estimator


def with_named(source: Source, options: PipelineOptions) -> Pipeline:
    return Pipeline(source, options, open_estimator=named)


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> WindowParts:
    opened = open_window()
    monkeypatch.setattr(opened.controller.opener, "open_pipeline", with_named)
    opened.tools_feature.models.trigger()
    qtbot.waitUntil(opened.tools_feature.model_page.isVisible)
    qtbot.waitUntil(lambda: bool(opened.state.models.backends.value), timeout=10_000)
    return opened


def click(qtbot: QtBot, parts: WindowParts, key: str) -> None:
    page = parts.tools_feature.model_page
    button = {**page.models.buttons, **page.backends.buttons}[key]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.rect().center())


def test_the_model_changes_during_a_recording(
    parts: WindowParts, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.controller.recording.record()
    qtbot.waitUntil(lambda: parts.state.take.value.rows > 3, timeout=10_000)
    click(qtbot, parts, "full")
    qtbot.waitUntil(lambda: parts.state.figures.value.model == "full", timeout=10_000)
    assert "full" in parts.tools_feature.model_page.running.text()
    assert parts.state.take.value.phase is TakePhase.RECORDING
    rows = parts.state.take.value.rows
    qtbot.waitUntil(lambda: parts.state.take.value.rows > rows + 5, timeout=10_000)
    assert parts.state.source.value == clip
    # the back-end changes likewise; later sources are opened with both
    click(qtbot, parts, "openvino")
    qtbot.waitUntil(lambda: parts.state.figures.value.backend == "openvino", timeout=10_000)
    parts.window.open_choice(clip)
    qtbot.waitUntil(
        lambda: (
            (parts.state.figures.value.model, parts.state.figures.value.backend)
            == ("full", "openvino")
        ),
        timeout=20_000,
    )


def test_after_a_failed_change_the_old_model_continues(
    parts: WindowParts, qtbot: QtBot, clip: SourceChoice
) -> None:
    page = parts.tools_feature.model_page
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    click(qtbot, parts, "lite")
    qtbot.waitUntil(page.problem.isVisible, timeout=10_000)
    assert page.problem.text() == "The model lite.onnx is damaged."
    assert page.models.buttons["auto"].isChecked()
    drawn = parts.state.drawn.value
    qtbot.waitUntil(lambda: parts.state.drawn.value != drawn, timeout=5000)
    assert parts.state.figures.value.model == "auto"


def test_unavailable_options_say_why(
    open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ui.controllers.models.backend_unavailable_reason",
        lambda name: "not installed (pip install onnxruntime)" if name == "onnxruntime" else "",
    )
    monkeypatch.setattr(
        "ui.controllers.models.shipped_models", lambda: {"lite": Path("/models/lite.onnx")}
    )
    parts = open_window()
    page = parts.tools_feature.model_page
    assert not page.backends.buttons  # their libraries are loaded only when the page is shown
    parts.tools_feature.models.trigger()
    qtbot.waitUntil(lambda: bool(page.backends.buttons), timeout=10_000)
    assert page.backends.buttons["openvino"].isEnabled()
    assert not page.backends.buttons["onnxruntime"].isEnabled()
    assert "pip install" in page.backends.buttons["onnxruntime"].accessibleDescription()
    assert not page.models.buttons["full"].isEnabled()
    assert "not part" in page.models.buttons["full"].accessibleDescription()
    assert page.models.buttons["lite"].isEnabled()


def add(parts: WindowParts, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    parts.tools_feature.model_page.add.click()


def test_a_valid_model_file_is_checked_listed_and_stored(
    parts: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: tmp_path / "settings.toml")
    model = write_fake_model(tmp_path / "mine.onnx", default_body())
    page = parts.tools_feature.model_page
    add(parts, monkeypatch, model)
    qtbot.waitUntil(lambda: str(model) in page.models.buttons, timeout=20_000)
    button = page.models.buttons[str(model)]
    assert button.text() == "mine.onnx"
    assert "fake 0" in button.accessibleDescription()
    assert button.isChecked()
    SettingsBinding().save(parts.state)
    again, binding = WindowState(), SettingsBinding()
    binding.apply(again)
    assert again.models.model_files.value == (str(model),)
    assert binding.settings.model == str(model)
    page.models.removers[str(model)].click()
    assert str(model) not in page.models.buttons
    assert page.models.buttons["auto"].isChecked()
    assert model.exists()


@pytest.mark.parametrize("content", [b"", b"no model at all" * 50])
def test_a_bad_model_file_is_rejected_with_one_line(
    parts: WindowParts,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes,
) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(content)
    page = parts.tools_feature.model_page
    add(parts, monkeypatch, bad)
    qtbot.waitUntil(page.problem.isVisible, timeout=20_000)
    assert "bad.onnx" in page.problem.text()
    assert "\n" not in page.problem.text()
    assert str(bad) not in page.models.buttons
    assert parts.state.models.model.value == "auto"
    assert page.add.isEnabled()


def test_a_model_for_another_body_is_rejected(
    parts: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = write_fake_model(
        tmp_path / "foreign.onnx", default_body(), metadata={"body_sha256": "0" * 64}
    )
    page = parts.tools_feature.model_page
    add(parts, monkeypatch, model)
    qtbot.waitUntil(page.problem.isVisible, timeout=20_000)
    assert "another body" in page.problem.text()
    assert str(model) not in page.models.buttons


# -- engines for a GPU ------------------------------------------------------------------------


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
    """Make the back-end believe that there is a GPU."""
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
    monkeypatch.setattr(parts.controller.opener, "open_pipeline", with_named)
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
    click(qtbot, with_model, "tensorrt")
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
    click(qtbot, with_model, "openvino")
    qtbot.waitUntil(lambda: with_model.state.figures.value.backend == "openvino", timeout=20_000)
    click(qtbot, with_model, "tensorrt")
    qtbot.waitUntil(lambda: with_model.state.figures.value.backend == "tensorrt", timeout=20_000)
    assert gpu.builds == 1


def test_a_cancelled_engine_build_changes_nothing(
    with_model: WindowParts, gpu: SlowBuild, qtbot: QtBot, tmp_path: Path
) -> None:
    page = with_model.tools_feature.model_page
    before = with_model.state.figures.value.backend
    click(qtbot, with_model, "tensorrt")
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
    click(qtbot, with_model, "tensorrt")
    qtbot.waitUntil(page.problem.isVisible, timeout=20_000)
    assert "cannot build" in page.problem.text()
    assert page.backends.buttons["auto"].isChecked()
    assert not page.building.isVisible()


def test_closing_the_window_ends_an_engine_build(
    with_model: WindowParts, gpu: SlowBuild, qtbot: QtBot
) -> None:
    click(qtbot, with_model, "tensorrt")
    gpu.steps.release(1)
    page = with_model.tools_feature.model_page
    qtbot.waitUntil(lambda: page.building.bar.value() == 25, timeout=20_000)
    with_model.window.close()
    gpu.steps.release(1)  # the builder checks for cancellation at its next step
    qtbot.waitUntil(lambda: not own_threads(set()), timeout=5000)
    assert gpu.builds == 0


# -- files under their owners' terms ----------------------------------------------------------


@pytest.fixture
def smpl_file(tmp_path: Path) -> Path:
    entries, _ = fake_smpl(default_body(), pose_directions=False)
    return write_old_pickle(tmp_path / "basicmodel v1.1.pkl", entries)


def import_body(parts: WindowParts, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    parts.tools_feature.model_page.import_body.click()


def test_an_imported_body_is_drawn_and_recorded(
    parts: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    smpl_file: Path, clip: SourceChoice,
) -> None:  # fmt: skip
    page = parts.tools_feature.model_page
    import_body(parts, monkeypatch, smpl_file)
    qtbot.waitUntil(lambda: parts.state.message.value is not None, timeout=20_000)
    said = parts.state.message.value
    assert said is not None
    assert "basicmodel-v1-1" in said.text
    imported = body_by_name("basicmodel-v1-1")
    assert f"{len(imported.template)} vertices" in said.text
    assert imported.sha256 != default_body().sha256
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    assert parts.state.body.value.sha256 == default_body().sha256
    # with a model for that body the source is opened again
    model = write_fake_model(tmp_path / "of_smpl.onnx", imported)
    add(parts, monkeypatch, model)
    qtbot.waitUntil(lambda: parts.state.body.value.sha256 == imported.sha256, timeout=20_000)
    qtbot.waitUntil(lambda: parts.state.figures.value.model == str(model), timeout=20_000)
    assert page.models.buttons[str(model)].isChecked()
    assert parts.state.source.value == clip
    parts.controller.recording.record()
    qtbot.waitUntil(lambda: parts.state.take.value.rows > 5, timeout=10_000)
    parts.controller.recording.record()
    parts.controller.recording.stop()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1, timeout=20_000)
    take = parts.controller.takes.current_take()
    assert take.body_sha256 == imported.sha256
    # an open take is drawn with its own body, whatever model is chosen
    page.models.buttons["auto"].click()
    qtbot.waitUntil(lambda: parts.state.body.value.sha256 == default_body().sha256, timeout=20_000)
    parts.controller.takes.open_latest()
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    assert parts.state.body.value.sha256 == imported.sha256
    # and is not re-estimated by a model for another body
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    parts.controller.correction.reestimate(np.array([100.0, 20.0, 380.0, 340.0]))
    qtbot.waitUntil(lambda: "Choose a model" in message(parts), timeout=20_000)


def message(parts: WindowParts) -> str:
    shown = parts.state.message.value
    return shown.text if shown is not None else ""


def test_an_invalid_body_file_says_why(
    parts: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.pkl"
    bad.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    import_body(parts, monkeypatch, bad)
    page = parts.tools_feature.model_page
    qtbot.waitUntil(page.problem.isVisible, timeout=20_000)
    assert "bad.pkl" in page.problem.text()
    assert "\n" not in page.problem.text()
    assert not page.building.isVisible()


def import_checkpoint(parts: WindowParts, qtbot: QtBot, checkpoint: Path, smpl: Path) -> None:
    """Fill in the dialog as a user would."""

    def fill() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, CheckpointDialog)
        dialog.checkpoint.setText(str(checkpoint))
        assert not dialog.import_button.isEnabled()
        dialog.smpl.setText(str(smpl))
        assert dialog.import_button.isEnabled()
        dialog.import_button.click()

    QTimer.singleShot(300, fill)
    qtbot.mouseClick(parts.tools_feature.model_page.import_checkpoint, Qt.MouseButton.LeftButton)


def test_without_the_training_extra_the_import_says_what_to_install(
    parts: WindowParts,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    smpl_file: Path,
) -> None:
    monkeypatch.setattr("pymaf_live.system.trainer_entry.entry_points", lambda **_: ())
    checkpoint = tmp_path / "PyMAF_model_checkpoint.pt"
    checkpoint.write_bytes(b"weights")
    import_checkpoint(parts, qtbot, checkpoint, smpl_file)
    page = parts.tools_feature.model_page
    qtbot.waitUntil(page.problem.isVisible, timeout=5000)
    assert "pip install 'pymaf-live[train]'" in page.problem.text()


FAKE_TRAINER = """
import time
from pathlib import Path
from pymaf_live.errors import InputError

def import_pymaf(checkpoint, smpl, name, out):
    content = Path(checkpoint).read_bytes()
    if content == b"slow":
        time.sleep(60)
    if content == b"bad":
        raise InputError("the checkpoint lacks conv1.weight")
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_bytes(content)
    return out
"""


@pytest.fixture
def fake_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainer whose import copies its input."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "fake_trainer.py").write_text(FAKE_TRAINER)
    monkeypatch.syspath_prepend(folder)
    entry = EntryPoint("import_pymaf", "fake_trainer:import_pymaf", GROUP)
    monkeypatch.setattr("pymaf_live.system.trainer_entry.entry_points", lambda **_: (entry,))


def test_an_imported_checkpoint_is_checked_listed_and_chosen(
    parts: WindowParts, qtbot: QtBot, fake_trainer: None, tmp_path: Path, smpl_file: Path
) -> None:
    checkpoint = write_fake_model(tmp_path / "checkpoint.pt", default_body())
    import_checkpoint(parts, qtbot, checkpoint, smpl_file)
    page = parts.tools_feature.model_page
    qtbot.waitUntil(page.building.isVisible, timeout=5000)
    assert "checkpoint.pt" in page.building.text.text()
    out = str(user_model_folder() / "pymaf.onnx")
    qtbot.waitUntil(lambda: out in page.models.buttons, timeout=20_000)
    assert page.models.buttons[out].isChecked()
    assert not page.building.isVisible()


def test_a_failed_import_says_why_and_a_cancelled_one_nothing(
    parts: WindowParts, qtbot: QtBot, fake_trainer: None, tmp_path: Path, smpl_file: Path
) -> None:
    page = parts.tools_feature.model_page
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(b"bad")
    import_checkpoint(parts, qtbot, checkpoint, smpl_file)
    qtbot.waitUntil(page.problem.isVisible, timeout=20_000)
    assert page.problem.text() == (
        "The checkpoint was not imported: the checkpoint lacks conv1.weight."
    )
    checkpoint.write_bytes(b"slow")
    import_checkpoint(parts, qtbot, checkpoint, smpl_file)
    qtbot.waitUntil(page.building.isVisible, timeout=5000)
    assert not page.problem.isVisible()
    qtbot.mouseClick(page.building.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.building.isVisible(), timeout=10_000)
    assert not page.problem.isVisible()
    assert not (user_model_folder() / "pymaf.onnx").exists()
