"""A paused window uses nearly no CPU time."""

from __future__ import annotations

import time

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window

MAX_OF_PLAYING = 0.1
"""Largest CPU time of a paused window, as a share of a playing one's: machines differ in speed."""


def cpu_share(qtbot: QtBot) -> float:
    cpu_start, start = time.process_time(), time.monotonic()
    qtbot.wait(700)
    return (time.process_time() - cpu_start) / (time.monotonic() - start)


def test_a_paused_window_is_nearly_idle(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=20_000)
    assert not parts.controller.is_idle
    playing = min(cpu_share(qtbot) for _ in range(2))
    parts.controller.playback.pause()
    qtbot.waitUntil(lambda: parts.controller.is_idle, timeout=20_000)
    qtbot.wait(1000)  # frames in flight are drawn, and the tick timer slows down
    paused = min(cpu_share(qtbot) for _ in range(4))
    assert paused < MAX_OF_PLAYING * playing, f"{paused:.3f} of a core, {playing:.3f} playing"
