"""The window's beat quickens with what goes on."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from ui.system.tick_timer import QUICK_MILLISECONDS, SLOW_MILLISECONDS, Pulse

pytestmark = pytest.mark.window


class Window:
    """Counts its beats."""

    def __init__(self) -> None:
        self.at_rest = True
        self.beats: list[float] = []
        self.parent = QObject()
        self.pulse = Pulse(self.beat, lambda: self.at_rest, self.parent)

    def beat(self) -> None:
        self.beats.append(time.monotonic())


@pytest.fixture
def window(qtbot: QtBot) -> Window:
    made = Window()
    made.pulse.start()
    return made


def test_it_slows_down_at_rest_and_not_before(window: Window, qtbot: QtBot) -> None:
    window.at_rest = False
    qtbot.waitUntil(lambda: len(window.beats) > 40, timeout=10_000)
    assert window.pulse.interval() == QUICK_MILLISECONDS
    window.at_rest = True
    qtbot.waitUntil(lambda: window.pulse.interval() == SLOW_MILLISECONDS, timeout=10_000)
    assert len(window.beats) > 60  # what was on its way has been shown quickly
    beats = len(window.beats)
    qtbot.waitUntil(lambda: len(window.beats) > beats + 3, timeout=10_000)
    assert window.beats[-1] - window.beats[-2] > 2e-3 * QUICK_MILLISECONDS
    window.pulse.stop()


@pytest.mark.parametrize("asked", [True, False])
def test_it_quickens_when_asked_and_by_itself(window: Window, qtbot: QtBot, asked: bool) -> None:
    qtbot.waitUntil(lambda: window.pulse.interval() == SLOW_MILLISECONDS, timeout=10_000)
    if asked:
        window.pulse.quicken()
        assert window.pulse.interval() == QUICK_MILLISECONDS
    else:
        window.at_rest = False
        qtbot.waitUntil(lambda: window.pulse.interval() == QUICK_MILLISECONDS, timeout=10_000)
    window.pulse.stop()
