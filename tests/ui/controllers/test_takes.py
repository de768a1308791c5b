"""Takes as a person makes, keeps and edits them, in the real window."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.sources.video import VideoSource
from pymaf_live.takes import read_take
from pymaf_live.takes.editing import with_rows
from pymaf_live.takes.image_copies import ImageCopies
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, StoredTake, TakeLibrary
from pymaf_live.takes.take import Take
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from tests.helpers.fake_camera import FakeCamera
from tests.helpers.paths import ROOT
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import StandingEstimator, write_clip
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice, TakePhase

pytestmark = pytest.mark.window

LEFT = Qt.MouseButton.LeftButton


def play(parts: WindowParts, qtbot: QtBot, choice: SourceChoice) -> None:
    parts.window.open_choice(choice)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    activate(parts, qtbot)


def activate(parts: WindowParts, qtbot: QtBot) -> None:
    """Without a window manager nobody else gives the window the keyboard."""
    parts.window.windowHandle().requestActivate()
    qtbot.waitUntil(parts.window.isActiveWindow, timeout=5000)


def record(parts: WindowParts, qtbot: QtBot, seconds: float = 0.8) -> None:
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > seconds, timeout=20_000)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) > 0, timeout=30_000)


@pytest.fixture(scope="session")
def kept(clip_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with one take of the clip."""
    library = TakeLibrary(tmp_path_factory.mktemp("library"))
    body, estimator, source = default_body(), StandingEstimator(), VideoSource(clip_path)
    take = library.begin(clip_path.name, clip_path)
    journal = TakeJournal(library.folder(take) / JOURNAL, body, source.facts, model="double 0")
    for frame in source.frames():
        journal.add(estimator.estimate(frame))
    journal.close()
    finalize(library, take, FinalizeOptions(0.5, body))
    return library.root


@pytest.fixture
def looking(
    open_window: OpenWindow, qtbot: QtBot, kept: Path, own_data_folder: Path
) -> WindowParts:
    """A window that looks at that take."""
    shutil.copytree(kept, own_data_folder)
    parts = open_window()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1)
    activate(parts, qtbot)
    qtbot.keyClick(
        parts.window,
        Qt.Key.Key_T,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    return parts


def test_a_take_that_stands_is_at_rest_until_it_is_gone_through(
    looking: WindowParts, qtbot: QtBot
) -> None:
    controller, result = looking.controller, looking.state.result
    qtbot.waitUntil(lambda: controller.is_idle, timeout=10_000)
    controller.review.seek(5)
    assert not controller.is_idle
    qtbot.waitUntil(lambda: result.value is not None and result.value.frame.index == 5)
    qtbot.waitUntil(lambda: controller.is_idle, timeout=10_000)
    controller.review.play()
    assert not controller.is_idle


def frames_of(parts: WindowParts) -> int:
    opened = parts.state.takes.opened.value
    assert opened is not None
    return len(opened.stored.take.frame_time)


def trim_of(parts: WindowParts) -> tuple[int, int] | None:
    opened = parts.state.takes.opened.value
    assert opened is not None
    return opened.stored.take.trim


def on_disk(parts: WindowParts) -> Path:
    opened = parts.state.takes.opened.value
    assert opened is not None
    return parts.controller.store.library.folder(opened.id) / "take.npz"


def pixels(widget: QWidget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    rgb = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return rgb.astype(np.float64)


def test_a_recording_waits_for_the_count_down_and_is_kept_smoothed(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, own_data_folder: Path
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("takes")
    page = parts.take_feature.page
    page.count_down.setCurrentIndex(page.count_down.findData(3))
    page.pre_roll.setCurrentIndex(page.pre_roll.findData(0.0))
    parts.window.canvas_area.setFocus()
    began = time.monotonic()
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    assert parts.take_feature.countdown.isVisible()
    assert parts.take_feature.countdown.text() == "3"
    assert parts.state.take.value.phase is TakePhase.NONE
    recording = TakePhase.RECORDING
    qtbot.waitUntil(lambda: parts.state.take.value.phase is recording, timeout=5000)
    assert 2.9 < time.monotonic() - began < 4.0
    assert not parts.take_feature.countdown.isVisible()
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 0.5, timeout=10_000)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1, timeout=30_000)
    folder = next(own_data_folder.iterdir())
    assert not (folder / JOURNAL).exists()
    assert read_take(folder / "take.npz").smoothing == "offline"
    raw = read_take(folder / "raw.npz")
    assert raw.smoothing == "off"
    assert len(raw.frame) >= 15
    assert page.list.item(0).text().startswith("clip.mp4")
    assert (folder / "thumbnail.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_escape_ends_a_count_down(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    parts.state.takes.count_down.set(3)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    assert parts.state.takes.count_down_left.value == 3
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    assert parts.state.takes.count_down_left.value == 0
    qtbot.wait(300)
    assert parts.state.take.value.phase is TakePhase.NONE


def test_the_seconds_before_the_key_belong_to_the_take(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    parts.state.takes.pre_roll.set(2.0)
    play(parts, qtbot, clip)
    qtbot.wait(2500)
    result = parts.state.result.value
    assert result is not None
    pressed = result.frame.time
    record(parts, qtbot, seconds=2.2)
    take = parts.controller.takes.current_take()
    assert take.frame_time[0] == pytest.approx(pressed - 2.0, abs=0.25)
    assert take.frame_time[-1] > pressed
    # what played just before the key joins what came after it; a busy machine drops a frame or two
    assert np.diff(take.frame_time).max() < 0.3


def test_a_take_plays_stops_at_its_end_and_steps_frame_by_frame(
    looking: WindowParts, qtbot: QtBot
) -> None:
    state = looking.state
    assert looking.take_feature.timeline.isVisible()
    state.loop.set(False)
    last = frames_of(looking) - 1
    qtbot.keyClick(looking.window.canvas_area.canvas, Qt.Key.Key_Space)
    assert state.phase.value is Phase.PLAYING
    began = time.monotonic()
    qtbot.waitUntil(lambda: state.phase.value is Phase.PAUSED, timeout=10_000)
    opened = state.takes.opened.value
    assert opened is not None
    assert time.monotonic() - began == pytest.approx(
        float(np.ptp(opened.stored.take.frame_time)), abs=0.6
    )
    assert state.takes.playhead.value.frame == last
    qtbot.keyClick(looking.window, Qt.Key.Key_Comma)
    qtbot.keyClick(looking.window, Qt.Key.Key_Comma)
    assert state.takes.playhead.value.frame == last - 2
    qtbot.keyClick(looking.window, Qt.Key.Key_Period)
    qtbot.waitUntil(
        lambda: state.result.value is not None and state.result.value.frame.index == last - 1
    )


def test_the_picture_under_the_body_is_the_films_own(
    looking: WindowParts, qtbot: QtBot, clip: SourceChoice
) -> None:
    opened = looking.state.takes.opened.value
    assert opened is not None
    take = opened.stored.take
    wanted = 12
    looking.controller.review.seek(wanted)
    qtbot.waitUntil(lambda: _index(looking) == wanted)
    result = looking.state.result.value
    assert result is not None
    times = take.frame_time if take.file_time is None else take.file_time
    frame = next(
        frame
        for frame in VideoSource(Path(clip.text)).frames()
        if abs(frame.time - times[wanted]) < 1e-3
    )
    np.testing.assert_array_equal(result.frame.image, frame.image)


def _index(parts: WindowParts) -> int | None:
    result = parts.state.result.value
    return None if result is None else result.frame.index


def test_without_its_film_the_body_stands_before_a_plain_ground(
    open_window: OpenWindow, qtbot: QtBot, clip_path: Path, tmp_path: Path
) -> None:
    film = tmp_path / "gone.mp4"
    film.write_bytes(clip_path.read_bytes())
    parts = open_window()
    play(parts, qtbot, SourceChoice("file", str(film), "gone.mp4"))
    record(parts, qtbot, 0.4)
    parts.controller.sources.close()
    film.unlink()
    parts.controller.takes.open_latest()
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    assert "moved or deleted" in parts.take_feature.timeline.note.text()
    assert not parts.take_feature.actions_.box.isEnabled()
    qtbot.wait(300)
    assert pixels(parts.window.canvas_area.canvas).std() > 5  # the body is there all the same


def test_trim_by_mouse_is_undone_and_done_again_by_keyboard(
    looking: WindowParts, qtbot: QtBot
) -> None:
    track = looking.take_feature.timeline.track
    last = frames_of(looking) - 1
    high = track.height() // 3
    qtbot.mousePress(track, LEFT, pos=QPoint(round(track.x_of(0)), high))
    qtbot.mouseMove(track, QPoint(round(track.x_of(4)), high))
    assert trim_of(looking) is None  # only when it is let go
    qtbot.mouseMove(track, QPoint(round(track.x_of(7)), high))
    qtbot.mouseRelease(track, LEFT, pos=QPoint(round(track.x_of(7)), high))
    assert trim_of(looking) == (7, last)
    assert looking.state.takes.playhead.value.frame == 7
    control = Qt.KeyboardModifier.ControlModifier
    activate(looking, qtbot)
    qtbot.keyClick(looking.window, Qt.Key.Key_Z, control)
    assert trim_of(looking) is None
    qtbot.keyClick(looking.window, Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    assert trim_of(looking) == (7, last)
    qtbot.waitUntil(lambda: read_take(on_disk(looking)).trim == (7, last), timeout=10_000)


def test_trim_by_keyboard_leaves_the_rest_out_of_an_export(
    looking: WindowParts, qtbot: QtBot, tmp_path: Path
) -> None:
    track = looking.take_feature.timeline.track
    activate(looking, qtbot)
    track.setFocus()
    for _ in range(5):
        qtbot.keyClick(track, Qt.Key.Key_Right)
    qtbot.keyClick(looking.window, Qt.Key.Key_I)
    qtbot.keyClick(track, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(looking.window, Qt.Key.Key_O)
    assert trim_of(looking) == (5, 15)
    qtbot.keyClick(track, Qt.Key.Key_Home)
    assert looking.state.takes.playhead.value.frame == 5
    opened = looking.state.takes.opened.value
    assert opened is not None
    cut = looking.controller.takes.current_take()
    np.testing.assert_array_equal(cut.frame_time, opened.stored.take.frame_time[5:16])
    qtbot.keyClick(looking.window, Qt.Key.Key_I, Qt.KeyboardModifier.ShiftModifier)
    assert trim_of(looking) is None


def test_an_export_is_called_as_the_take_is(
    looking: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    monkeypatch.setattr(looking.window, "ask_export", lambda name, folder: names.append(name))
    opened = looking.state.takes.opened.value
    assert opened is not None
    looking.controller.takes.rename(opened.id, "left/right: 2")
    activate(looking, qtbot)
    qtbot.keyClick(looking.window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert names == ["left_right_ 2"]


def test_a_click_on_the_timeline_goes_there(looking: WindowParts, qtbot: QtBot) -> None:
    track = looking.take_feature.timeline.track
    low = round(track.height() * 0.6)
    qtbot.mouseClick(track, LEFT, pos=QPoint(round(track.x_of(11)), low))
    assert looking.state.takes.playhead.value.frame == 11
    qtbot.waitUntil(lambda: _index(looking) == 11)
    assert "frame 12" in looking.take_feature.timeline.position.text()


def test_a_marker_is_set_undone_and_kept(
    looking: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(looking, qtbot)
    looking.controller.review.seek(6)
    qtbot.keyClick(looking.window, Qt.Key.Key_K)
    monkeypatch.setattr(looking.take_feature, "ask_marker", lambda name: "jump")
    looking.controller.review.seek(9)
    qtbot.keyClick(looking.window, Qt.Key.Key_K, Qt.KeyboardModifier.ShiftModifier)
    opened = looking.state.takes.opened.value
    assert opened is not None
    assert opened.stored.take.marker_frame == (6, 9)
    assert opened.stored.take.marker_name == ("Marker 1", "jump")
    qtbot.keyClick(looking.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    path = on_disk(looking)
    looking.controller.sources.close()  # what was edited is written before it is put away
    qtbot.waitUntil(lambda: read_take(path).marker_frame == (6,), timeout=10_000)


def test_a_marker_is_dragged_along_the_timeline_and_that_is_undone(
    looking: WindowParts, qtbot: QtBot
) -> None:
    track, controller = looking.take_feature.timeline.track, looking.controller

    def markers() -> dict[int, str]:
        opened = looking.state.takes.opened.value
        assert opened is not None
        take = opened.stored.take
        return dict(zip(take.marker_frame, take.marker_name, strict=True))

    for frame, name in ((6, "jump"), (20, "land")):
        controller.review.seek(frame)
        controller.editing.add_marker(name)
    flag = track.height() // 5
    qtbot.mousePress(track, LEFT, pos=QPoint(round(track.x_of(6)), flag))
    assert looking.state.takes.playhead.value.frame == 6
    qtbot.mouseMove(track, QPoint(round(track.x_of(9)), flag))
    assert markers() == {6: "jump", 20: "land"}  # only when it is let go
    qtbot.mouseMove(track, QPoint(round(track.x_of(12)), flag))
    assert looking.state.takes.playhead.value.frame == 12
    qtbot.mouseRelease(track, LEFT, pos=QPoint(round(track.x_of(12)), flag))
    assert markers() == {12: "jump", 20: "land"}
    # onto another one: beside it, and neither is lost
    qtbot.mousePress(track, LEFT, pos=QPoint(round(track.x_of(12)), flag))
    qtbot.mouseMove(track, QPoint(round(track.x_of(20)), flag))
    qtbot.mouseRelease(track, LEFT, pos=QPoint(round(track.x_of(20)), flag))
    assert markers() == {19: "jump", 20: "land"}
    activate(looking, qtbot)
    control = Qt.KeyboardModifier.ControlModifier
    for _ in range(2):
        qtbot.keyClick(looking.window, Qt.Key.Key_Z, control)
    assert markers() == {6: "jump", 20: "land"}
    # a click on a flag goes there and moves nothing
    qtbot.mouseClick(track, LEFT, pos=QPoint(round(track.x_of(6)), flag))
    assert markers() == {6: "jump", 20: "land"}
    track.setFocus()
    qtbot.keyClick(track, Qt.Key.Key_Right, control | Qt.KeyboardModifier.ShiftModifier)
    assert markers() == {16: "jump", 20: "land"}
    assert looking.state.takes.playhead.value.frame == 16
    path = on_disk(looking)
    qtbot.waitUntil(lambda: read_take(path).marker_frame == (16, 20), timeout=10_000)


def test_a_take_is_renamed_in_the_list_and_that_is_undone(
    looking: WindowParts, qtbot: QtBot
) -> None:
    looking.window.side_panel.show_page("takes")
    page = looking.take_feature.page
    before = page.list.item(0).text()
    page.rename.click()
    editor = page.list.findChild(QWidget, "qt_spinbox_lineedit") or page.list.focusWidget()
    assert editor is not None
    qtbot.keyClick(editor, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(editor, "my dance")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    library = looking.controller.store.library
    qtbot.waitUntil(lambda: library.entries()[0].about.name == "my dance", timeout=10_000)
    assert "my dance" in looking.window.windowTitle()
    looking.take_feature.actions_.undo.trigger()
    qtbot.waitUntil(lambda: library.entries()[0].about.name == before, timeout=10_000)
    qtbot.waitUntil(lambda: page.list.item(0).text() == before)


def test_a_take_is_deleted_only_when_that_is_meant(
    looking: WindowParts, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, own_data_folder: Path
) -> None:
    page = looking.take_feature.page
    looking.window.side_panel.show_page("takes")
    monkeypatch.setattr(page, "ask_delete", lambda name: False)
    page.delete.click()
    assert len(list(own_data_folder.iterdir())) == 1
    monkeypatch.setattr(page, "ask_delete", lambda name: True)
    page.delete.click()
    qtbot.waitUntil(lambda: page.list.count() == 0, timeout=10_000)
    assert list(own_data_folder.iterdir()) == []
    assert looking.state.takes.opened.value is None
    assert looking.window.start_page.isVisible()
    assert not page.open.isEnabled()


def test_closing_while_it_records_loses_nothing(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, own_data_folder: Path
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    parts.controller.recording.record()
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 0.5, timeout=10_000)
    rows = parts.state.take.value.rows
    parts.window.close()
    found = TakeLibrary(own_data_folder).unfinished()
    kept = TakeLibrary(own_data_folder).entries()
    # either its take was quick to make, or the next start makes it
    assert max([each.rows for each in found] + [each.about.rows for each in kept]) >= rows
    again = open_window()
    qtbot.waitUntil(lambda: len(again.state.takes.entries.value) == 1, timeout=30_000)
    assert again.state.takes.entries.value[0].about.rows >= rows
    assert again.state.takes.interrupted.value == ()


def test_a_box_drawn_over_a_person_measures_again_where_the_track_was_wrong(
    open_window: OpenWindow, qtbot: QtBot, kept: Path, own_data_folder: Path
) -> None:
    shutil.copytree(kept, own_data_folder)
    library = TakeLibrary(own_data_folder)
    entry = library.entries()[0]
    stored = library.load(entry.id)
    # from frame 20 to 29 the person is believed to be elsewhere
    away = replace(
        stored.raw,
        translation=stored.raw.translation + np.float32([1.0, 0, 0]),
        joints_2d=stored.raw.joints_2d + np.float32([90.0, 0]),
        box=stored.raw.box + np.float32([90, 0, 90, 0]),
    )
    wrong = with_rows(stored.raw, 1, 20, 29, away)
    library.save(entry.id, StoredTake(stored.about, wrong, wrong))

    parts = open_window()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1)
    parts.controller.takes.open_latest()
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    parts.controller.review.seek(20)
    qtbot.waitUntil(lambda: _index(parts) == 20, timeout=10_000)
    activate(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_B)
    overlay = parts.take_feature.overlay
    assert overlay.isVisible()
    middle, high = overlay.width() // 2, overlay.height()
    qtbot.mousePress(overlay, LEFT, pos=QPoint(middle - high // 3, high // 20))
    qtbot.mouseMove(overlay, QPoint(middle, high // 2))
    qtbot.mouseRelease(overlay, LEFT, pos=QPoint(middle + high // 3, high * 19 // 20))
    assert not overlay.isVisible()
    qtbot.waitUntil(lambda: parts.take_feature.actions_.undo.isEnabled(), timeout=20_000)
    assert parts.take_feature.actions_.undo.text() == "Undo correction"

    def raw() -> Take:
        opened = parts.state.takes.opened.value
        assert opened is not None
        return opened.stored.raw

    np.testing.assert_allclose(raw().translation, stored.raw.translation, atol=1e-5)
    opened = parts.state.takes.opened.value
    assert opened is not None
    assert opened.stored.take.smoothing == "offline"
    assert opened.stored.about.corrections == ((20, 1),)
    parts.take_feature.actions_.undo.trigger()
    np.testing.assert_array_equal(raw().translation, wrong.translation)
    parts.take_feature.actions_.redo.trigger()
    np.testing.assert_allclose(raw().translation, stored.raw.translation, atol=1e-5)


def test_a_box_corrects_a_cameras_take_by_its_small_copy(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_data_folder: Path,
) -> None:
    film = write_clip(tmp_path / "seen.mp4", frames=90, size=(800, 600))
    camera = FakeCamera(film, tmp_path / "machine")
    camera.install(monkeypatch)
    parts = open_window()
    play(parts, qtbot, SourceChoice("camera", "0", "Stand-in"))
    record(parts, qtbot)
    parts.controller.sources.close()
    library = TakeLibrary(own_data_folder)
    entry = library.entries()[0]
    copy = library.image_copies(entry.id)
    assert copy is not None
    small = ImageCopies(copy)
    picture = small.at(0.0)
    small.close()
    assert picture is not None
    assert picture.shape == (360, 480, 3)
    stored = library.load(entry.id)
    assert stored.raw.frame_size == (800, 600)
    away = replace(stored.raw, joints_2d=stored.raw.joints_2d + np.float32([150.0, 0]))
    wrong = with_rows(stored.raw, 1, 3, 6, away)
    library.save(entry.id, StoredTake(stored.about, wrong, wrong))

    parts.controller.takes.open_latest()
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    parts.controller.review.seek(3)
    qtbot.waitUntil(lambda: _index(parts) == 3, timeout=10_000)
    assert parts.take_feature.actions_.box.isEnabled()
    activate(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_B)
    overlay = parts.take_feature.overlay
    middle, high = overlay.width() // 2, overlay.height()
    qtbot.mousePress(overlay, LEFT, pos=QPoint(middle - high // 3, high // 20))
    qtbot.mouseMove(overlay, QPoint(middle, high // 2))
    qtbot.mouseRelease(overlay, LEFT, pos=QPoint(middle + high // 3, high * 19 // 20))
    qtbot.waitUntil(lambda: parts.take_feature.actions_.undo.isEnabled(), timeout=20_000)
    opened = parts.state.takes.opened.value
    assert opened is not None
    np.testing.assert_allclose(opened.stored.raw.joints_2d, stored.raw.joints_2d, atol=0.1)


def test_escape_gives_up_a_box(looking: WindowParts, qtbot: QtBot) -> None:
    activate(looking, qtbot)
    qtbot.keyClick(looking.window, Qt.Key.Key_B)
    overlay = looking.take_feature.overlay
    assert overlay.isVisible()
    qtbot.keyClick(overlay, Qt.Key.Key_Escape)
    assert not overlay.isVisible()
    assert not looking.take_feature.actions_.undo.isEnabled()


RECORDS_UNTIL_IT_IS_KILLED = """
import sys, time
from tests.ui.fakes import opener
from pymaf_live.pipeline.pipeline import Pipeline
from ui.controllers.application import ApplicationController
from ui.state.window import SourceChoice, TakePhase, WindowState

state = WindowState()
controller = ApplicationController(
    state,
    open_pipeline=lambda source, options: Pipeline(source, options, open_estimator=opener()),
    list_cameras=lambda: (),
)
state.takes.pre_roll.set(0.0)
controller.sources.open(SourceChoice("file", sys.argv[1], "clip.mp4"))
while True:
    controller.tick()
    if state.take.value.phase is TakePhase.NONE:
        controller.recording.record()
    result = state.result.value
    if state.take.value.phase is TakePhase.RECORDING and result is not None:
        print(state.take.value.seconds, result.frame.time, flush=True)
    time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_kill_loses_at_most_the_last_second_and_the_next_start_offers_the_rest(
    open_window: OpenWindow,
    qtbot: QtBot,
    clip_path: Path,
    own_data_folder: Path,
) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", RECORDS_UNTIL_IT_IS_KILLED, str(clip_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
        cwd=ROOT,
    )
    assert program.stdout is not None
    seconds, newest = 0.0, 0.0
    while seconds < 2.0:
        seconds, newest = map(float, program.stdout.readline().split())
    os.kill(program.pid, signal.SIGKILL)
    for line in program.stdout:
        if line.count(" ") == 1 and line.endswith("\n"):
            seconds, newest = map(float, line.split())
    program.wait()
    program.stdout.close()

    parts = open_window()
    tools = parts.take_feature
    qtbot.waitUntil(tools.recovery.isVisible, timeout=10_000)
    assert "clip.mp4 was interrupted" in tools.recovery.text.text()
    tools.recovery.recover.click()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1, timeout=30_000)
    assert not tools.recovery.isVisible()
    take = TakeLibrary(own_data_folder).load(parts.state.takes.entries.value[0].id).take
    assert take.smoothing == "offline"
    assert take.frame_time[-1] >= newest - 1.0
    assert np.ptp(take.frame_time) >= seconds - 1.0
    assert len(take.frame) == len(take.frame_time)
