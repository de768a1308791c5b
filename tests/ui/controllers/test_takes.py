"""The list of takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.ui.helpers import activate
from ui.app import WindowParts

pytestmark = pytest.mark.window


def test_an_export_is_named_after_the_take(
    take_window: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    monkeypatch.setattr(
        take_window.window.exports, "ask", lambda name, folder, several: names.append(name)
    )
    opened = take_window.state.takes.opened.value
    assert opened is not None
    take_window.controller.takes.rename(opened.id, "left/right: 2")
    activate(take_window, qtbot)
    qtbot.keyClick(take_window.window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert names == ["left_right_ 2"]


def test_a_take_is_renamed_in_the_list_and_back_by_undo(
    take_window: WindowParts, qtbot: QtBot
) -> None:
    take_window.window.side_panel.show_page("takes")
    page = take_window.take_feature.page
    before = page.list.item(0).text()
    page.rename.click()
    editor = page.list.findChild(QWidget, "qt_spinbox_lineedit") or page.list.focusWidget()
    assert editor is not None
    qtbot.keyClick(editor, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(editor, "my dance")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    library = take_window.controller.store.library
    qtbot.waitUntil(lambda: library.entries()[0].about.name == "my dance", timeout=10_000)
    assert "my dance" in take_window.window.windowTitle()
    take_window.take_feature.actions_.undo.trigger()
    qtbot.waitUntil(lambda: library.entries()[0].about.name == before, timeout=10_000)
    qtbot.waitUntil(lambda: page.list.item(0).text() == before)


def test_a_take_is_deleted_only_after_confirmation(
    take_window: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, own_data_folder: Path
) -> None:
    page = take_window.take_feature.page
    take_window.window.side_panel.show_page("takes")
    monkeypatch.setattr(page, "ask_delete", lambda name: False)
    page.delete.click()
    assert len(list(own_data_folder.iterdir())) == 1
    monkeypatch.setattr(page, "ask_delete", lambda name: True)
    page.delete.click()
    qtbot.waitUntil(lambda: page.list.count() == 0, timeout=10_000)
    assert list(own_data_folder.iterdir()) == []
    assert take_window.state.takes.opened.value is None
    assert take_window.window.start_page.isVisible()
    assert not page.open.isEnabled()
