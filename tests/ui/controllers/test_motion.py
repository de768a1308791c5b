"""Doubtful places, spans, smoothing and foot lock of the open take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from pymaf_live.takes.library import StoredTake
from pymaf_live.takes.take import Take
from tests.ui.helpers import activate, widget_pixels
from tests.ui.take_steps import LEFT, frames_of
from ui.app import WindowParts

pytestmark = pytest.mark.window


def stored_of(parts: WindowParts) -> StoredTake:
    opened = parts.state.takes.opened.value
    assert opened is not None
    return opened.stored


def take_of(parts: WindowParts) -> Take:
    return stored_of(parts).take


def doubt_frames(parts: WindowParts, *frames: int) -> None:
    """Make the network doubt frames of the open take."""
    stored = stored_of(parts)
    scores = np.full_like(stored.raw.joint_score, 0.9)
    scores[np.isin(stored.raw.frame, frames)] = 0.1
    raw = replace(stored.raw, joint_score=scores)
    parts.controller.review.edit("test", replace(stored, raw=raw))


def test_d_goes_from_one_doubtful_place_to_the_next(take_window: WindowParts, qtbot: QtBot) -> None:
    activate(take_window, qtbot)
    doubt_frames(take_window, 6, 7, 16, 17, 18)
    playhead = take_window.state.takes.playhead
    seen = []
    for _ in range(3):
        qtbot.keyClick(take_window.window, Qt.Key.Key_D)
        seen.append(playhead.value.frame)
    assert seen == [6, 16, 16]
    qtbot.keyClick(take_window.window, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    assert playhead.value.frame == 6
    doubt_frames(take_window)
    assert not take_window.take_feature.motion.next_doubt.isEnabled()


def test_the_strip_is_red_where_the_network_doubts(take_window: WindowParts, qtbot: QtBot) -> None:
    track = take_window.take_feature.timeline.track
    doubt_frames(take_window, 6, 7, 8)
    qtbot.wait(50)
    pixels = widget_pixels(track)
    bottom = pixels[-round(0.35 * track.fontMetrics().height()) - 4]
    doubtful, certain = (bottom[round(track.x_of(frame))] for frame in (7, 14))
    assert doubtful[0] > doubtful[1] + 60
    assert certain[1] > certain[0] + 60
    take_window.controller.review.seek(7)
    assert "Confidence of the joints: 10 %" in track.accessibleDescription()


def test_a_span_is_dragged_held_deleted_and_undone(take_window: WindowParts, qtbot: QtBot) -> None:
    track = take_window.take_feature.timeline.track
    shift = Qt.KeyboardModifier.ShiftModifier
    y = track.height() // 3
    qtbot.mousePress(track, LEFT, shift, QPoint(round(track.x_of(4)), y))
    qtbot.mouseMove(track, QPoint(round(track.x_of(9)), y))
    qtbot.mouseRelease(track, LEFT, shift, QPoint(round(track.x_of(9)), y))
    assert take_window.state.takes.span.value == (4, 9)
    assert take_of(take_window).trim is None
    before = take_of(take_window)
    activate(take_window, qtbot)
    qtbot.keyClick(take_window.window, Qt.Key.Key_H, shift)
    held = take_of(take_window)
    inside = (held.frame >= 4) & (held.frame <= 9)
    assert np.ptp(held.joints[inside], axis=0).max() == 0
    assert np.ptp(before.joints[(before.frame >= 4) & (before.frame <= 9)], axis=0).max() > 0
    doubt = take_window.state.takes.doubt.value
    assert doubt is not None
    assert np.flatnonzero(doubt.corrected).tolist() == [4, 5, 6, 7, 8, 9]
    assert take_window.state.takes.span.value is None
    assert not take_window.take_feature.motion.hold_span.isEnabled()
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(take_window.window, Qt.Key.Key_Z, control)
    assert take_of(take_window) is before
    # by keyboard: [ and ] mark the span, Shift+X deletes it
    take_window.controller.review.seek(12)
    qtbot.keyClick(take_window.window, Qt.Key.Key_BracketLeft)
    take_window.controller.review.seek(15)
    qtbot.keyClick(take_window.window, Qt.Key.Key_BracketRight)
    qtbot.keyClick(take_window.window, Qt.Key.Key_X, shift)
    stored = stored_of(take_window)
    for take in (stored.take, stored.raw):
        assert not np.any((take.frame >= 12) & (take.frame <= 15))
    assert stored.about.edited_spans == ((12, 15),)
    assert frames_of(take_window) == len(before.frame_time)


def test_smoothing_and_foot_lock_are_switched_and_undone(
    take_window: WindowParts, qtbot: QtBot
) -> None:
    motion, editing = take_window.take_feature.motion, take_window.controller.editing
    editing.trim(2, 20)
    first = stored_of(take_window)
    assert motion.smoothings[first.take.smoothing].isChecked()
    motion.smoothings["off"].trigger()
    qtbot.waitUntil(lambda: take_of(take_window).smoothing == "off", timeout=20_000)
    measured = stored_of(take_window)
    np.testing.assert_allclose(measured.take.joints_2d, measured.raw.joints_2d, atol=2.0)
    assert measured.take.trim == (2, 20)
    motion.smoothings["offline"].trigger()
    qtbot.waitUntil(lambda: take_of(take_window).smoothing == "offline", timeout=20_000)
    assert np.abs(take_of(take_window).joints - measured.take.joints).max() > 1e-4
    motion.lock_feet.trigger()
    qtbot.waitUntil(lambda: stored_of(take_window).about.feet_locked, timeout=20_000)
    qtbot.waitUntil(motion.lock_feet.isChecked, timeout=5000)
    # a choice made before takes no time
    motion.lock_feet.trigger()
    assert not stored_of(take_window).about.feet_locked
    for _ in range(4):
        editing.undo()
    assert take_of(take_window).smoothing == first.take.smoothing
    assert take_of(take_window).trim == (2, 20)
