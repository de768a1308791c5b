"""View menu: layouts and stored display options."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body, default_body
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import standing_person
from tests.ui.helpers import (
    CAMERA,
    canvas_pixels,
    open_synthetic,
    result_of,
)
from ui.app import WindowParts
from ui.state.view import Layout
from ui.state.window import WindowState
from ui.system.settings_binding import SettingsBinding
from ui.widgets.view_page import ViewPage

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    return open_synthetic(open_window, qtbot)


def test_a_key_switches_the_layout_and_space_still_pauses(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    layouts = []
    for _ in range(3):
        qtbot.keyClick(parts.window, Qt.Key.Key_V)
        layouts.append(parts.state.view.layout.value)
    assert layouts == [Layout.FREE, Layout.BOTH, Layout.PICTURE]
    parts.state.view.layout.set(Layout.BOTH)
    paused = []
    parts.window.actions_.pause.triggered.connect(lambda: paused.append(True))
    parts.window.canvas_area.canvas.setFocus()
    qtbot.keyClick(parts.window.canvas_area.canvas, Qt.Key.Key_Space)
    assert paused


def test_the_appearance_of_people_is_chosen_on_the_view_page(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    assert WindowState().view.body_style.value == "clothed"
    choice = parts.window.findChild(ViewPage).body_style
    shown = {}
    for name in ("clothed", "plain", "grey", "wireframe", "skeleton", "confidence"):
        choice.setCurrentIndex(choice.findData(name))
        choice.activated.emit(choice.currentIndex())
        assert parts.state.view.body_style.value == name
        shown[name] = canvas_pixels(parts, qtbot)
    for one, other in itertools.combinations(shown.values(), 2):
        assert (np.abs(one - other).max(axis=2) > 30).mean() > 0.002
    assert parts.window.canvas_area.canvas is not None
    assert not parts.state.message.value


def test_display_options_are_stored_in_the_settings(
    parts: WindowParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    view = parts.state.view
    view.layout.set(Layout.BOTH)
    for value in (view.points, view.box, view.ghost):
        value.set(True)
    view.mesh.set(False)
    view.body_style.set("grey")
    SettingsBinding().save(parts.state)
    again = WindowState()
    SettingsBinding().apply(again)
    assert again.view.layout.value is Layout.BOTH
    assert again.view.points.value
    assert again.view.box.value
    assert again.view.ghost.value
    assert not again.view.mesh.value
    assert again.view.body_style.value == "grey"
