"""The window's beat quickens with what goes on."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from ui.system.tick_timer import FAST_MS, SLOW_MS, TickTimer

pytestmark = pytest.mark.window


class Window:
    """Counts its beats."""

    def __init__(self) -> None:
        self.is_idle = True
        self.beats: list[float] = []
        self.parent = QObject()
        self.tick_timer = TickTimer(self.beat, lambda: self.is_idle, self.parent)

    def beat(self) -> None:
        self.beats.append(time.monotonic())


@pytest.fixture
def window(qtbot: QtBot) -> Window:
    made = Window()
    made.tick_timer.start()
    return made


def test_it_slows_down_at_rest_and_not_before(window: Window, qtbot: QtBot) -> None:
    window.is_idle = False
    qtbot.waitUntil(lambda: len(window.beats) > 40, timeout=10_000)
    assert window.tick_timer.interval() == FAST_MS
    window.is_idle = True
    qtbot.waitUntil(lambda: window.tick_timer.interval() == SLOW_MS, timeout=10_000)
    assert len(window.beats) > 60  # what was on its way has been shown quickly
    beats = len(window.beats)
    qtbot.waitUntil(lambda: len(window.beats) > beats + 3, timeout=10_000)
    assert window.beats[-1] - window.beats[-2] > 2e-3 * FAST_MS
    window.tick_timer.stop()


@pytest.mark.parametrize("asked", [True, False])
def test_it_quickens_when_asked_and_by_itself(window: Window, qtbot: QtBot, asked: bool) -> None:
    qtbot.waitUntil(lambda: window.tick_timer.interval() == SLOW_MS, timeout=10_000)
    if asked:
        window.tick_timer.wake()
        assert window.tick_timer.interval() == FAST_MS
    else:
        window.is_idle = False
        qtbot.waitUntil(lambda: window.tick_timer.interval() == FAST_MS, timeout=10_000)
    window.tick_timer.stop()
