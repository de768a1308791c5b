"""Start page."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from ui.state.window import SourceChoice

pytestmark = pytest.mark.window


def test_without_a_camera_the_demo_is_highlighted(open_window: OpenWindow, qtbot: QtBot) -> None:
    parts = open_window()
    parts.state.demo.set(SourceChoice("demo", "demo.mp4", "Demo"))
    page = parts.window.start_page
    qtbot.waitUntil(lambda: parts.state.cameras.value == ())
    assert page.isVisible()
    assert not page.camera.isEnabled()
    assert "No camera found" in page.camera_note.text()
    assert page.demo.property("role") == "primary"


def test_a_camera_can_be_chosen(open_window: OpenWindow, qtbot: QtBot) -> None:
    cameras = tuple(SourceChoice("camera", str(n), f"Camera {n}") for n in (90, 91))
    parts = open_window(cameras=cameras)
    page = parts.window.start_page
    qtbot.waitUntil(lambda: page.camera.isEnabled())
    assert page.camera.property("role") == "primary"
    assert [page.camera_list.itemText(row) for row in range(2)] == ["Camera 90", "Camera 91"]
    page.camera_list.setCurrentIndex(1)
    page.camera.click()
    # the camera does not exist: the banner states the reason and the start page stays
    banner = parts.window.source_banner
    qtbot.waitUntil(banner.isVisible, timeout=15_000)
    assert "91" in banner.text.text()
    assert page.isVisible()
