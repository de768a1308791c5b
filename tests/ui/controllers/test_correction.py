"""Re-estimating a person from a box."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from pymaf_live.takes.editing import with_rows
from pymaf_live.takes.image_copies import ImageCopies
from pymaf_live.takes.library import StoredTake, TakeLibrary
from pymaf_live.takes.take import Take
from tests.helpers.fake_camera import FakeCamera
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import write_clip
from tests.ui.helpers import activate
from tests.ui.take_steps import LEFT, play, record, shown_frame
from ui.app import WindowParts
from ui.state.window import SourceChoice

pytestmark = pytest.mark.window


def test_a_box_around_a_person_re_estimates_where_the_track_was_wrong(
    open_window: OpenWindow, qtbot: QtBot, take_library: Path, own_data_folder: Path
) -> None:
    shutil.copytree(take_library, own_data_folder)
    library = TakeLibrary(own_data_folder)
    entry = library.entries()[0]
    stored = library.load(entry.id)
    # from frame 20 to 29 the track is off to the side
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
    qtbot.waitUntil(lambda: shown_frame(parts) == 20, timeout=10_000)
    activate(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_B)
    overlay = parts.take_feature.overlay
    assert overlay.isVisible()
    centre, height = overlay.width() // 2, overlay.height()
    qtbot.mousePress(overlay, LEFT, pos=QPoint(centre - height // 3, height // 20))
    qtbot.mouseMove(overlay, QPoint(centre, height // 2))
    qtbot.mouseRelease(overlay, LEFT, pos=QPoint(centre + height // 3, height * 19 // 20))
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
    assert opened.stored.about.corrections == ((20, 2),)
    parts.take_feature.actions_.undo.trigger()
    np.testing.assert_array_equal(raw().translation, wrong.translation)
    parts.take_feature.actions_.redo.trigger()
    np.testing.assert_allclose(raw().translation, stored.raw.translation, atol=1e-5)


def test_a_box_corrects_a_camera_take_from_its_image_copies(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_data_folder: Path,
) -> None:
    video = write_clip(tmp_path / "camera.mp4", frames=90, size=(800, 600))
    camera = FakeCamera(video, tmp_path / "machine")
    camera.install(monkeypatch)
    parts = open_window()
    play(parts, qtbot, SourceChoice("camera", "0", "Fake camera"))
    record(parts, qtbot)
    parts.controller.sources.close()
    library = TakeLibrary(own_data_folder)
    entry = library.entries()[0]
    copy = library.image_copies(entry.id)
    assert copy is not None
    copies = ImageCopies(copy)
    image = copies.at(0.0)
    copies.close()
    assert image is not None
    assert image.shape == (360, 480, 3)
    stored = library.load(entry.id)
    assert stored.raw.frame_size == (800, 600)
    away = replace(stored.raw, joints_2d=stored.raw.joints_2d + np.float32([150.0, 0]))
    wrong = with_rows(stored.raw, 1, 3, 6, away)
    library.save(entry.id, StoredTake(stored.about, wrong, wrong))

    parts.controller.takes.open_latest()
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    parts.controller.review.seek(3)
    qtbot.waitUntil(lambda: shown_frame(parts) == 3, timeout=10_000)
    assert parts.take_feature.actions_.box.isEnabled()
    activate(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_B)
    overlay = parts.take_feature.overlay
    centre, height = overlay.width() // 2, overlay.height()
    qtbot.mousePress(overlay, LEFT, pos=QPoint(centre - height // 3, height // 20))
    qtbot.mouseMove(overlay, QPoint(centre, height // 2))
    qtbot.mouseRelease(overlay, LEFT, pos=QPoint(centre + height // 3, height * 19 // 20))
    qtbot.waitUntil(lambda: parts.take_feature.actions_.undo.isEnabled(), timeout=20_000)
    opened = parts.state.takes.opened.value
    assert opened is not None
    np.testing.assert_allclose(opened.stored.raw.joints_2d, stored.raw.joints_2d, atol=0.1)


def test_escape_cancels_drawing_a_box(take_window: WindowParts, qtbot: QtBot) -> None:
    activate(take_window, qtbot)
    qtbot.keyClick(take_window.window, Qt.Key.Key_B)
    overlay = take_window.take_feature.overlay
    assert overlay.isVisible()
    qtbot.keyClick(overlay, Qt.Key.Key_Escape)
    assert not overlay.isVisible()
    assert not take_window.take_feature.actions_.undo.isEnabled()
