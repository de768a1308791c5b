"""Inside view: levels, sample points and dense map of the network."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body
from pymaf_live.types import Crop, DenseMap, FrameResult, LevelTrace, Person
from tests.ui.fakes import standing_person
from tests.ui.helpers import (
    CAMERA,
    SIZE,
    body_mask,
    canvas_pixels,
    extent,
    result_of,
)
from ui.app import WindowParts
from ui.canvas.inside_view import ROOM

pytestmark = pytest.mark.window
CROP_SIDE = 400
"""Side of the crop in frame pixels."""


def crop_of(person: Person) -> Crop:
    """Return an upright crop around the image centre, 64 crop pixels wide."""
    scale = CROP_SIDE / 64
    corner = np.array(SIZE) / 2 - 0.5 - scale * (64 - 1) / 2
    return Crop(np.array([[scale, 0, corner[0]], [0, scale, corner[1]]]), 64)


def result_with_levels(
    body: Body, shifts: tuple[float, ...], dense: DenseMap | None = None
) -> FrameResult:
    levels = tuple(standing_person(body, CAMERA, shift) for shift in shifts)
    points = tuple(np.array([[200.0 + 40 * n, 60.0]]) for n in range(len(levels)))
    trace = LevelTrace(1, crop_of(levels[-1]), levels, points, dense)
    return replace(result_of(levels[-1]), level_traces=(trace,))


def test_the_levels_are_shown_side_by_side_or_alone(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.state.view.inside_points.set(False)
    qtbot.keyClick(parts.window, Qt.Key.Key_N)
    page = parts.view_feature.inside_page
    shifts = (-0.3, 0.3, 0.0)
    parts.state.result.set(result_with_levels(body, shifts))
    assert page.level.count() == 4
    assert page.note.text() == ""
    shown = body_mask(canvas_pixels(parts, qtbot))
    height, width = shown.shape
    assert width > height
    side = width // 3
    # the crop fills a tile's width: 0.3 m at 4 m distance are 0.3 f / 4 of its pixels
    offset = 0.3 * CAMERA.focal_length / 4 * side / CROP_SIDE / ROOM
    for number, shift in enumerate(shifts):
        left, _, across, _ = extent(shown[:, number * side : (number + 1) * side])
        centre = left + across / 2 - side / 2
        assert centre == pytest.approx(np.sign(shift) * offset, abs=0.06 * side)
    page.level.setCurrentIndex(2)
    page.level.activated.emit(2)
    left, _, across, _ = extent(body_mask(canvas_pixels(parts, qtbot)))
    assert left + across / 2 > width / 2 + 0.5 * offset


def test_sample_points_are_drawn_as_dots(parts: WindowParts, qtbot: QtBot, body: Body) -> None:
    parts.state.view.inside.set(True)
    parts.state.view.inside_level.set(2)
    parts.state.view.mesh.set(False)
    parts.state.result.set(result_with_levels(body, (0.0, 0.0, 0.0)))
    with_points = canvas_pixels(parts, qtbot)
    parts.view_feature.inside_page.points.click()
    changed = np.abs(canvas_pixels(parts, qtbot) - with_points).max(axis=2) > 60
    left, top, width, height = extent(changed, 4)
    assert max(width, height) < 20  # one dot
    canvas = parts.window.canvas_area.canvas
    scale = min(canvas.width(), canvas.height()) / CROP_SIDE / ROOM
    offset = (np.array([240.0, 60.0]) + 0.5 - np.array(SIZE) / 2) * scale
    dot = np.array([left + width / 2, top + height / 2])
    expected = np.array([canvas.width(), canvas.height()]) / 2 + offset
    assert np.abs(dot - expected).max() < 3
    row, column = np.rint(dot[::-1]).astype(int)
    red, green, blue = with_points[row, column]
    assert min(red, green) > blue + 80  # yellow


def test_body_parts_are_coloured_and_the_dense_map_has_its_own_tile(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.state.view.inside.set(True)
    parts.state.view.inside_points.set(False)
    parts.state.view.inside_level.set(1)
    parts.state.result.set(result_with_levels(body, (0.0,)))

    def hues() -> int:
        shown = canvas_pixels(parts, qtbot)
        hue = cv2.cvtColor(shown.astype(np.uint8), cv2.COLOR_RGB2HSV)[..., 0]
        counts = np.bincount(hue[np.ptp(shown, axis=2) > 60] // 12)
        return int((counts > 30).sum())

    assert hues() < 3
    parts.view_feature.inside_page.dense.click()
    assert hues() > 8
    # the left half of the crop is part 1, the other half is empty
    half = np.zeros((8, 8), np.int64)
    half[:, :4] = 1
    without = canvas_pixels(parts, qtbot)
    parts.state.result.set(result_with_levels(body, (0.0,), DenseMap(half)))
    shown = canvas_pixels(parts, qtbot)
    height, width = shown.shape[:2]
    tile = shown[:, width // 2 :]
    coloured = np.ptp(tile, axis=2) > 60
    left, _, across, down = extent(coloured)
    side = min(width // 2, height) / ROOM
    assert across == pytest.approx(side / 2, abs=0.03 * side)
    assert down == pytest.approx(side, abs=0.03 * side)
    assert left + across == pytest.approx(tile.shape[1] / 2, abs=0.03 * side)
    assert not np.array_equal(shown[:, : width // 2], without[:, : width // 2])


def test_the_page_explains_what_to_do_without_levels(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.window.side_panel.show_page("inside")
    page = parts.view_feature.inside_page
    page.switch.click()
    assert "Open a camera or a video" in page.note.text()
    parts.state.result.set(result_with_levels(body, (0.0,)))
    assert page.note.isVisible()
    assert "exported with all levels" in page.note.text()
    parts.state.result.set(replace(result_of(standing_person(body, CAMERA)), raw=()))
    assert "Takes contain" in page.note.text()
    page.switch.click()
    assert not page.note.isVisible()
