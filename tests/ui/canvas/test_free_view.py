"""Free (3D) view."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body
from tests.ui.fakes import standing_person
from tests.ui.helpers import (
    CAMERA,
    body_mask,
    canvas_pixels,
    extent,
    result_of,
)
from ui.app import WindowParts
from ui.state.view import Layout

pytestmark = pytest.mark.window


def test_front_side_and_top_views_have_the_proportions_of_the_body(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    # in the T-pose a body is about as wide as high, and a fifth of that in depth
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    sizes = {}
    for key, name in ((Qt.Key.Key_1, "front"), (Qt.Key.Key_2, "side"), (Qt.Key.Key_3, "top")):
        qtbot.keyClick(parts.window, key)
        parts.state.view.layout.set(Layout.FREE)
        sizes[name] = extent(body_mask(canvas_pixels(parts, qtbot)))[2:]
    assert 0.75 < sizes["front"][0] / sizes["front"][1] < 1.25
    assert sizes["side"][0] / sizes["side"][1] < 0.35
    assert sizes["top"][1] / sizes["top"][0] < 0.35
    assert sizes["side"][1] == pytest.approx(sizes["front"][1], rel=0.1)


def test_the_feet_stand_on_the_grid(parts: WindowParts, qtbot: QtBot, body: Body) -> None:
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    parts.state.view.layout.set(Layout.FREE)
    qtbot.keyClick(parts.window, Qt.Key.Key_1)
    shown = canvas_pixels(parts, qtbot)
    _, top, _, height = extent(body_mask(shown))
    ground = shown[5, 5]
    grid = (np.abs(shown - ground).max(axis=2) > 12) & ~body_mask(shown)
    # at eye level, the visible part of the grid lies around the soles and below
    rows = np.nonzero(grid.sum(axis=1) > 0.3 * shown.shape[1])[0]
    assert len(rows) >= 2
    assert rows.min() > top + 0.7 * height
    soles = top + height
    assert rows.min() < soles < rows.max()


def test_mouse_and_arrow_keys_turn_the_view_and_the_wheel_zooms(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    canvas, view = parts.window.canvas_area.canvas, parts.state.view
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    view.layout.set(Layout.BOTH)
    qtbot.keyClick(parts.window, Qt.Key.Key_1)
    canvas_pixels(parts, qtbot)
    height = canvas.height() // 2
    on_image = QPoint(canvas.width() // 4, height)
    on_free_view = QPoint(3 * canvas.width() // 4, height)

    def drag(start: QPoint) -> None:
        qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
        for step in (QPoint(40, 0), QPoint(80, 20)):
            qtbot.mouseMove(canvas, start + step)
            qtbot.wait(50)
        qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(80, 20))

    drag(on_image)
    assert view.viewpoint.value.azimuth == 0
    before = canvas_pixels(parts, qtbot)
    drag(on_free_view)
    qtbot.waitUntil(lambda: view.viewpoint.value.elevation == 10, timeout=2000)
    assert view.viewpoint.value.azimuth == pytest.approx(-40)
    changed = np.abs(canvas_pixels(parts, qtbot) - before).max(axis=2) > 12
    assert changed[:, canvas.width() // 2 :].mean() > 0.01
    assert not changed[:, : canvas.width() // 2 - 2].any()
    parts.window.canvas_area.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert view.viewpoint.value.azimuth == pytest.approx(-30)
    qtbot.keyClick(canvas, Qt.Key.Key_Up)
    assert view.viewpoint.value.elevation == pytest.approx(20)
    distance = view.viewpoint.value.distance
    wheel = QWheelEvent(
        QPointF(on_free_view), QPointF(canvas.mapToGlobal(on_free_view)), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, wheel)
    assert view.viewpoint.value.distance < distance
