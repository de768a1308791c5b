"""Drawing of the body over a playing source."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.helpers import play, widget_pixels
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window


def hold(parts: WindowParts, qtbot: QtBot) -> None:
    """Pause and wait until the frames in flight are drawn."""
    parts.window.actions_.pause.trigger()
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PAUSED)
    qtbot.wait(400)


def with_body(parts: WindowParts, qtbot: QtBot, opacity: float) -> npt.NDArray[np.float64]:
    parts.state.opacity.set(opacity)
    qtbot.wait(100)
    return widget_pixels(parts.window.canvas_area.canvas)


def test_the_body_covers_the_person_and_nothing_else(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    hold(parts, qtbot)
    changed = np.abs(with_body(parts, qtbot, 0.9) - with_body(parts, qtbot, 0.0)).max(axis=2) > 12
    result = parts.state.result.value
    assert result is not None
    box = result.people[0].box
    height, width = changed.shape
    frame_height, frame_width = result.frame.image.shape[:2]
    scale = min(width / frame_width, height / frame_height)
    left, top = (width - scale * frame_width) / 2, (height - scale * frame_height) / 2
    rows, columns = np.nonzero(changed)
    seen = np.array([columns.min(), rows.min(), columns.max(), rows.max()], dtype=float)
    expected = box * scale + np.array([left, top, left, top])
    # the surface extends beyond the joints' box by about a head's height at most
    extent = expected[3] - expected[1]
    assert np.abs(seen - expected).max() < 0.16 * extent
    assert 0.02 < changed.mean() < 0.5


def test_mirroring_changes_the_view_only(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    hold(parts, qtbot)
    plain = widget_pixels(parts.window.canvas_area.canvas)
    before = parts.state.result.value
    parts.window.transport.mirror.click()
    qtbot.wait(150)
    mirrored = widget_pixels(parts.window.canvas_area.canvas)
    assert np.abs(plain - mirrored).mean() > 1
    assert np.abs(plain - mirrored[:, ::-1]).mean() < 1
    assert parts.state.result.value is before


def test_the_skeleton_can_be_shown(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    hold(parts, qtbot)
    without = with_body(parts, qtbot, 0.0)
    parts.window.transport.skeleton.click()
    qtbot.wait(150)
    changed = np.abs(widget_pixels(parts.window.canvas_area.canvas) - without).max(axis=2) > 12
    assert 0.0005 < changed.mean() < 0.1
