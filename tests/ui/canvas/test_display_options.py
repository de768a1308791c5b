"""Display of the body: mesh, joints, boxes, unsmoothed body, visibility."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body
from tests.ui.fakes import standing_person
from tests.ui.helpers import (
    CAMERA,
    body_mask,
    canvas_from_frame,
    canvas_pixels,
    extent,
    result_of,
)
from ui.app import WindowParts

pytestmark = pytest.mark.window


def test_keys_toggle_body_joints_and_boxes(parts: WindowParts, qtbot: QtBot, body: Body) -> None:
    scores = np.linspace(0, 1, body.joint_count)
    someone = replace(standing_person(body, CAMERA), joint_score=scores)
    parts.state.result.set(result_of(someone))
    assert body_mask(canvas_pixels(parts, qtbot)).sum() > 5000
    qtbot.keyClick(parts.window, Qt.Key.Key_H)
    assert not body_mask(canvas_pixels(parts, qtbot)).any()

    empty = canvas_pixels(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_J)
    dots = canvas_pixels(parts, qtbot)
    columns, rows = canvas_from_frame(parts, someone.joints_2d[[0, -1]]).T
    doubtful, certain = dots[rows, columns]
    assert doubtful[0] > doubtful[1] + 60  # red
    assert certain[1] > certain[0] + 60  # green
    qtbot.keyClick(parts.window, Qt.Key.Key_J)
    assert np.array_equal(canvas_pixels(parts, qtbot), empty)

    qtbot.keyClick(parts.window, Qt.Key.Key_X)
    drawn = np.abs(canvas_pixels(parts, qtbot) - empty).max(axis=2) > 30
    left, top, width, height = extent(drawn)
    corners = canvas_from_frame(parts, someone.box.reshape(2, 2))
    assert np.abs(np.array([left, top]) - corners[0]).max() <= 3
    assert np.abs(np.array([left + width, top + height]) - corners[1]).max() <= 3
    # only the edges: at most four lines a few pixels wide
    assert drawn.sum() < 2 * (width + height) * 6


def test_the_unsmoothed_body_is_drawn_pale_at_its_own_position(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    smooth = standing_person(body, CAMERA, -0.5)
    raw = standing_person(body, CAMERA, 1.0)
    parts.state.result.set(result_of(smooth, raw=(raw,)))
    without = canvas_pixels(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_G)
    shown = canvas_pixels(parts, qtbot)
    changed = np.abs(shown - without).max(axis=2) > 20
    left, _, width, _ = extent(changed)
    root = canvas_from_frame(parts, raw.joints_2d[:1])[0]
    assert abs(left + width / 2 - root[0]) < 0.2 * width
    pale = shown[changed]
    assert np.abs(pale.max(axis=1) - pale.min(axis=1)).mean() < 15
    assert body_mask(shown).sum() == pytest.approx(body_mask(without).sum(), rel=0.2)


def test_a_person_fades_with_the_score_and_disappears_before_it_is_zero(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    someone = standing_person(body, CAMERA)
    column, row = canvas_from_frame(parts, someone.joints_2d[:1])[0]

    def brightness(score: float, *, predicted: bool = False, joints: float = 0.8) -> float:
        uncertain = replace(
            someone,
            score=score,
            predicted=predicted,
            joint_score=np.full(body.joint_count, joints),
        )
        parts.state.result.set(result_of(uncertain))
        return float(canvas_pixels(parts, qtbot)[row, column].mean())

    full = brightness(0.9)
    assert brightness(0.55) == full
    assert 20 < brightness(0.3) < 0.9 * full
    assert brightness(0.1) == 20
    predicted = [brightness(score, predicted=True) for score in (0.8, 0.65, 0.5, 0.34)]
    assert predicted[0] == full
    assert predicted == sorted(predicted, reverse=True)
    assert predicted[-1] == 20
    assert 20 < brightness(0.9, joints=0.02) < 0.6 * full
