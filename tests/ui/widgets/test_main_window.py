"""Main window: drag and drop, keys, messages, stored geometry, accessibility."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QSlider, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.helpers import play
from ui.state.window import Phase, SourceChoice, WindowState
from ui.system.settings_binding import SettingsBinding
from ui.system.window_geometry import WindowGeometry

pytestmark = pytest.mark.window


def test_a_dropped_file_is_played(open_window: OpenWindow, qtbot: QtBot, clip_path: Path) -> None:
    parts = open_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(clip_path))])
    action, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), action, data, buttons, keys)
    QApplication.sendEvent(parts.window, enter)
    assert enter.isAccepted()
    drop = QDropEvent(QPointF(50, 50), action, data, buttons, keys)
    QApplication.sendEvent(parts.window, drop)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=20_000)


def test_dropped_text_is_rejected(open_window: OpenWindow) -> None:
    parts = open_window()
    data = QMimeData()
    data.setText("no file")
    enter = QDragEnterEvent(
        QPoint(50, 50),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter.ignore()
    QApplication.sendEvent(parts.window, enter)
    assert not enter.isAccepted()


def test_an_unreadable_file_shows_a_message_that_escape_dismisses(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    parts = open_window()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    parts.window.open_choice(SourceChoice.from_path(broken))
    bar = parts.window.message_bar
    qtbot.waitUntil(bar.isVisible, timeout=10_000)
    assert "broken.mp4" in bar.text.text()
    assert bar.property("severity") == "error"
    assert parts.window.start_page.isVisible()
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    assert not bar.isVisible()


def test_space_pauses_while_the_canvas_has_the_focus(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    qtbot.keyClick(parts.window.canvas_area.canvas, Qt.Key.Key_Space)
    assert parts.state.phase.value is Phase.PAUSED
    qtbot.keyClick(parts.window.canvas_area.canvas, Qt.Key.Key_Space)
    assert parts.state.phase.value is Phase.PLAYING


def test_display_options_and_geometry_are_stored(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts = open_window()
    WindowGeometry(parts.window, parts.state.view.window_geometry)
    parts.state.opacity.set(0.35)
    parts.state.skeleton.set(True)
    parts.window.setGeometry(60, 40, 900, 600)
    parts.state.sources.last_choice.set(SourceChoice.from_path(tmp_path / "walk.mp4"))
    qtbot.wait(100)
    SettingsBinding().save(parts.state)
    again, binding = WindowState(), SettingsBinding()
    binding.apply(again)
    assert again.opacity.value == 0.35
    assert again.skeleton.value
    other = open_window()
    WindowGeometry(other.window, again.view.window_geometry)
    assert other.window.geometry().size().toTuple() == (900, 600)
    assert again.sources.last_choice.value == SourceChoice.from_path(tmp_path / "walk.mp4")
    file.write_text("window_geometry = 'everywhere'")
    broken = WindowState()
    SettingsBinding().apply(broken)
    assert broken.message.value is not None


def test_every_control_has_an_accessible_name(open_window: OpenWindow) -> None:
    parts = open_window()
    kinds = (QAbstractButton, QSlider, QComboBox, QLineEdit)
    controls = [w for kind in kinds for w in parts.window.centralWidget().findChildren(kind)]
    assert len(controls) >= 10
    assert [widget for widget in controls if not accessible_name(widget)] == []


def accessible_name(widget: QWidget) -> str:
    """Return the name for screen readers; a button without one uses its text."""
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
