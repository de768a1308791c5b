"""The tick timer is fast while busy and slow while idle."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from ui.system.tick_timer import FAST_MS, SLOW_MS, TickTimer

pytestmark = pytest.mark.window


class TickCounter:
    """Records the time of each tick."""

    def __init__(self) -> None:
        self.is_idle = True
        self.ticks: list[float] = []
        self.parent = QObject()
        self.tick_timer = TickTimer(self.tick, lambda: self.is_idle, self.parent)

    def tick(self) -> None:
        self.ticks.append(time.monotonic())


@pytest.fixture
def window(qtbot: QtBot) -> TickCounter:
    counter = TickCounter()
    counter.tick_timer.start()
    return counter


def test_the_timer_slows_down_only_when_idle(window: TickCounter, qtbot: QtBot) -> None:
    window.is_idle = False
    qtbot.waitUntil(lambda: len(window.ticks) > 40, timeout=10_000)
    assert window.tick_timer.interval() == FAST_MS
    window.is_idle = True
    qtbot.waitUntil(lambda: window.tick_timer.interval() == SLOW_MS, timeout=10_000)
    assert len(window.ticks) > 60  # it stays fast for half a second
    count = len(window.ticks)
    qtbot.waitUntil(lambda: len(window.ticks) > count + 3, timeout=10_000)
    assert window.ticks[-1] - window.ticks[-2] > 2e-3 * FAST_MS
    window.tick_timer.stop()


@pytest.mark.parametrize("woken", [True, False])
def test_the_timer_speeds_up_when_woken_or_active(
    window: TickCounter, qtbot: QtBot, woken: bool
) -> None:
    qtbot.waitUntil(lambda: window.tick_timer.interval() == SLOW_MS, timeout=10_000)
    if woken:
        window.tick_timer.wake()
        assert window.tick_timer.interval() == FAST_MS
    else:
        window.is_idle = False
        qtbot.waitUntil(lambda: window.tick_timer.interval() == FAST_MS, timeout=10_000)
    window.tick_timer.stop()
