"""Choosing and adding models in the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from tests.helpers.model import write_fake_model
from tests.ui.conftest import OpenWindow
from tests.ui.model_steps import add_model, choose
from ui.app import WindowParts
from ui.state.window import SourceChoice, TakePhase, WindowState
from ui.system.settings_binding import SettingsBinding

pytestmark = pytest.mark.window


def test_the_model_changes_during_a_recording(
    parts: WindowParts, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.controller.recording.record()
    qtbot.waitUntil(lambda: parts.state.take.value.rows > 3, timeout=10_000)
    choose(qtbot, parts, "full")
    qtbot.waitUntil(lambda: parts.state.figures.value.model == "full", timeout=10_000)
    assert "full" in parts.tools_feature.model_page.running.text()
    assert parts.state.take.value.phase is TakePhase.RECORDING
    rows = parts.state.take.value.rows
    qtbot.waitUntil(lambda: parts.state.take.value.rows > rows + 5, timeout=10_000)
    assert parts.state.source.value == clip
    # the back-end changes likewise; later sources are opened with both
    choose(qtbot, parts, "openvino")
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
    choose(qtbot, parts, "lite")
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


def test_a_valid_model_file_is_checked_listed_and_stored(
    parts: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: tmp_path / "settings.toml")
    model = write_fake_model(tmp_path / "mine.onnx", default_body())
    page = parts.tools_feature.model_page
    add_model(parts, monkeypatch, model)
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
    add_model(parts, monkeypatch, bad)
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
    add_model(parts, monkeypatch, model)
    qtbot.waitUntil(page.problem.isVisible, timeout=20_000)
    assert "another body" in page.problem.text()
    assert str(model) not in page.models.buttons
