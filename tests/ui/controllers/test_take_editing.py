"""Trim and markers of the open take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from pymaf_live.takes import read_take
from tests.ui.helpers import activate
from tests.ui.take_steps import LEFT, frames_of, take_file, trim_of
from ui.app import WindowParts

pytestmark = pytest.mark.window


def test_a_trim_by_mouse_is_undone_and_redone_by_keyboard(
    take_window: WindowParts, qtbot: QtBot
) -> None:
    track = take_window.take_feature.timeline.track
    last = frames_of(take_window) - 1
    y = track.height() // 3
    qtbot.mousePress(track, LEFT, pos=QPoint(round(track.x_of(0)), y))
    qtbot.mouseMove(track, QPoint(round(track.x_of(4)), y))
    assert trim_of(take_window) is None  # only once the button is released
    qtbot.mouseMove(track, QPoint(round(track.x_of(7)), y))
    qtbot.mouseRelease(track, LEFT, pos=QPoint(round(track.x_of(7)), y))
    assert trim_of(take_window) == (7, last)
    assert take_window.state.takes.playhead.value.frame == 7
    control = Qt.KeyboardModifier.ControlModifier
    activate(take_window, qtbot)
    qtbot.keyClick(take_window.window, Qt.Key.Key_Z, control)
    assert trim_of(take_window) is None
    qtbot.keyClick(take_window.window, Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    assert trim_of(take_window) == (7, last)
    qtbot.waitUntil(lambda: read_take(take_file(take_window)).trim == (7, last), timeout=10_000)


def test_a_trim_by_keyboard_shortens_the_exported_take(
    take_window: WindowParts, qtbot: QtBot, tmp_path: Path
) -> None:
    track = take_window.take_feature.timeline.track
    activate(take_window, qtbot)
    track.setFocus()
    for _ in range(5):
        qtbot.keyClick(track, Qt.Key.Key_Right)
    qtbot.keyClick(take_window.window, Qt.Key.Key_I)
    qtbot.keyClick(track, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(take_window.window, Qt.Key.Key_O)
    assert trim_of(take_window) == (5, 15)
    qtbot.keyClick(track, Qt.Key.Key_Home)
    assert take_window.state.takes.playhead.value.frame == 5
    opened = take_window.state.takes.opened.value
    assert opened is not None
    cut = take_window.controller.takes.current_take()
    np.testing.assert_array_equal(cut.frame_time, opened.stored.take.frame_time[5:16])
    qtbot.keyClick(take_window.window, Qt.Key.Key_I, Qt.KeyboardModifier.ShiftModifier)
    assert trim_of(take_window) is None


def test_markers_are_added_undone_and_saved(
    take_window: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(take_window, qtbot)
    take_window.controller.review.seek(6)
    qtbot.keyClick(take_window.window, Qt.Key.Key_K)
    monkeypatch.setattr(take_window.take_feature, "ask_marker", lambda name: "jump")
    take_window.controller.review.seek(9)
    qtbot.keyClick(take_window.window, Qt.Key.Key_K, Qt.KeyboardModifier.ShiftModifier)
    opened = take_window.state.takes.opened.value
    assert opened is not None
    assert opened.stored.take.marker_frame == (6, 9)
    assert opened.stored.take.marker_name == ("Marker 1", "jump")
    qtbot.keyClick(take_window.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    path = take_file(take_window)
    take_window.controller.sources.close()  # saves the edits first
    qtbot.waitUntil(lambda: read_take(path).marker_frame == (6,), timeout=10_000)


def test_a_marker_is_dragged_along_the_timeline_and_back_by_undo(
    take_window: WindowParts, qtbot: QtBot
) -> None:
    track, controller = take_window.take_feature.timeline.track, take_window.controller

    def markers() -> dict[int, str]:
        opened = take_window.state.takes.opened.value
        assert opened is not None
        take = opened.stored.take
        return dict(zip(take.marker_frame, take.marker_name, strict=True))

    for frame, name in ((6, "jump"), (20, "land")):
        controller.review.seek(frame)
        controller.editing.add_marker(name)
    flag = track.height() // 5
    qtbot.mousePress(track, LEFT, pos=QPoint(round(track.x_of(6)), flag))
    assert take_window.state.takes.playhead.value.frame == 6
    qtbot.mouseMove(track, QPoint(round(track.x_of(9)), flag))
    assert markers() == {6: "jump", 20: "land"}  # only once the button is released
    qtbot.mouseMove(track, QPoint(round(track.x_of(12)), flag))
    assert take_window.state.takes.playhead.value.frame == 12
    qtbot.mouseRelease(track, LEFT, pos=QPoint(round(track.x_of(12)), flag))
    assert markers() == {12: "jump", 20: "land"}
    # dropped onto another marker it is placed beside it
    qtbot.mousePress(track, LEFT, pos=QPoint(round(track.x_of(12)), flag))
    qtbot.mouseMove(track, QPoint(round(track.x_of(20)), flag))
    qtbot.mouseRelease(track, LEFT, pos=QPoint(round(track.x_of(20)), flag))
    assert markers() == {19: "jump", 20: "land"}
    activate(take_window, qtbot)
    control = Qt.KeyboardModifier.ControlModifier
    for _ in range(2):
        qtbot.keyClick(take_window.window, Qt.Key.Key_Z, control)
    assert markers() == {6: "jump", 20: "land"}
    # a click on a flag seeks and moves nothing
    qtbot.mouseClick(track, LEFT, pos=QPoint(round(track.x_of(6)), flag))
    assert markers() == {6: "jump", 20: "land"}
    track.setFocus()
    qtbot.keyClick(track, Qt.Key.Key_Right, control | Qt.KeyboardModifier.ShiftModifier)
    assert markers() == {16: "jump", 20: "land"}
    assert take_window.state.takes.playhead.value.frame == 16
    path = take_file(take_window)
    qtbot.waitUntil(lambda: read_take(path).marker_frame == (16, 20), timeout=10_000)
