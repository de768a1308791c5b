"""In a narrow, low window everything that is shown can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QAbstractButton, QLabel, QScrollArea, QTabBar, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.fakes import write_clip
from ui.app import WindowParts
from ui.state.window import SourceChoice
from ui.system.task import Task
from ui.widgets.formatting import breakable
from ui.widgets.responsive_row import ElidedLabel

pytestmark = pytest.mark.window

LONG = "a_film_with_quite_a_long_name_of_somebody_who_dances_in_the_garden_all_day.mp4"


@pytest.fixture
def narrow(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    parts = open_window(stages={"network": 17.2, "detect": 3.0})
    parts.window.resize(parts.window.minimumSize())
    qtbot.waitUntil(lambda: parts.window.width() == 720)
    return parts


@pytest.fixture
def playing(narrow: WindowParts, qtbot: QtBot, tmp_path: Path) -> WindowParts:
    film = write_clip(tmp_path / LONG, frames=60)
    narrow.window.open_choice(SourceChoice("file", str(film), LONG))
    qtbot.waitUntil(lambda: narrow.window.status_line.speed.isVisible(), timeout=20_000)
    return narrow


def scrolled(widget: QWidget) -> QScrollArea | None:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            return parent
        parent = parent.parentWidget()
    return None


def cut_off(window: QWidget) -> list[str]:
    """Labels and buttons that are shown narrower or lower than they can be read."""
    found = []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, QLabel | QAbstractButton) or not widget.isVisible():
            continue
        if isinstance(widget.parentWidget(), QTabBar):
            continue  # arrows that scroll the rail
        text = widget.text() or widget.accessibleName()
        if not text:
            continue
        wraps = isinstance(widget, ElidedLabel) or (
            isinstance(widget, QLabel) and widget.wordWrap()
        )
        wanted = widget.minimumSizeHint() if wraps else widget.sizeHint()
        if widget.width() < wanted.width() or widget.height() < widget.minimumSizeHint().height():
            found.append(f"{text!r}: {widget.size()} of {wanted}")
        # up and down it may be scrolled out of sight, to the sides never
        area = scrolled(widget)
        room = window if area is None else area.viewport()
        place = QRect(widget.mapTo(room, QPoint(0, 0)), widget.size())
        if place.left() < 0 or place.right() >= room.width():
            found.append(f"{text!r}: at {place} of {room.size()}")
    return found


def test_the_start_page_scrolls_instead_of_pressing_its_buttons_flat(
    narrow: WindowParts, qtbot: QtBot
) -> None:
    narrow.state.preferences.hints.set(True)
    qtbot.wait(100)
    assert cut_off(narrow.window) == []
    # and all titles of the panel's pages are there at once
    rail = narrow.window.side_panel.tabs
    assert rail.tabRect(rail.count() - 1).bottom() <= rail.height()


def test_bars_and_status_line_give_up_what_matters_least(
    playing: WindowParts, qtbot: QtBot
) -> None:
    window, status = playing.window, playing.window.status_line
    qtbot.wait(100)
    assert cut_off(window) == []
    assert status.source.text() == LONG
    assert status.source.toolTip() == LONG
    window.resize(1300, 800)
    qtbot.waitUntil(lambda: window.transport.opacity.isVisible())
    assert "Pause" in window.transport.pause.text()
    assert status.backend.isVisible()
    # work on a take comes beside the figures
    window.resize(window.minimumSize())
    task = Task("Measuring again from a box…", can_cancel=True)
    playing.controller._take_tasks._running.append(task)
    qtbot.waitUntil(lambda: not status.backend.isVisible(), timeout=5000)
    qtbot.wait(100)
    assert status.speed.isVisible()
    assert cut_off(window) == []
    playing.controller._take_tasks._running.remove(task)
    qtbot.waitUntil(status.backend.isVisible, timeout=5000)


@pytest.mark.parametrize(
    "page",
    ["view", "inside", "takes", "people", "live_out", "model", "health", "settings"],
)
def test_no_page_of_the_panel_is_cut_at_its_side(
    playing: WindowParts, qtbot: QtBot, page: str
) -> None:
    playing.window.side_panel.show_page(page)
    if page == "model":
        qtbot.waitUntil(lambda: len(playing.state.models.backends.value) > 1, timeout=20_000)
    qtbot.wait(150)
    assert cut_off(playing.window) == []


def test_a_take_with_a_long_name_is_shown_beside_its_list(
    playing: WindowParts, qtbot: QtBot
) -> None:
    playing.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: playing.state.take.value.seconds > 0.5, timeout=20_000)
    qtbot.wait(50)
    assert cut_off(playing.window) == []
    playing.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: len(playing.state.takes.entries.value) == 1, timeout=20_000)
    playing.controller.takes.open_latest()
    qtbot.waitUntil(lambda: playing.state.takes.opened.value is not None, timeout=10_000)
    playing.window.side_panel.show_page("takes")
    playing.take_feature.page.list.setCurrentRow(0)
    qtbot.wait(150)
    assert cut_off(playing.window) == []
    playing.state.view.panel.set(False)
    qtbot.waitUntil(playing.take_feature.timeline.position.isVisible)
    assert cut_off(playing.window) == []


def test_long_names_can_be_broken_and_stay_what_they_are() -> None:
    broken = breakable(f"{LONG} and {'x' * 60}")
    assert broken.replace("\u200b", "") == f"{LONG} and {'x' * 60}"
    assert max(len(part) for part in broken.replace(" ", "\u200b").split("\u200b")) <= 24
