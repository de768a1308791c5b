"""Moving in an open video: seeking, single frames, speed, and recordings that end with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.fakes import write_clip
from tests.ui.helpers import activate, play
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice, TakePhase

pytestmark = pytest.mark.window

RATE, SECONDS = 30, 4


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("videos") / "v.mp4", frames=RATE * SECONDS, rate=RATE)


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot, video: Path) -> WindowParts:
    opened = open_window()
    play(opened, qtbot, SourceChoice.from_path(video))
    activate(opened, qtbot)
    return opened


def seconds(parts: WindowParts) -> float:
    position = parts.state.sources.position.value
    assert position is not None
    assert position.duration == pytest.approx(SECONDS, abs=0.1)
    return position.seconds


def test_a_click_on_the_seek_bar_moves_a_paused_video(parts: WindowParts, qtbot: QtBot) -> None:
    bar = parts.take_feature.video_bar
    assert bar.isVisible()
    parts.window.actions_.pause.trigger()
    centre = bar.slider.rect().center()
    qtbot.mouseClick(bar.slider, Qt.MouseButton.LeftButton, pos=centre)
    qtbot.waitUntil(lambda: abs(seconds(parts) - SECONDS / 2) < 0.1, timeout=10_000)
    assert parts.state.phase.value is Phase.PAUSED
    assert bar.position.text() == f"0:0{seconds(parts):.1f}"[:6] + " / 0:04.0"
    here = seconds(parts)
    qtbot.keyClick(parts.window, Qt.Key.Key_Period)
    qtbot.waitUntil(lambda: seconds(parts) == pytest.approx(here + 1 / RATE), timeout=10_000)
    qtbot.keyClick(parts.window, Qt.Key.Key_Comma)
    qtbot.waitUntil(lambda: seconds(parts) == pytest.approx(here), timeout=10_000)
    parts.window.actions_.pause.trigger()
    qtbot.waitUntil(lambda: seconds(parts) > here + 0.2, timeout=10_000)


def test_a_recording_of_a_video_ends_at_its_end(parts: WindowParts, qtbot: QtBot) -> None:
    assert parts.state.loop.value
    parts.controller.playback.seek(SECONDS - 1.0)
    qtbot.waitUntil(lambda: seconds(parts) >= SECONDS - 1.0, timeout=10_000)
    parts.state.takes.pre_roll.set(0.0)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    assert parts.state.take.value.phase is TakePhase.RECORDING
    qtbot.waitUntil(lambda: parts.state.take.value.phase is TakePhase.READY, timeout=20_000)
    assert parts.state.phase.value is Phase.ENDED
    assert parts.state.take.value.seconds < 1.1


def test_the_speed_changes_how_fast_a_video_plays(parts: WindowParts, qtbot: QtBot) -> None:
    parts.take_feature.video_bar.speed.setCurrentIndex(0)
    parts.take_feature.video_bar.speed.activated.emit(0)
    assert parts.state.speed.value == 0.25
    qtbot.wait(300)
    start = seconds(parts)
    qtbot.wait(1200)
    assert 0.1 < (seconds(parts) - start) % SECONDS < 0.6
