"""Opening files while something is open, take files, and the end of the program by a signal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from tests.helpers.paths import ROOT
from tests.ui.conftest import OpenWindow
from tests.ui.helpers import activate, play
from ui.app import WindowParts
from ui.state.preferences import CrashReport
from ui.state.window import Phase, SourceChoice
from ui.system.crash_log import latest_crash_report

pytestmark = pytest.mark.window


def drop(parts: WindowParts, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    action = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPoint(50, 50), action, data, buttons, keys)
    QApplication.sendEvent(parts.window, enter)
    QApplication.sendEvent(parts.window, QDropEvent(QPointF(50, 50), action, data, buttons, keys))


def wait_for_error(parts: WindowParts, qtbot: QtBot, name: str) -> None:
    qtbot.waitUntil(lambda: parts.state.message.value is not None, timeout=20_000)
    message = parts.state.message.value
    assert message is not None
    assert message.severity == "error"
    assert name in message.text
    parts.state.message.set(None)


@pytest.mark.parametrize("name", ["broken.mp4", "missing.mp4", "broken.npz"])
def test_an_unusable_file_leaves_the_playing_one_open(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, tmp_path: Path, name: str
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"neither a video nor a take" * 99)
    parts.window.open_choice(SourceChoice.from_path(tmp_path / name))
    wait_for_error(parts, qtbot, name)
    assert parts.state.source.value == clip
    assert parts.state.phase.value is Phase.PLAYING
    assert parts.state.sources.opening.value is None
    before = parts.state.result.value
    qtbot.waitUntil(lambda: parts.state.result.value is not before, timeout=10_000)


def test_an_unusable_file_leaves_the_take_open(
    take_window: WindowParts, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 99)
    opened = take_window.state.takes.opened.value
    drop(take_window, tmp_path / "broken.mp4")
    wait_for_error(take_window, qtbot, "broken.mp4")
    assert take_window.state.takes.opened.value is opened
    assert take_window.take_feature.timeline.isVisible()


def test_a_take_file_is_opened_by_the_dialog_and_by_dropping_it(
    open_window: OpenWindow,
    qtbot: QtBot,
    take_library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "dance.npz"
    shutil.copy(next(take_library.glob("*/take.npz")), file)
    parts = open_window()
    activate(parts, qtbot)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    qtbot.keyClick(parts.window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    opened = parts.state.takes.opened.value
    assert opened is not None
    assert opened.stored.about.name == "dance"
    qtbot.keyClick(parts.window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is None)
    drop(parts, file)
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    # the same file is not added twice
    assert len(parts.controller.store.library.entries()) == 1


def test_escape_dismisses_a_crash_report_for_good(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "1790000000-1.log").write_text("PyMAF Live\nFatal Python error: Aborted\n")
    report = latest_crash_report(tmp_path)
    assert isinstance(report, CrashReport)
    parts = open_window()
    parts.state.preferences.crash_report.set(report)
    assert parts.settings_feature.crash_report.isVisible()
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    assert not parts.settings_feature.crash_report.isVisible()
    assert latest_crash_report(tmp_path) is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".seen"]


def test_a_program_that_the_system_ends_reports_no_crash(qapp: object, tmp_path: Path) -> None:
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("STATE", "CONFIG", "DATA")}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py")], env={**os.environ, **homes}, cwd=tmp_path
    )
    try:
        limit = time.monotonic() + 60
        runs = tmp_path / "STATE" / "pymaf-live" / "runs"
        while not (tmp_path / "CONFIG").exists() and time.monotonic() < limit:
            time.sleep(0.1)  # the settings are written once the window is open
        assert list(runs.glob("*.log"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert latest_crash_report(runs) is None
    finally:
        process.kill()


def test_opening_is_shown_by_an_animated_bar(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window(opening=0.7)
    area = parts.window.canvas_area
    parts.window.open_choice(clip)
    qtbot.waitUntil(area.progress.isVisible, timeout=10_000)
    assert area.note.text() == f"Opening {clip.title}…"
    assert area.progress.maximum() == 0  # animated
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    assert not area.progress.isVisible()


def test_file_dialogs_start_where_a_file_was_chosen_last(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[str] = []
    chosen = tmp_path / "videos" / "a.mp4"
    chosen.parent.mkdir()

    def ask(_parent: object, _title: str, start: str, _filters: str) -> tuple[list[str], str]:
        starts.append(start)
        return [str(chosen)], ""

    monkeypatch.setattr(QFileDialog, "getOpenFileNames", ask)
    monkeypatch.setattr("ui.widgets.folders._last", {})
    batch = open_window().tools_feature.open_batch()
    batch.ask_files()
    batch.ask_files()
    assert Path(starts[0]).is_dir()
    assert Path(starts[0]) != Path.cwd()
    assert starts[1] == str(chosen.parent)
