"""Opening sources, and cameras that disconnect and reconnect."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from tests.helpers.fake_camera import FakeCamera
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import write_clip
from ui.app import WindowParts, assemble
from ui.controllers.application import ApplicationController
from ui.controllers.cameras import cameras_from_qt, find_cameras
from ui.controllers.open_paths import choices_of
from ui.state.window import Phase, SourceChoice, TakePhase, WindowState
from ui.system.settings_binding import SettingsBinding
from ui.widgets.address_dialog import AddressDialog, address_problem

pytestmark = pytest.mark.window


@pytest.fixture
def device(clip_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCamera:
    camera = FakeCamera(clip_path, tmp_path / "machine")
    camera.install(monkeypatch)
    monkeypatch.setattr("ui.controllers.cameras.DEVICES", tmp_path / "machine" / "dev")
    return camera


def open_camera(parts: WindowParts, qtbot: QtBot) -> None:
    """Open the camera from the start page."""
    page = parts.window.start_page
    qtbot.waitUntil(page.camera.isEnabled, timeout=5000)
    qtbot.mouseClick(page.camera, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)


def wait_for_new_result(parts: WindowParts, qtbot: QtBot, milliseconds: int) -> None:
    """Wait for a newer result than the current one."""
    before = parts.state.result.value
    qtbot.waitUntil(lambda: parts.state.result.value is not before, timeout=milliseconds)


def banner_text(parts: WindowParts, qtbot: QtBot) -> str:
    """Wait for the banner of the source and return its text."""
    banner = parts.window.source_banner
    qtbot.waitUntil(banner.isVisible, timeout=5000)
    return banner.text.text()


def drop(parts: WindowParts, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), action, data, buttons, keys)
    QApplication.sendEvent(parts.window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(parts.window, QDropEvent(QPointF(50, 50), action, data, buttons, keys))


@pytest.mark.parametrize("fault", ["unplug", "freeze"])
def test_a_recording_continues_after_a_camera_failure(
    open_window: OpenWindow, qtbot: QtBot, device: FakeCamera, fault: str
) -> None:
    parts = open_window(cameras=find_cameras())
    open_camera(parts, qtbot)
    assert not parts.window.source_banner.isVisible()
    parts.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: parts.state.take.value.rows > 3, timeout=10_000)
    getattr(device, fault)()
    text = banner_text(parts, qtbot)
    assert "continue automatically" in text
    assert parts.window.source_banner.isVisible()
    assert parts.state.take.value.phase is TakePhase.RECORDING
    rows = parts.state.take.value.rows
    qtbot.wait(1000)
    device.release() if fault == "freeze" else device.plug_in()
    wait_for_new_result(parts, qtbot, 2000)
    qtbot.waitUntil(lambda: not parts.window.source_banner.isVisible(), timeout=2000)
    qtbot.waitUntil(lambda: parts.state.take.value.rows > rows + 3, timeout=5000)
    parts.window.actions_.record.trigger()
    assert parts.state.take.value.phase is not TakePhase.RECORDING


def test_a_busy_camera_opens_once_it_is_free(
    open_window: OpenWindow, qtbot: QtBot, device: FakeCamera
) -> None:
    device.hold()
    parts = open_window(cameras=find_cameras())
    qtbot.waitUntil(parts.window.start_page.camera.isEnabled, timeout=5000)
    parts.window.start_page.camera.click()
    text = banner_text(parts, qtbot)
    assert "in use by another program" in text
    assert "opens automatically" in text
    assert parts.window.start_page.isVisible()
    device.release()
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=2500)
    assert not parts.window.source_banner.isVisible()
    assert parts.state.source.value is not None
    assert parts.state.source.value.title == "Stand-in"


def test_retrying_can_be_stopped(open_window: OpenWindow, qtbot: QtBot, device: FakeCamera) -> None:
    device.hold()
    parts = open_window(cameras=find_cameras())
    qtbot.waitUntil(parts.window.start_page.camera.isEnabled, timeout=5000)
    parts.window.start_page.camera.click()
    banner_text(parts, qtbot)
    qtbot.mouseClick(parts.window.source_banner.stop, Qt.MouseButton.LeftButton)
    assert not parts.window.source_banner.isVisible()
    opened = len(device.modes)
    device.release()
    qtbot.wait(1500)
    assert parts.state.phase.value is Phase.EMPTY
    assert len(device.modes) <= opened + 1  # one attempt may have been running


def test_the_demo_is_offered_while_a_camera_is_disconnected(
    open_window: OpenWindow, qtbot: QtBot, device: FakeCamera, clip_path: Path
) -> None:
    parts = open_window(cameras=find_cameras())
    parts.state.demo.set(SourceChoice("demo", str(clip_path), "Demo"))
    open_camera(parts, qtbot)
    device.unplug()
    banner_text(parts, qtbot)
    qtbot.mouseClick(parts.window.source_banner.demo, Qt.MouseButton.LeftButton)
    demo = parts.state.demo.value
    qtbot.waitUntil(lambda: parts.state.source.value is demo, timeout=10_000)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=10_000)
    assert not parts.window.source_banner.isVisible()


def test_a_connected_camera_appears_automatically(
    open_window: OpenWindow,
    qtbot: QtBot,
    clip_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = FakeCamera(clip_path, tmp_path / "machine", plugged_in=False)
    device.install(monkeypatch)
    monkeypatch.setattr("ui.controllers.cameras.DEVICES", tmp_path / "machine" / "dev")
    parts = open_window(list_cameras=find_cameras)
    qtbot.waitUntil(lambda: parts.state.cameras.value == (), timeout=5000)
    device.plug_in()
    qtbot.waitUntil(parts.window.start_page.camera.isEnabled, timeout=2000)
    assert parts.window.start_page.camera_note.text() == "Stand-in"


def test_a_camera_mode_is_chosen_in_the_menu(
    open_window: OpenWindow, qtbot: QtBot, device: FakeCamera
) -> None:
    mode = SourceChoice("camera", "0@640x480@30", "Stand-in, 640 × 480, 30 frames/s")
    parts = open_window(cameras=(SourceChoice("camera", "0", "Stand-in", (mode,)),))
    qtbot.waitUntil(parts.window.start_page.camera.isEnabled, timeout=5000)
    menus = parts.window.menus.source.cameras.findChildren(QMenu)
    (modes,) = [menu for menu in menus if menu.title() == "Stand-in"]
    assert modes.actions()[-1].text() == "640 × 480, 30 frames/s"
    modes.actions()[-1].trigger()
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    assert str(device.modes[0]) == "640x480@30"


def test_the_camera_of_the_last_run_is_preselected(
    qtbot: QtBot, own_data_folder: Path, qapp: QApplication
) -> None:
    cameras = (SourceChoice("camera", "0", "Front"), SourceChoice("camera", "1", "Side"))
    state = WindowState()
    state.sources.last_choice.set(SourceChoice.from_text("1"))
    parts = assemble(state, ApplicationController(state, list_cameras=lambda: cameras))
    page = parts.window.start_page
    qtbot.waitUntil(lambda: page.camera_list.count() == 2, timeout=5000)
    assert page.camera_list.currentIndex() == 1
    parts.window.close()
    parts.window.deleteLater()


def test_several_files_play_one_after_the_other(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    first = write_clip(tmp_path / "first.mp4", frames=6)
    for name in ("b10.mp4", "b9.mp4"):
        write_clip(folder / name, frames=6)
    parts = open_window()
    parts.state.loop.set(False)
    titles: list[str] = []
    parts.state.source.watch(lambda source: titles.append(source.title) if source else None)
    drop(parts, first, folder)
    qtbot.waitUntil(lambda: len(titles) == 3, timeout=20_000)
    assert titles == ["first.mp4", "b9.mp4", "b10.mp4"]
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.ENDED, timeout=10_000)
    assert "(3 of 3)" in parts.window.windowTitle()
    parts.window.actions_.previous_file.trigger()
    qtbot.waitUntil(lambda: titles[-1] == "b9.mp4", timeout=10_000)
    assert parts.window.actions_.next_file.isEnabled()


def test_a_folder_without_images_or_videos_is_reported_in_one_line(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    parts = open_window()
    (tmp_path / "empty").mkdir()
    drop(parts, tmp_path / "empty")
    qtbot.waitUntil(parts.window.message_bar.isVisible, timeout=5000)
    assert "no videos and no images" in parts.window.message_bar.text.text()


def test_an_image_folder_is_one_source_and_each_video_another(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "walk.mp4", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    assert [choice.title for choice in choices_of([tmp_path])] == [tmp_path.name, "walk.mp4"]


def test_the_last_source_is_offered_but_not_opened(
    open_window: OpenWindow,
    qtbot: QtBot,
    clip: SourceChoice,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    before = open_window()
    before.state.sources.last_choice.set(clip)
    SettingsBinding().save(before.state)
    parts = open_window()
    SettingsBinding().apply(parts.state)
    parts.controller.discovery.find_recent()
    page = parts.window.start_page
    qtbot.waitUntil(page.last.isVisible, timeout=5000)
    assert page.last.property("role") == "primary"
    assert clip.title in page.last.text()
    qtbot.wait(300)
    assert parts.state.phase.value is Phase.EMPTY
    qtbot.mouseClick(page.last, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=10_000)


def test_a_missing_file_is_not_offered_and_passwords_are_not_stored(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts = open_window()
    parts.state.sources.last_choice.set(SourceChoice("stream", "rtsp://me:secret@host/a", "x"))
    SettingsBinding().save(parts.state)
    assert "secret" not in file.read_text()
    state = WindowState()
    SettingsBinding().apply(state)
    last = state.sources.last_choice.value
    assert last is not None
    assert last.text == "rtsp://host/a"
    parts.state.sources.last_choice.set(SourceChoice.from_path(tmp_path / "gone.mp4"))
    parts.controller.discovery.find_recent()
    qtbot.wait(200)
    assert parts.state.sources.recent.value is None
    assert not parts.window.start_page.last.isVisible()


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("camera.local/a", "protocol is missing"),
        ("ftp://host/a", "ftp:// is not supported"),
        ("rtsp://", "host is missing"),
        ("rtsp://me:word@/a", "host is missing"),
        ("http://a b/c", "without spaces"),
    ],
)
def test_an_invalid_address_is_explained(qtbot: QtBot, address: str, word: str) -> None:
    dialog = AddressDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.open_button.isEnabled()
    qtbot.keyClicks(dialog.line, address)
    assert word in dialog.note.text()
    assert not dialog.open_button.isEnabled()
    dialog.line.clear()
    qtbot.keyClicks(dialog.line, " rtsp://me:word@host:554/a ")
    assert dialog.open_button.isEnabled()
    assert dialog.address == "rtsp://me:word@host:554/a"
    assert address_problem("HTTP://host") == ""


def test_cameras_reported_by_qt_have_names_and_modes() -> None:
    def fmt(width: int, height: int, rate: float) -> SimpleNamespace:
        size = SimpleNamespace(width=lambda: width, height=lambda: height)
        return SimpleNamespace(resolution=lambda: size, maxFrameRate=lambda: rate)

    formats = [fmt(640, 480, 30.0), fmt(1280, 720, 29.97), fmt(640, 480, 30.0)]
    devices = [
        SimpleNamespace(description=lambda: "Built-in", videoFormats=list),
        SimpleNamespace(description=lambda: "Desk", videoFormats=lambda: formats),
    ]
    built_in, desk = cameras_from_qt(devices)
    assert built_in == SourceChoice("camera", "0", "Built-in")
    assert [mode.text for mode in desk.modes] == ["1@1280x720@29.97", "1@640x480@30"]
    assert desk.modes[0].title == "Desk, 1280 × 720, 29.97 frames/s"
