"""Steps of tests that record, open and check takes in the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from ui.app import WindowParts
from ui.state.window import SourceChoice

LEFT = Qt.MouseButton.LeftButton


def play(parts: WindowParts, qtbot: QtBot, choice: SourceChoice) -> None:
    parts.window.open_choice(choice)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    activate(parts, qtbot)


def activate(parts: WindowParts, qtbot: QtBot) -> None:
    """Give the window the keyboard focus, which no window manager does here."""
    parts.window.windowHandle().requestActivate()
    qtbot.waitUntil(parts.window.isActiveWindow, timeout=5000)


def record(parts: WindowParts, qtbot: QtBot, seconds: float = 0.8) -> None:
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


def pixels(widget: QWidget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    rgb = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return rgb.astype(np.float64)


def shown_frame(parts: WindowParts) -> int | None:
    result = parts.state.result.value
    return None if result is None else result.frame.index
