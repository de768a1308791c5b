"""Importing bodies and checkpoints in the window."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.body.registry import body_by_name, user_model_folder
from pymaf_live.system.trainer_entry import GROUP
from tests.body.fake_smpl import fake_smpl, write_old_pickle
from tests.helpers.model import write_fake_model
from tests.ui.model_steps import add_model
from ui.app import WindowParts
from ui.state.window import SourceChoice
from ui.widgets.checkpoint_dialog import CheckpointDialog

pytestmark = pytest.mark.window


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
    shown = parts.state.message.value
    assert shown is not None
    assert "basicmodel-v1-1" in shown.text
    imported = body_by_name("basicmodel-v1-1")
    assert f"{len(imported.template)} vertices" in shown.text
    assert imported.sha256 != default_body().sha256
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    assert parts.state.body.value.sha256 == default_body().sha256
    # with a model for that body the source is opened again
    model = write_fake_model(tmp_path / "of_smpl.onnx", imported)
    add_model(parts, monkeypatch, model)
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
