"""Layout of the window at its minimum size: everything visible stays readable."""

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

LONG_NAME = "a_video_with_quite_a_long_name_of_a_person_who_dances_in_the_garden_all_day.mp4"


@pytest.fixture
def narrow(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    parts = open_window(stages={"network": 17.2, "detect": 3.0})
    parts.window.resize(parts.window.minimumSize())
    qtbot.waitUntil(lambda: parts.window.width() == 720)
    return parts


@pytest.fixture
def playing(narrow: WindowParts, qtbot: QtBot, tmp_path: Path) -> WindowParts:
    video = write_clip(tmp_path / LONG_NAME, frames=60)
    narrow.window.open_choice(SourceChoice("file", str(video), LONG_NAME))
    qtbot.waitUntil(lambda: narrow.window.status_line.speed.isVisible(), timeout=20_000)
    return narrow


def scroll_area_of(widget: QWidget) -> QScrollArea | None:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            return parent
        parent = parent.parentWidget()
    return None


def clipped(window: QWidget) -> list[str]:
    """Return the labels and buttons that are too small or partly outside their parent."""
    found = []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, QLabel | QAbstractButton) or not widget.isVisible():
            continue
        if isinstance(widget.parentWidget(), QTabBar):
            continue  # arrows that scroll the tabs
        text = widget.text() or widget.accessibleName()
        if not text:
            continue
        wraps = isinstance(widget, ElidedLabel) or (
            isinstance(widget, QLabel) and widget.wordWrap()
        )
        required = widget.minimumSizeHint() if wraps else widget.sizeHint()
        too_low = widget.height() < widget.minimumSizeHint().height()
        if widget.width() < required.width() or too_low:
            found.append(f"{text!r}: {widget.size()} of {required}")
        # vertical scrolling is allowed, horizontal scrolling is not
        area = scroll_area_of(widget)
        frame = window if area is None else area.viewport()
        rectangle = QRect(widget.mapTo(frame, QPoint(0, 0)), widget.size())
        if rectangle.left() < 0 or rectangle.right() >= frame.width():
            found.append(f"{text!r}: at {rectangle} of {frame.size()}")
    return found


def test_the_start_page_scrolls_instead_of_squeezing_its_buttons(
    narrow: WindowParts, qtbot: QtBot
) -> None:
    narrow.state.preferences.hints.set(True)
    qtbot.wait(100)
    assert clipped(narrow.window) == []
    # all tabs of the side panel are visible at once
    tabs = narrow.window.side_panel.tabs
    assert tabs.tabRect(tabs.count() - 1).bottom() <= tabs.height()


def test_bars_and_status_line_hide_the_least_important_parts(
    playing: WindowParts, qtbot: QtBot
) -> None:
    window, status = playing.window, playing.window.status_line
    qtbot.wait(100)
    assert clipped(window) == []
    assert status.source.text() == LONG_NAME
    assert status.source.toolTip() == LONG_NAME
    window.resize(1300, 800)
    qtbot.waitUntil(lambda: window.transport.opacity.isVisible())
    assert "Pause" in window.transport.pause.text()
    assert status.backend.isVisible()
    # a background task on a take appears beside the figures
    window.resize(window.minimumSize())
    task = Task("Tracking again from a box…", can_cancel=True)
    playing.controller._take_tasks._running.append(task)
    qtbot.waitUntil(lambda: not status.backend.isVisible(), timeout=5000)
    qtbot.wait(100)
    assert status.speed.isVisible()
    assert clipped(window) == []
    playing.controller._take_tasks._running.remove(task)
    qtbot.waitUntil(status.backend.isVisible, timeout=5000)


@pytest.mark.parametrize(
    "page",
    ["view", "inside", "takes", "people", "live_out", "model", "health", "settings"],
)
def test_no_page_of_the_side_panel_is_clipped(
    playing: WindowParts, qtbot: QtBot, page: str
) -> None:
    playing.window.side_panel.show_page(page)
    if page == "model":
        qtbot.waitUntil(lambda: len(playing.state.models.backends.value) > 1, timeout=20_000)
    # figures that grow by a digit are laid out a moment later
    qtbot.waitUntil(lambda: clipped(playing.window) == [], timeout=5000)


def test_a_take_with_a_long_name_fits(playing: WindowParts, qtbot: QtBot) -> None:
    playing.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: playing.state.take.value.seconds > 0.5, timeout=20_000)
    qtbot.wait(50)
    assert clipped(playing.window) == []
    playing.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: len(playing.state.takes.entries.value) == 1, timeout=20_000)
    playing.controller.takes.open_latest()
    qtbot.waitUntil(lambda: playing.state.takes.opened.value is not None, timeout=10_000)
    playing.window.side_panel.show_page("takes")
    playing.take_feature.page.list.setCurrentRow(0)
    qtbot.wait(150)
    assert clipped(playing.window) == []
    playing.state.view.panel.set(False)
    qtbot.waitUntil(playing.take_feature.timeline.position.isVisible)
    assert clipped(playing.window) == []


def test_break_points_do_not_change_the_text() -> None:
    broken = breakable(f"{LONG_NAME} and {'x' * 60}")
    assert broken.replace("\u200b", "") == f"{LONG_NAME} and {'x' * 60}"
    assert max(len(part) for part in broken.replace(" ", "\u200b").split("\u200b")) <= 24
