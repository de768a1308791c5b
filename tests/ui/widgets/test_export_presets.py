"""Presets and the video with the body in the export dialog."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import ExportOptions
from pymaf_live.settings import ExportSettings, Settings
from pymaf_live.system.reporter import Reporter
from pymaf_live.workflows.body_video import BodyVideoRequest
from tests.ui.conftest import OpenWindow
from ui.app import WindowParts
from ui.state.export import ExportState
from ui.state.window import TakePhase
from ui.system.settings_binding import SettingsBinding
from ui.widgets.export_dialog import ExportDialog

pytestmark = pytest.mark.window


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> ExportDialog:
    dialog = ExportDialog(tuple(FORMATS.values()), "walk", tmp_path, ("bvh",))
    dialog.show_presets(ExportState().presets)
    qtbot.addWidget(dialog)
    return dialog


def test_a_preset_is_saved_chosen_and_deleted(
    dialog: ExportDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = dialog.presets
    dialog.form.choose(("fbx",), ExportOptions(rig="unreal", in_place=True))
    dialog.video.setChecked(True)
    monkeypatch.setattr(presets, "ask_name", lambda: "Game engine")
    presets.save.click()
    assert presets.names.currentData() == "Game engine"
    dialog.form.choose(("bvh", "npz"), ExportOptions())
    dialog.video.setChecked(False)
    presets.names.activated.emit(presets.names.currentIndex())
    request = dialog.request()
    assert request.formats == ("fbx",)
    assert request.options == ExportOptions(rig="unreal", in_place=True)
    assert request.video
    presets.delete.click()
    assert [presets.names.itemData(i) for i in range(presets.names.count())] == [""]
    assert not presets.delete.isEnabled()


def test_presets_are_stored_in_the_settings(open_window: OpenWindow) -> None:
    parts = open_window()
    chosen = ExportSettings(formats=("glb",), rig="vrm", video=True)
    parts.state.export.presets.set({"Web": chosen})
    binding = SettingsBinding()
    binding.save(parts.state)
    assert Settings.model_validate(binding.settings.model_dump()).export_presets == {"Web": chosen}


def test_a_video_alone_can_be_exported_and_is_not_replaced_unasked(
    dialog: ExportDialog, tmp_path: Path
) -> None:
    dialog.form.boxes["bvh"].setChecked(False)
    assert not dialog.export.isEnabled()
    dialog.video.setChecked(True)
    assert dialog.export.isEnabled()
    (tmp_path / "walk_overlay.mp4").write_bytes(b"mine")
    dialog.name.setText("walk ")
    assert not dialog.export.isEnabled()
    assert "walk_overlay.mp4" in dialog.replace.text()
    dialog.replace.setChecked(True)
    assert dialog.request().force


def test_the_video_is_written_beside_the_other_files(
    take_window: WindowParts, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[BodyVideoRequest] = []

    def write(request: BodyVideoRequest, reporter: Reporter) -> str:
        requests.append(request)
        request.target.write_bytes(b"video")
        return "it is silent"

    monkeypatch.setattr(take_window.controller.export, "_write_video", write)
    take_window.state.view.body_style.set("grey")
    take_window.controller.export.start(tmp_path / "walk", ("bvh",), False, video=True)
    qtbot.waitUntil(lambda: take_window.state.take.value.phase is TakePhase.READY, timeout=30_000)
    assert {path.name for path in tmp_path.iterdir()} >= {"walk.bvh", "walk_overlay.mp4"}
    message = take_window.state.message.value
    assert message is not None
    assert "walk_overlay.mp4: it is silent" in message.text
    (request,) = requests
    assert request.body_style == "grey"
    assert request.file is not None
    assert request.file.is_file()
    assert take_window.state.export.video.value


def test_the_people_alone_are_written_on_a_transparent_background(
    take_window: WindowParts, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[BodyVideoRequest] = []

    def write(request: BodyVideoRequest, reporter: Reporter) -> str:
        requests.append(request)
        request.target.write_bytes(b"video")
        return ""

    monkeypatch.setattr(take_window.controller.export, "_write_video", write)
    dialog = ExportDialog(tuple(FORMATS.values()), "walk", tmp_path, (), video=True)
    qtbot.addWidget(dialog)
    assert dialog.transparent.isEnabled()
    dialog.transparent.setChecked(True)
    chosen = dialog.request()
    assert chosen.transparent_video
    dialog.video.setChecked(False)
    assert not dialog.transparent.isEnabled()
    take_window.controller.export.start(
        chosen.stem, (), False, video=chosen.video, transparent_video=chosen.transparent_video
    )
    qtbot.waitUntil(lambda: bool(requests), timeout=30_000)
    assert requests[0].transparent
    assert requests[0].target == tmp_path / "walk_people.mov"
    qtbot.waitUntil(lambda: take_window.state.take.value.phase is TakePhase.READY, timeout=30_000)
