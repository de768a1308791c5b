"""Green background, always on top, full screen, framing advice and the countdown's sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body, default_body
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import standing_person
from tests.ui.helpers import CAMERA, canvas_pixels, open_synthetic, result_of
from ui.app import WindowParts
from ui.state.view import Layout
from ui.state.window import Figures, TakePhase, TakeStatus

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot, body: Body) -> WindowParts:
    parts = open_synthetic(open_window, qtbot)
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    return parts


def test_the_people_stand_alone_on_green(parts: WindowParts, qtbot: QtBot) -> None:
    parts.screen_feature.green.trigger()
    assert parts.state.view.green_background.value
    for layout in (Layout.PICTURE, Layout.FREE):
        parts.state.view.layout.set(layout)
        shown = canvas_pixels(parts, qtbot)
        green = (np.abs(shown - (0, 177, 64)) < 3).all(axis=2)
        assert green[2, 2]
        assert green[-3, -3]
        assert 0.5 < green.mean() < 0.99
    parts.screen_feature.green.trigger()
    parts.state.view.layout.set(Layout.PICTURE)
    assert not (np.abs(canvas_pixels(parts, qtbot) - (0, 177, 64)) < 3).all(axis=2).any()


def test_the_window_stays_on_top_and_fills_the_screen(parts: WindowParts, qtbot: QtBot) -> None:
    window, screen = parts.window, parts.screen_feature
    screen.always_on_top.trigger()
    assert window.windowFlags() & Qt.WindowType.WindowStaysOnTopHint
    assert window.isVisible()
    screen.always_on_top.trigger()
    assert not window.windowFlags() & Qt.WindowType.WindowStaysOnTopHint
    screen.full_screen.trigger()
    qtbot.waitUntil(window.isFullScreen)
    assert screen.full_screen.isChecked()
    screen.full_screen.trigger()
    qtbot.waitUntil(lambda: not window.isFullScreen())


def test_advice_appears_for_a_camera_until_it_records(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    hint, state = parts.screen_feature.hint, parts.state
    person = standing_person(body, CAMERA)
    low = replace(person, joints_2d=person.joints_2d + np.array((0, 200)))
    bright = result_of(low)
    frame = replace(bright.frame, image=np.full_like(bright.frame.image, 130))
    state.result.set(replace(bright, frame=frame))
    for _ in range(3):
        hint.check()
    assert hint.isHidden()  # a file cannot be framed better
    state.live.set(True)
    hint.check()
    assert hint.isHidden()  # once may be chance
    hint.check()
    assert "feet are not visible" in hint.text()
    assert hint.isVisible()
    state.take.set(TakeStatus(TakePhase.RECORDING))
    for _ in range(2):
        hint.check()
    assert hint.isHidden()
    state.take.set(TakeStatus())
    parts.screen_feature.framing.trigger()
    for _ in range(2):
        hint.check()
    assert hint.isHidden()


def test_people_who_are_not_tracked_are_mentioned(parts: WindowParts) -> None:
    hint = parts.screen_feature.hint
    notice = "more people are in the image than may be tracked: the one in front is tracked"
    parts.state.figures.set(Figures(notices=(notice,)))
    for _ in range(2):
        hint.check()
    assert hint.text().startswith("More people are in the image than may be tracked")
    assert hint.isVisible()


def test_the_countdown_can_be_heard(parts: WindowParts, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    left = parts.state.takes.count_down_left
    monkeypatch.setattr(parts.screen_feature, "beep", lambda: heard.append(left.value))
    for seconds in (3, 2, 2, 1, 0):
        left.set(seconds)
    assert heard == [3, 2, 1, 0]
    left.set(20)
    left.set(0)  # cancelled
    assert heard == [3, 2, 1, 0, 20]
    combo = parts.take_feature.page.count_down
    assert [combo.itemData(i) for i in range(combo.count())] == [0, 3, 5, 10, 20, 30]
