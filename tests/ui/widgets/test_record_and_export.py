"""Recording and exporting a take with the real estimator, through the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.resources import resource
from pymaf_live.takes import read_take
from tests.helpers.model import write_fake_model
from tests.ui.conftest import OpenWindow
from tests.ui.helpers import activate, play, widget_pixels
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice, TakePhase
from ui.widgets.export_dialog import ExportDialog

pytestmark = pytest.mark.window


def hold(parts: WindowParts, qtbot: QtBot) -> None:
    """Pause and wait until the frames in flight are drawn."""
    parts.window.actions_.pause.trigger()
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PAUSED)
    qtbot.wait(400)


def with_body(parts: WindowParts, qtbot: QtBot, opacity: float) -> npt.NDArray[np.float64]:
    parts.state.opacity.set(opacity)
    qtbot.wait(100)
    return widget_pixels(parts.window.canvas_area.canvas)


def shown_people(parts: WindowParts) -> tuple[Any, ...]:
    result = parts.state.result.value
    return result.people if result is not None else ()


def open_real_window(open_window: OpenWindow, tmp_path: Path) -> WindowParts:
    """Open a window with the trained model, or with a fake one if that is missing."""
    try:
        resource("models/lite.onnx")
    except ModelError:
        model = write_fake_model(tmp_path / "fake.onnx", default_body())
        boxes = {str(index): np.array([[150.0, 30.0, 330.0, 330.0]]) for index in range(3000)}
        return open_window(real=True, options=PipelineOptions(model=model, boxes=boxes))
    return open_window(real=True)


def real_choice(clip_path: Path) -> SourceChoice:
    try:
        resource("models/lite.onnx")
        return SourceChoice("demo", str(resource("demo.mp4")), "Demo")
    except ModelError:
        return SourceChoice.from_path(clip_path)


def test_a_recorded_take_is_exported_and_read_back(
    open_window: OpenWindow, qtbot: QtBot, clip_path: Path, tmp_path: Path
) -> None:
    parts = open_real_window(open_window, tmp_path)
    play(parts, qtbot, real_choice(clip_path))
    qtbot.waitUntil(lambda: bool(shown_people(parts)), timeout=20_000)
    hold(parts, qtbot)
    changed = np.abs(with_body(parts, qtbot, 0.9) - with_body(parts, qtbot, 0.0)).max(axis=2) > 12
    assert changed.mean() > 0.005
    parts.window.actions_.pause.trigger()
    activate(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    assert parts.state.take.value.phase is TakePhase.RECORDING
    assert parts.window.canvas_area.badge.isVisible()
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 0.8, timeout=20_000)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    assert parts.state.take.value.phase is TakePhase.READY

    def fill_in_dialog() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, ExportDialog)
        dialog.name.setText("walk")
        dialog.folder.setText(str(tmp_path))
        dialog.export.click()

    QTimer.singleShot(200, fill_in_dialog)
    qtbot.keyClick(parts.window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: parts.state.message.value is not None, timeout=20_000)
    message = parts.state.message.value
    assert message is not None
    assert message.severity == "done", message.text
    assert parts.window.message_bar.show_folder.isVisible()
    assert str(tmp_path) in parts.window.message_bar.text.text()

    take = read_take(tmp_path / "walk.npz")
    assert take.body_sha256 == default_body().sha256
    assert len(take.frame) >= 5
    assert np.all(np.diff(take.frame_time) > 0)
    bvh = next(path for path in message.files if path.suffix == ".bvh").read_text()
    frames = int(bvh.split("Frames:")[1].split()[0])
    rate = 1 / float(bvh.split("Frame Time:")[1].split()[0])
    assert rate == pytest.approx(float(take.frame_rate), rel=1e-3)
    assert frames / rate == pytest.approx(np.ptp(take.frame_time), abs=2.5 / rate)
