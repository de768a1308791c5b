"""A window that is paused costs next to no processor time."""

from __future__ import annotations

import time

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window

MOST = 0.02
"""Of one core."""


def test_a_paused_window_leaves_the_processor_alone(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=20_000)
    assert not parts.controller.is_idle
    parts.controller.playback.pause()
    qtbot.waitUntil(lambda: parts.controller.is_idle, timeout=20_000)
    qtbot.wait(1000)  # what was on its way is drawn, and the beat has slowed down
    shares = []
    for _ in range(4):
        worked, begun = time.process_time(), time.monotonic()
        qtbot.wait(700)
        shares.append((time.process_time() - worked) / (time.monotonic() - begun))
    assert min(shares) < MOST
