"""Exporting takes from the list, one or several, and their marks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.helpers import activate
from tests.ui.take_steps import play, record
from ui.app import WindowParts
from ui.state.window import SourceChoice
from ui.widgets.export_dialog import ExportDialog

pytestmark = pytest.mark.window


@pytest.fixture
def two_takes(
    open_window: OpenWindow, qtbot: QtBot, take_library: Path, own_data_folder: Path
) -> WindowParts:
    shutil.copytree(take_library, own_data_folder)
    first = next(own_data_folder.iterdir())
    shutil.copytree(first, own_data_folder / "20260101-120000")
    parts = open_window()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 2, timeout=10_000)
    activate(parts, qtbot)
    parts.window.side_panel.show_page("takes")
    return parts


def accept_export(folder: Path, name: str = "") -> None:
    def fill_in() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, ExportDialog)
        dialog.folder.setText(str(folder))
        for kind, box in dialog.form.boxes.items():
            box.setChecked(kind == "npz")
        if name:
            dialog.name.setText(name)
        dialog.export.click()

    QTimer.singleShot(200, fill_in)


def test_takes_are_exported_from_the_list_without_opening_them(
    two_takes: WindowParts, qtbot: QtBot, tmp_path: Path
) -> None:
    parts, page = two_takes, two_takes.take_feature.page
    assert parts.window.actions_.export.isEnabled()
    page.list.selectAll()
    assert "2 takes" in page.note.text()
    out = tmp_path / "out"
    out.mkdir()
    accept_export(out)
    qtbot.mouseClick(page.export, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.state.message.value is not None, timeout=20_000)
    message = parts.state.message.value
    assert message is not None
    assert message.severity == "done", message.text
    # one line, with the figures behind Details and the folder behind a button
    assert message.text.splitlines()[0] == f"Wrote 2 files of 2 takes to {out}"
    assert parts.window.message_bar.show_folder.isVisible()
    assert len(list(out.glob("*.npz"))) == 2
    assert parts.state.takes.opened.value is None
    # the mark stays, also where the take is opened and after a restart
    qtbot.waitUntil(
        lambda: all(each.about.exported for each in parts.state.takes.entries.value), timeout=10_000
    )
    page.list.setCurrentRow(0)
    qtbot.mouseClick(page.open, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    assert "not exported" not in parts.window.transport.take_note.text()
    parts.controller.editing.add_marker("here")
    parts.controller.review.save()
    library = parts.controller.store.library
    opened = parts.state.takes.opened.value
    assert opened is not None
    qtbot.waitUntil(lambda: bool(library.load(opened.id).take.marker_name), timeout=10_000)
    assert library.about(opened.id).exported


def test_a_new_take_is_selected(two_takes: WindowParts, qtbot: QtBot, clip: SourceChoice) -> None:
    page = two_takes.take_feature.page
    page.list.setCurrentRow(1)
    play(two_takes, qtbot, clip)
    record(two_takes, qtbot, 0.3)
    qtbot.waitUntil(lambda: page.list.count() == 3, timeout=20_000)
    assert page.list.currentRow() == 0
    assert two_takes.state.takes.selected.value == (two_takes.state.takes.entries.value[0].id,)
