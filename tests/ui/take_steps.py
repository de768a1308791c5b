"""Steps of tests that record, open and check takes in the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.ui import helpers
from ui.app import WindowParts
from ui.state.window import SourceChoice

LEFT = Qt.MouseButton.LeftButton


def play(parts: WindowParts, qtbot: QtBot, choice: SourceChoice) -> None:
    """Open a source in the focused window and wait until its first frame is drawn."""
    helpers.play(parts, qtbot, choice)
    helpers.activate(parts, qtbot)


def record(parts: WindowParts, qtbot: QtBot, seconds: float = 0.8) -> None:
    """Record for some seconds and wait until the take is listed."""
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > seconds, timeout=20_000)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) > 0, timeout=30_000)


def frames_of(parts: WindowParts) -> int:
    opened = parts.state.takes.opened.value
    assert opened is not None
    return len(opened.stored.take.frame_time)


def trim_of(parts: WindowParts) -> tuple[int, int] | None:
    opened = parts.state.takes.opened.value
    assert opened is not None
    return opened.stored.take.trim


def take_file(parts: WindowParts) -> Path:
    opened = parts.state.takes.opened.value
    assert opened is not None
    return parts.controller.store.library.folder(opened.id) / "take.npz"


def shown_frame(parts: WindowParts) -> int | None:
    result = parts.state.result.value
    return None if result is None else result.frame.index
