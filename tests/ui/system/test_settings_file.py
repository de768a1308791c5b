"""The settings file: stored while the window runs, set aside when damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pymaf_live.settings import load_settings
from tests.helpers.paths import ROOT
from tests.ui.conftest import OpenWindow
from ui.state.window import WindowState
from ui.system.settings_binding import SettingsBinding

pytestmark = pytest.mark.window


def test_settings_of_the_pages_are_restored_and_a_damaged_file_is_set_aside(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts = open_window()
    page = parts.settings_feature.settings
    page.smoothing.setValue(80)
    page.knows_fov.click()
    page.fov.setValue(77.5)
    page.theme.setCurrentIndex(page.theme.findData("light"))
    page.theme.activated.emit(page.theme.currentIndex())
    page.legs.setCurrentIndex(page.legs.findData("seated"))
    page.legs.activated.emit(page.legs.currentIndex())
    page.mirror.click()
    parts.window.side_panel.show_page("health")
    SettingsBinding().save(parts.state)
    again, binding = WindowState(), SettingsBinding()
    binding.apply(again)
    assert again.preferences.smoothing_strength.value == 0.8
    assert again.preferences.fov.value == 77.5
    assert again.preferences.theme.value == "light"
    assert again.preferences.legs.value == "seated"
    assert not again.mirror_cameras.value
    assert again.view.panel_page.value == "health"
    assert again.view.panel.value
    file.write_text('theme = "pink"\n')
    broken = WindowState()
    SettingsBinding().apply(broken)
    assert broken.preferences.theme.value == "system"
    assert broken.message.value is not None
    assert "theme" in broken.message.value.text
    assert file.with_name("settings.toml.broken").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
import pymaf_live.settings as settings
from ui import app

file, assemble = Path(sys.argv[1]), app.assemble
settings.settings_path = lambda: file

def assembled(*arguments, **more):
    parts = assemble(*arguments, **more)
    def change():
        QTest.keyClick(parts.window, Qt.Key.Key_P)
        parts.window.side_panel.show_page("settings")
        parts.settings_feature.settings.smoothing.setFocus()
        QTest.keyClick(parts.settings_feature.settings.smoothing, Qt.Key.Key_End)
        parts.window.resize(901, 603)
        # the window is never closed: what is stored was written while it ran
        QTimer.singleShot(3000, lambda: os.kill(os.getpid(), signal.SIGKILL))
    QTimer.singleShot(1500, change)
    return parts

app.assemble = assembled
app.run_window([])
"""


def test_changes_before_a_kill_are_restored_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "config" / "settings.toml"
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("DATA", "STATE", "CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(file)],
        env={**os.environ, **homes, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    stored, notice = load_settings(file)
    assert notice == ""
    assert stored.smoothing_strength == 1.0
    assert stored.panel
    assert stored.panel_page == "settings"
    assert stored.window_geometry is not None
    assert stored.window_geometry[2:] == (901, 603)
    assert [each.name for each in file.parent.iterdir()] == ["settings.toml"]


def test_a_failed_write_is_retried_when_the_window_closes(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    folder.write_text("a file in place of the folder")
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: folder / "settings.toml")
    parts, binding = open_window(), SettingsBinding()
    parts.state.skeleton.set(True)
    refused = binding.pending_write(parts.state)
    assert refused is not None
    refused()
    assert binding.pending_write(parts.state) is None  # not at every check
    folder.unlink()
    binding.save(parts.state)
    assert load_settings(folder / "settings.toml")[0].skeleton


def test_an_older_write_never_replaces_a_newer_one(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts, binding = open_window(), SettingsBinding()
    parts.state.opacity.set(0.25)
    older = binding.pending_write(parts.state)
    parts.state.opacity.set(0.75)
    newer = binding.pending_write(parts.state)
    assert older is not None
    assert newer is not None
    newer()
    older()
    assert load_settings(file)[0].opacity == 0.75
