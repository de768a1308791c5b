"""Figures of the open source and the health page."""

from __future__ import annotations

import time

import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.types import Image
from tests.ui.conftest import OpenWindow
from ui.app import WindowParts
from ui.canvas.painter import CanvasPainter
from ui.canvas.viewport import Viewport
from ui.state.window import SourceChoice

pytestmark = pytest.mark.window


def play(parts: WindowParts, qtbot: QtBot, choice: SourceChoice) -> None:
    parts.window.open_choice(choice)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)


def test_the_health_page_names_the_slowest_stage(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window(stages={"network": 990.0, "crop": 1.5})
    page = parts.settings_feature.health
    assert page.empty.isVisibleTo(page)
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("health")
    qtbot.waitUntil(lambda: page.slowest.isVisible(), timeout=5000)
    assert page.slowest.text() == "Slowest stage: Network, 990.0 ms per frame"
    assert page.stage_values["crop"].text() == "1.5 ms"
    assert page.stage_values["decode"].text()
    assert page.values["backend"].text() == "fake"
    qtbot.waitUntil(lambda: page.values["delay"].text().endswith(" ms"), timeout=5000)
    # waiting for the next frame of a file does not count as decoding
    assert float(page.stage_values["decode"].text().split()[0]) < 30
    parts.window.actions_.close_source.trigger()
    assert page.empty.isVisibleTo(page)


def test_drawing_can_be_the_slowest_stage(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = CanvasPainter.draw_image

    def slow(self: CanvasPainter, viewport: Viewport, image: Image) -> None:
        time.sleep(0.06)
        draw(self, viewport, image)

    monkeypatch.setattr(CanvasPainter, "draw_image", slow)
    parts = open_window(stages={"network": 2.0})
    page = parts.settings_feature.health
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("health")
    qtbot.waitUntil(lambda: "draw" in page.stage_values, timeout=10_000)
    assert float(page.stage_values["draw"].text().split()[0]) >= 60
    assert page.slowest.text().startswith("Slowest stage: Drawing, ")
