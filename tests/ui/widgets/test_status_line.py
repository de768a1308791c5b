"""Status bar."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.helpers import play
from ui.state.window import SourceChoice

pytestmark = pytest.mark.window


def test_figures_are_shown_during_playback(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window(each=0.02)
    play(parts, qtbot, clip)
    # slower where other tests run beside it
    qtbot.waitUntil(lambda: 5 < parts.state.figures.value.frames_per_second < 32, timeout=20_000)
    figures = parts.state.figures.value
    assert figures.delay is not None
    assert 20 < figures.delay < 1000  # the estimator alone takes 20
    line = parts.window.status_line
    assert "fps" in line.speed.text()
    assert "ms delay" in line.delay.text()
    assert line.backend.text() == "fake"
    assert line.source.text() == clip.title
