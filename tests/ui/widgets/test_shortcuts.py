"""Keyboard shortcuts and marked letters: each does one thing, everywhere."""

from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.helpers import activate, play
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window


def test_no_shortcut_is_ambiguous(open_window: OpenWindow) -> None:
    window = open_window().window
    keys = [
        keys.toString() for action in window.findChildren(QAction) for keys in action.shortcuts()
    ]
    keys += [
        each.key().toString()
        for each in window.findChildren(QShortcut)
        if each.context() is not Qt.ShortcutContext.WidgetShortcut
    ]
    assert len(keys) > 40
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def marked_letters(parts: WindowParts) -> list[str]:
    """Return the letters that Alt reaches now: of the menus and of the visible controls."""
    window = parts.window
    texts = [action.text() for action in window.menuBar().actions()]
    texts += [
        label.text() for label in window.findChildren(QLabel) if label.isVisible() and label.buddy()
    ]
    texts += [each.text() for each in window.findChildren(QAbstractButton) if each.isVisible()]
    return [key for text in texts if (key := QKeySequence.mnemonic(text).toString())]


def test_no_marked_letter_is_ambiguous_on_any_page(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    parts.window.resize(1300, 800)
    play(parts, qtbot, clip)
    for name, _ in parts.window.side_panel.page_titles():
        parts.window.side_panel.show_page(name)
        letters = Counter(marked_letters(parts))
        assert len(letters) >= 6
        assert [key for key, count in letters.items() if count > 1] == [], name


def test_space_plays_and_pauses_after_a_click_and_presses_what_tab_has_reached(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    parts.window.resize(1300, 800)
    play(parts, qtbot, clip)
    activate(parts, qtbot)
    parts.window.side_panel.show_page("view")
    box = parts.view_feature.view_page.skeleton
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(10, box.height() // 2))
    assert parts.state.skeleton.value
    for phase in (Phase.PAUSED, Phase.PLAYING):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
        assert parts.state.phase.value is phase
    assert parts.state.skeleton.value
    parts.window.canvas_area.setFocus()
    box.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert not parts.state.skeleton.value
    assert parts.state.phase.value is Phase.PLAYING
    # a text field gets the space
    parts.window.side_panel.show_page("live_out")
    line = parts.tools_feature.live_out_page.address
    line.setFocus(Qt.FocusReason.MouseFocusReason)
    qtbot.keyClick(line, Qt.Key.Key_Space)
    assert parts.state.phase.value is Phase.PLAYING


def test_ctrl_q_quits_from_the_batch_window(open_window: OpenWindow, qtbot: QtBot) -> None:
    parts = open_window()
    batch = parts.tools_feature.open_batch()
    qtbot.waitExposed(batch)
    batch.windowHandle().requestActivate()
    qtbot.waitUntil(batch.isActiveWindow, timeout=5000)
    qtbot.keyClick(batch, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not parts.window.isVisible(), timeout=5000)


def test_help_shows_shortcuts_manual_and_licences(open_window: OpenWindow, qtbot: QtBot) -> None:
    parts = open_window()
    activate(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_F1)
    dialog = parts.help_feature.dialog
    assert dialog is not None
    assert dialog.isVisible()
    text = dialog.text.toPlainText()
    for words in ("Record", "Ctrl+E", "Space", "Capture whole video", "Elsewhere"):
        assert words in text
    parts.help_feature.show_manual()
    assert not dialog.isVisible()
    assert "Batch" in parts.help_feature.dialog.text.toPlainText()
    parts.help_feature.show_licences()
    assert "Apache License" in parts.help_feature.dialog.text.toPlainText()
    parts.help_feature.dialog.close()


def test_recent_files_are_offered_newest_first(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    menu = parts.window.menus.source.recent
    assert [action.text().split("  ")[0] for action in menu.actions()] == [clip.title]
    parts.controller.sources.close()
    menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=10_000)
