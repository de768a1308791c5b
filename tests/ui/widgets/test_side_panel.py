"""Side panel: opening, tabs, stored page and width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.helpers import (
    open_synthetic,
)
from ui.app import WindowParts
from ui.state.preferences import ThemeName
from ui.state.window import WindowState
from ui.system.settings_binding import SettingsBinding
from ui.system.theme import colours

pytestmark = pytest.mark.window


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    return open_synthetic(open_window, qtbot)


def test_the_panel_opens_by_key_and_tab_and_stores_page_and_width(
    parts: WindowParts, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    window, panel = parts.window, parts.window.side_panel
    collapsed = panel.width()
    full_width = window.canvas_area.width()
    assert not panel.stack.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert panel.stack.isVisible()
    qtbot.waitUntil(lambda: window.canvas_area.width() < full_width - 100)
    names = [name for name, _ in panel.page_titles()]
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    assert parts.state.view.panel_page.value == names[1]
    assert panel.stack.currentWidget().isAncestorOf(panel.page(names[1]))
    third = panel.tabs.tabRect(2).center()
    qtbot.mouseClick(panel.tabs, Qt.MouseButton.LeftButton, pos=third)
    assert parts.state.view.panel_page.value == names[2]
    window.centralWidget().setSizes([1, panel.maximumWidth()])
    window.splitter.splitterMoved.emit(0, 1)
    width = panel.width()
    assert width > 2 * collapsed

    SettingsBinding().save(parts.state)
    again = WindowState()
    SettingsBinding().apply(again)
    assert again.view.panel.value
    assert again.view.panel_page.value == names[2]
    assert again.view.panel_width.value == width

    qtbot.mouseClick(panel.tabs, Qt.MouseButton.LeftButton, pos=third)
    assert not parts.state.view.panel.value
    qtbot.waitUntil(lambda: panel.width() == collapsed)
    qtbot.waitUntil(lambda: window.canvas_area.width() == full_width)


def test_the_tabs_work_with_the_keyboard(parts: WindowParts, qtbot: QtBot) -> None:
    panel = parts.window.side_panel
    panel.show_page("view")
    panel.tabs.setFocus()
    qtbot.keyClick(panel.tabs, Qt.Key.Key_Down)
    assert parts.state.view.panel_page.value == "inside"
    qtbot.keyClick(panel.tabs, Qt.Key.Key_Return)
    assert not parts.state.view.panel.value
    qtbot.keyClick(panel.tabs, Qt.Key.Key_Return)
    assert parts.state.view.panel.value


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_tabs_have_upright_icons_and_lose_their_titles_only_in_a_low_window(
    parts: WindowParts, qtbot: QtBot, theme: ThemeName
) -> None:
    parts.state.preferences.theme.set(theme)
    tabs, text = parts.window.side_panel.tabs, QColor(colours().text)
    titles = [title for _, title in parts.window.side_panel.page_titles()]
    assert "People" in titles
    for number in range(tabs.count()):
        assert not tabs.tabIcon(number).isNull()
    # the head of the left person is above the shoulders once the tab bar has turned the icon
    person = tabs.tabIcon(titles.index("People")).pixmap(96).toImage()
    assert person.pixelColor(*first_covered(person)).rgb() == text.rgb()
    covered = np.array([[person_at(person, x, y) for x in range(96)] for y in range(96)])
    upright = np.rot90(covered, -1)
    assert upright[:30].sum() < upright[55:85].sum()
    parts.window.resize(900, 900)
    qtbot.waitUntil(lambda: tabs.tabText(0) == titles[0], timeout=5000)
    parts.window.resize(900, 480)
    qtbot.waitUntil(lambda: tabs.tabText(0) == "", timeout=5000)
    assert tabs.tabRect(tabs.count() - 1).bottom() <= tabs.height()
    assert tabs.accessibleTabName(0) == titles[0]
    assert [title for _, title in parts.window.side_panel.page_titles()] == titles


def first_covered(image: QImage) -> tuple[int, int]:
    """Return a pixel that is covered entirely."""
    places = ((x, y) for y in range(image.height()) for x in range(image.width()))
    return next((x, y) for x, y in places if image.pixelColor(x, y).alpha() == 255)


def person_at(image: QImage, x: int, y: int) -> bool:
    return image.pixelColor(x, y).alpha() > 128
