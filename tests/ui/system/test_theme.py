"""Themes, first hints and the resolution of the desktop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.helpers.paths import ROOT
from tests.ui.conftest import OpenWindow
from ui.system.palette import DARK, LIGHT, Palette
from ui.system.settings_binding import SettingsBinding
from ui.system.theme import apply_theme

pytestmark = pytest.mark.window


def colour_of(icon: QIcon) -> QColor:
    """Return the colour of the most opaque point of an icon."""
    image = icon.pixmap(32).toImage()
    points = [image.pixelColor(x, y) for x in range(32) for y in range(32)]
    return max(points, key=lambda point: point.alpha())


@pytest.mark.parametrize(("name", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_a_theme_sets_the_colours_of_background_text_and_icons(
    open_window: OpenWindow, qapp: QApplication, name: str, colours: Palette
) -> None:
    parts = open_window()
    page = parts.settings_feature.settings
    page.theme.setCurrentIndex(page.theme.findData(name))
    page.theme.activated.emit(page.theme.currentIndex())
    window = parts.window
    assert window.palette().window().color() == QColor(colours.background)
    assert window.palette().windowText().color() == QColor(colours.text)
    assert colour_of(window.actions_.pause.icon()) == QColor(colours.text)
    shown = window.start_page.grab().toImage()
    assert shown.pixelColor(3, shown.height() - 3) == QColor(colours.background)
    apply_theme(qapp)


def test_hints_are_shown_in_the_first_run_only(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts, binding = open_window(), SettingsBinding()
    binding.apply(parts.state)
    hints = parts.settings_feature.hints
    assert hints.isVisible()
    qtbot.mouseClick(hints.dismiss, Qt.MouseButton.LeftButton)
    assert not hints.isVisible()
    binding.save(parts.state)
    parts.state.preferences.hints.set(True)
    SettingsBinding().apply(parts.state)
    assert not hints.isVisible()


@pytest.mark.parametrize("factor", [1, 2])
def test_the_window_scales_with_the_desktop(factor: int, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    script = f"""
from PySide6.QtWidgets import QApplication
from ui.app import assemble
from ui.controllers.application import ApplicationController
from ui.state.window import WindowState
app = QApplication([])
state = WindowState()
parts = assemble(state, ApplicationController(state, list_cameras=lambda: ()))
# twice as large it must still fit the screen of the tests, which the window sees to otherwise
parts.window.setMinimumSize(0, 0)
parts.window.resize(660, 380)
parts.window.show()
app.processEvents()
grabbed = parts.window.grab()
grabbed.save({str(picture)!r})
label = parts.window.start_page.demo
print(grabbed.width(), grabbed.height(), label.width(), label.fontMetrics().height())
parts.window.close()
"""
    environment = {**os.environ, "QT_SCALE_FACTOR": str(factor), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    width, height, button, letters = map(int, done.stdout.split()[-4:])
    assert (width, height) == (660 * factor, 380 * factor)  # device pixels
    assert 380 < button < 460  # the size in logical pixels stays the same
    assert letters < 40
