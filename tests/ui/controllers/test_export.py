"""Exporting a take: the dialog, the progress and the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import bvhio
import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import ExportOptions
from pymaf_live.system.reporter import report_progress
from pymaf_live.takes import read_take
from tests.ui.conftest import OpenWindow
from ui.app import WindowParts
from ui.state.window import SourceChoice, TakePhase, WindowState
from ui.system.settings_binding import SettingsBinding
from ui.widgets.export_dialog import ExportDialog
from ui.widgets.export_form import ExportForm
from ui.widgets.formatting import time_left

pytestmark = pytest.mark.window


def record(parts: WindowParts, qtbot: QtBot, clip: SourceChoice) -> None:
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 0.7, timeout=20_000)
    parts.window.actions_.record.trigger()
    assert parts.state.take.value.phase is TakePhase.READY


def export(parts: WindowParts, qtbot: QtBot, fill_in: Callable[[ExportDialog], None]) -> None:
    """Press Ctrl+E, fill in the dialog and press Export."""
    qtbot.waitUntil(lambda: bool(parts.state.export.formats.value), timeout=20_000)

    def fill() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, ExportDialog)
        fill_in(dialog)
        dialog.export.click()
        if dialog.isVisible():  # the dialog was not accepted: do not wait for the user
            dialog.reject()

    QTimer.singleShot(200, fill)
    parts.window.actions_.export.trigger()


def test_a_take_is_exported_with_the_chosen_options(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, tmp_path: Path
) -> None:
    parts = open_window()
    record(parts, qtbot, clip)

    def fill_in(dialog: ExportDialog) -> None:
        form = dialog.form
        dialog.name.setText("walk")
        dialog.folder.setText(str(tmp_path))
        assert form.chosen() == ("bvh", "npz")
        form.unit.setCurrentIndex(form.unit.findData("m"))
        form.rate.lineEdit().selectAll()
        qtbot.keyClicks(form.rate.lineEdit(), "15")

    export(parts, qtbot, fill_in)
    qtbot.waitUntil(lambda: parts.state.message.value is not None, timeout=30_000)
    message = parts.state.message.value
    assert message is not None
    assert message.severity == "done", message.text
    assert parts.state.take.value.exported
    assert not parts.window.export_bar.isVisible()
    assert parts.window.message_bar.show_folder.isVisible()
    # figures from reading the file back
    assert "walk.bvh read back: joints within" in message.text
    assert "15 frames per second" in message.text
    assert "import with scale" in message.text
    take = read_take(tmp_path / "walk.npz")
    bvh = bvhio.readAsBvh(str(tmp_path / "walk.bvh"))
    assert bvh.FrameTime == pytest.approx(1 / 15)
    assert bvh.FrameCount == pytest.approx(np.ptp(take.frame_time) * 15 + 1, abs=1)
    root = bvhio.convertBvhToHierarchy(bvh.Root).loadPose(0)
    # in metres, the head is 1 to 2 m above the ground
    head = next(joint for joint, _, _ in root.layout() if joint.Name == "head")
    assert 1.0 < head.PositionWorld.y < 2.0
    # the dialog shows the options again
    assert parts.state.export.options.value == ExportOptions(rate=Fraction(15), unit="m")


def test_a_cancelled_export_leaves_no_incomplete_file(
    open_window: OpenWindow,
    qtbot: QtBot,
    clip: SourceChoice,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = open_window()
    record(parts, qtbot, clip)
    qtbot.waitUntil(lambda: bool(parts.state.export.formats.value), timeout=20_000)

    def slowly(take: object, body: object, path: Path, options: object, *, force, reporter):  # type: ignore[no-untyped-def]
        for part in range(1000):
            report_progress(reporter, part / 1000)
            time.sleep(0.02)
        raise AssertionError("not cancelled")

    slow = replace(FORMATS["bvh"], writer=slowly)
    monkeypatch.setattr(
        "pymaf_live.export.formats.format_for_path",
        lambda path: slow if path.suffix == ".bvh" else FORMATS["npz"],
    )
    folder = tmp_path / "out"
    folder.mkdir()
    parts.controller.export.start(folder / "walk", ("npz", "bvh"), False)
    bar = parts.window.export_bar
    qtbot.waitUntil(lambda: bar.isVisible() and "left" in bar.text.text(), timeout=30_000)
    assert "walk.bvh" in bar.text.text()
    assert bar.bar.value() >= 500  # the first of two files is written
    assert parts.state.take.value.phase is TakePhase.EXPORTING
    qtbot.mouseClick(bar.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not bar.isVisible(), timeout=5000)
    assert sorted(path.name for path in folder.iterdir()) == ["walk.npz"]
    message = parts.state.message.value
    assert message is not None
    assert "cancelled" in message.text
    assert "walk.npz" in message.text
    assert parts.state.take.value.phase is TakePhase.READY


def test_the_dialog_shows_only_options_of_the_chosen_formats(qtbot: QtBot) -> None:
    form = ExportForm(tuple(FORMATS.values()), ("npz",), ExportOptions())
    qtbot.addWidget(form)
    form.show()
    assert [name for name, each in form.controls.items() if each.isVisible()] == []
    for name, each in FORMATS.items():
        form.boxes["npz"].setChecked(name == "npz")
        form.boxes[name].setChecked(True)
        shown = {option for option, control in form.controls.items() if control.isVisible()}
        assert shown == set(each.options), name
        form.boxes[name].setChecked(False)
    form.boxes["bvh"].setChecked(True)
    form.unit.setCurrentIndex(form.unit.findData("m"))
    assert form.options().unit == "m"
    form.boxes["bvh"].setChecked(False)
    form.boxes["npz"].setChecked(True)
    assert form.options() == ExportOptions()  # hidden options keep their defaults


def test_options_that_exclude_each_other_matter_only_where_both_are_shown(qtbot: QtBot) -> None:
    options = ExportOptions(one_file=True)
    form = ExportForm(tuple(FORMATS.values()), ("fbx",), options)
    qtbot.addWidget(form)
    assert form.options() == options
    form.in_place.setChecked(True)
    assert "one file" in form.problem()
    form.boxes["fbx"].setChecked(False)
    form.boxes["bvh"].setChecked(True)
    assert form.problem() == ""
    assert form.options() == ExportOptions(in_place=True)


def test_choices_are_stored_and_unknown_ones_ignored(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    options = ExportOptions(
        rate=Fraction(30000, 1001), unit="m", rig="mixamo", mesh=False, one_file=True
    )
    parts = open_window()
    parts.state.export.formats.set(("bvh",))
    parts.state.export.options.set(options)
    parts.state.batch.folder.set(tmp_path)
    SettingsBinding().save(parts.state)
    again = WindowState()
    SettingsBinding().apply(again)
    assert again.export.formats.value == ("bvh",)
    assert again.export.options.value == options
    assert again.batch.folder.value == tmp_path
    file.write_text(file.read_text().replace('"mixamo"', '"puppet"'))
    other = WindowState()
    SettingsBinding().apply(other)
    assert other.export.options.value == ExportOptions()


@pytest.mark.parametrize("text", ["0", "-5", "abc", "1e9", "1/0"])
def test_an_invalid_frame_rate_is_rejected(qtbot: QtBot, tmp_path: Path, text: str) -> None:
    dialog = ExportDialog(tuple(FORMATS.values()), "take", tmp_path)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.export.isEnabled()
    dialog.form.rate.setEditText(text)
    assert not dialog.export.isEnabled()
    assert "frame rate" in dialog.form.note.text()
    dialog.form.rate.setEditText("29.97")
    assert dialog.request().options.rate == Fraction(30000, 1001)
    assert dialog.export.isEnabled()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (61, "1 min"), (4800, "1 h 20 min")]
)
def test_time_left_is_rounded_for_reading(seconds: float, words: str) -> None:
    assert time_left(seconds) == f"{words} left"
