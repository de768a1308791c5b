"""A paused window uses nearly no CPU time."""

from __future__ import annotations

import time

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window

MAX_CPU_SHARE = 0.02
"""Largest share of one CPU core."""


def test_a_paused_window_is_nearly_idle(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=20_000)
    assert not parts.controller.is_idle
    parts.controller.playback.pause()
    qtbot.waitUntil(lambda: parts.controller.is_idle, timeout=20_000)
    qtbot.wait(1000)  # frames in flight are drawn, and the tick timer slows down
    shares = []
    for _ in range(4):
        cpu_start, start = time.process_time(), time.monotonic()
        qtbot.wait(700)
        shares.append((time.process_time() - cpu_start) / (time.monotonic() - start))
    assert min(shares) < MAX_CPU_SHARE
