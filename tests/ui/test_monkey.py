"""Random clicks and keys: no error, no dead window, no lost take.

Short by default; ``PYMAF_LIVE_MONKEY_SECONDS=1200`` runs for 20 minutes, ``PYMAF_LIVE_MONKEY_SEED``
chooses other events.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QDesktopServices, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QMenuBar,
    QMessageBox,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pymaf_live.takes import read_take
from tests.ui.helpers import activate
from tests.ui.take_steps import take_file
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice
from ui.widgets.timeline_track import TimelineTrack

pytestmark = pytest.mark.window

SECONDS = float(os.environ.get("PYMAF_LIVE_MONKEY_SECONDS", "6"))
SEED = int(os.environ.get("PYMAF_LIVE_MONKEY_SEED", "1"))
_MODIFIERS = (
    *(Qt.KeyboardModifier.NoModifier,) * 6,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
_KEYS = (
    *(getattr(Qt.Key, f"Key_{letter}") for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    *(getattr(Qt.Key, f"Key_{digit}") for digit in range(10)),
    *(Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Tab),
    *(Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Home, Qt.Key.Key_End),
    *(Qt.Key.Key_Comma, Qt.Key.Key_Period, Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight),
    *(Qt.Key.Key_F1, Qt.Key.Key_F2, Qt.Key.Key_Delete, Qt.Key.Key_Plus, Qt.Key.Key_Minus),
)
_CLICKABLE = (
    QAbstractButton, QAbstractItemView, QAbstractSlider, QComboBox, QLineEdit, QMenuBar, QTabBar,
    TimelineTrack,
)  # fmt: skip


class Monkey:
    """Sends random events to whatever is in front."""

    def __init__(self, parts: WindowParts, seed: int) -> None:
        self._parts = parts
        self._random = random.Random(seed)
        self.history: deque[str] = deque(maxlen=40)
        """Latest events, for the report of a failure."""
        self.events = 0

    def act(self) -> None:
        """Send one event."""
        self.events += 1
        popup = QApplication.activePopupWidget()
        if popup is not None:
            keys = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return, Qt.Key.Key_Escape)
            self._key(popup, self._random.choice(keys), Qt.KeyboardModifier.NoModifier)
            return
        front = QApplication.activeModalWidget() or self._parts.window
        if isinstance(front, QDialog) and self._random.random() < 0.2:
            self.history.append("close the dialog")
            front.reject()
        elif self._random.random() < 0.5:
            modifiers = self._random.choice(_MODIFIERS)
            key = self._random.choice(_KEYS)
            self._key(front.focusWidget() or front, key, modifiers)
        else:
            self._click(front)

    def _key(self, widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        self.history.append(f"{modifiers.name} {key.name} to {type(widget).__name__}")
        QTest.keyClick(widget, key, modifiers)

    def _click(self, front: QWidget) -> None:
        targets = [
            each
            for each in (*front.findChildren(QWidget), self._parts.window.canvas_area.canvas)
            if isinstance(each, _CLICKABLE) or each is self._parts.window.canvas_area.canvas
            if each.isVisible() and each.isEnabled() and each.window() is front
        ]
        if not targets:
            return
        widget = self._random.choice(targets)
        place = QPoint(
            self._random.randrange(max(1, widget.width())),
            self._random.randrange(max(1, widget.height())),
        )
        name = widget.accessibleName() or type(widget).__name__
        if self._random.random() < 0.1:
            self.history.append(f"wheel over {name}")
            self._wheel(widget, place)
            return
        self.history.append(f"click on {name} at {place.x()}, {place.y()}")
        QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=place)
        if self._random.random() < 0.3:
            QTest.mouseMove(widget, place + QPoint(self._random.randrange(-60, 60), 0))
        QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=place)

    def _wheel(self, widget: QWidget, place: QPoint) -> None:
        turn = QPoint(0, self._random.choice((-120, 120)))
        event = QWheelEvent(
            QPointF(place), QPointF(widget.mapToGlobal(place)), QPoint(), turn,
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)


@pytest.fixture
def harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel everything that would leave the window or wait for the user."""
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("name", True))
    monkeypatch.setattr(QMessageBox, "exec", lambda self: self.reject() or 0)
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda *_: True)


@pytest.mark.usefixtures("harmless")
def test_random_events_neither_break_the_window_nor_lose_the_take(
    take_window: WindowParts, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = take_window
    activate(parts, qtbot)
    file = take_file(parts)
    rows = len(read_take(file).frame_time)
    monkey = Monkey(parts, SEED)
    end, checked = time.monotonic() + SECONDS, time.monotonic()
    # quitting is what a user may do, by key or menu; the test is about everything else
    parts.window.actions_.quit.setEnabled(False)
    closed: list[str] = []

    def play() -> None:
        """Send an event and plan the next; modal dialogs and menus run loops of their own."""
        if time.monotonic() < end:
            QTimer.singleShot(15, parts.window, play)
            monkey.act()
            if not parts.window.isVisible():
                closed[:] = closed or monkey.history
        elif front := QApplication.activePopupWidget() or QApplication.activeModalWidget():
            # one that was opened last runs a loop of its own, in which the test waits
            QTimer.singleShot(15, parts.window, play)
            front.close()

    play()
    while time.monotonic() < end:
        qtbot.wait(100)
        if time.monotonic() - checked > 5:
            checked = time.monotonic()
            assert parts.window.isVisible(), closed
            if parts.state.phase.value is Phase.EMPTY:
                parts.window.open_choice(clip)
    for dialog in parts.window.findChildren(QDialog):
        dialog.reject()
    while (popup := QApplication.activePopupWidget()) is not None:
        popup.close()
    assert monkey.events > SECONDS, list(monkey.history)
    assert not parts.window.canvas_area.canvas.isHidden()
    # the window still works, and the take is there
    parts.controller.recording.stop()
    parts.controller.sources.close()
    assert len(read_take(file).frame_time) == rows, list(monkey.history)
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=20_000)
    before = parts.state.drawn.value
    qtbot.waitUntil(lambda: parts.state.drawn.value is not before, timeout=20_000)
