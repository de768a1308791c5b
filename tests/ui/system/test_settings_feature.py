"""Settings, health, themes, first hints, and what a run that ended badly leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.settings import load_settings
from pymaf_live.types import Camera, Frame, FrameResult, Image, SourceFacts
from tests.helpers.paths import ROOT
from tests.ui.conftest import OpenWindow, own_threads, running
from tests.ui.fakes import StandingEstimator, standing_person
from ui.app import WindowParts, assemble
from ui.canvas.painter import CanvasPainter
from ui.canvas.viewport import Viewport
from ui.controllers.application import ApplicationController
from ui.state.preferences import CrashReport
from ui.state.window import Phase, SourceChoice, WindowState
from ui.system.crash_log import CrashLog, latest_crash_report
from ui.system.palette import DARK, LIGHT, Palette
from ui.system.settings_binding import SettingsBinding
from ui.system.theme import apply_theme
from ui.widgets.crash_report_banner import LogDialog

pytestmark = pytest.mark.window


def play(parts: WindowParts, qtbot: QtBot, choice: SourceChoice) -> None:
    parts.window.open_choice(choice)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)


# -- settings -------------------------------------------------------------------------------------


class SmoothingEstimator(StandingEstimator):
    """Sees a trembling person, and smooths as strongly as it is told."""

    def __init__(self, facts: SourceFacts, options: PipelineOptions) -> None:
        super().__init__()
        self._random = np.random.default_rng(1)
        self._last: float | None = None
        self.strengths = [options.smoothing_strength]
        self.fovs = [options.fov]

    def adjust(self, options: PipelineOptions) -> None:
        self.strengths.append(options.smoothing_strength if options.smoothing == "live" else 0.0)
        self.fovs.append(options.fov)

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        height, width = frame.image.shape[:2]
        camera = Camera.for_frame((width, height), self.fovs[-1])
        raw = standing_person(default_body(), camera, float(self._random.normal(0, 0.02)))
        place = float(raw.translation[0])
        smooth = 0.9 * self.strengths[-1]
        self._last = place if self._last is None else smooth * self._last + (1 - smooth) * place
        shift = np.array([self._last - place, 0.0, 0.0])
        shown = replace(raw, joints=raw.joints + shift, translation=raw.translation + shift)
        return FrameResult(frame, (shown,), (raw,), camera)


@pytest.fixture
def smoothing_window(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, monkeypatch: pytest.MonkeyPatch
) -> tuple[WindowParts, list[SmoothingEstimator]]:
    made: list[SmoothingEstimator] = []

    def open_estimator(facts: SourceFacts, options: PipelineOptions) -> SmoothingEstimator:
        made.append(SmoothingEstimator(facts, options))
        return made[-1]

    parts = open_window()
    parts.controller.opener.open_pipeline = lambda source, options: Pipeline(
        source, options, open_estimator=open_estimator
    )
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("settings")
    return parts, made


def jitter_shown(parts: WindowParts) -> float | None:
    match = re.match(r"Jitter: ([\d.]+) mm", parts.settings_feature.settings.jitter.text())
    return float(match[1]) if match else None


def test_the_smoothing_changes_while_it_plays_and_its_jitter_is_shown(
    smoothing_window: tuple[WindowParts, list[SmoothingEstimator]], qtbot: QtBot
) -> None:
    parts, (estimator,) = smoothing_window
    slider = parts.settings_feature.settings.smoothing
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: estimator.strengths[-1] == 0.0, timeout=5000)
    parts.controller.figures.reset_smoothing_metrics()
    qtbot.waitUntil(lambda: jitter_shown(parts) is not None, timeout=10_000)
    snappy = jitter_shown(parts)
    qtbot.keyClick(slider, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: estimator.strengths[-1] == 1.0, timeout=5000)
    parts.controller.figures.reset_smoothing_metrics()
    qtbot.waitUntil(lambda: jitter_shown(parts) is not None, timeout=10_000)
    smooth = jitter_shown(parts)
    assert snappy is not None
    assert smooth is not None
    assert smooth < snappy / 2
    assert parts.state.preferences.smoothing_strength.value == 1.0
    assert len(estimator.strengths) <= 4  # nothing was opened anew


def test_the_field_of_view_reaches_the_camera_and_waits_for_a_recording(
    smoothing_window: tuple[WindowParts, list[SmoothingEstimator]], qtbot: QtBot
) -> None:
    parts, (estimator,) = smoothing_window
    page = parts.settings_feature.settings
    usual = parts.state.result.value
    assert usual is not None
    assert usual.camera is not None
    page.knows_fov.click()
    page.fov.setValue(90.0)

    def wide() -> bool:
        result = parts.state.result.value
        return bool(result and result.camera and result.camera.focal_length < 310)

    qtbot.waitUntil(wide, timeout=5000)  # of 480 x 360: half the diagonal
    assert estimator.fovs[-1] == 90.0
    parts.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: not page.fov.isEnabled(), timeout=5000)
    assert not page.knows_fov.isEnabled()
    parts.window.actions_.record.trigger()
    qtbot.waitUntil(page.fov.isEnabled, timeout=5000)


def test_the_mirror_of_cameras_is_set_without_a_camera(open_window: OpenWindow) -> None:
    parts = open_window()
    assert parts.state.mirror_cameras.value
    parts.settings_feature.settings.mirror.click()
    assert not parts.state.mirror_cameras.value
    assert not parts.state.mirror.value


def test_every_setting_comes_back_and_a_broken_file_is_set_aside(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts = open_window()
    page = parts.settings_feature.settings
    page.smoothing.setValue(80)
    page.knows_fov.click()
    page.fov.setValue(77.5)
    page.theme.setCurrentIndex(page.theme.findData("light"))
    page.theme.activated.emit(page.theme.currentIndex())
    page.mirror.click()
    parts.window.side_panel.show_page("health")
    SettingsBinding().save(parts.state)
    again, binding = WindowState(), SettingsBinding()
    binding.apply(again)
    assert again.preferences.smoothing_strength.value == 0.8
    assert again.preferences.fov.value == 77.5
    assert again.preferences.theme.value == "light"
    assert not again.mirror_cameras.value
    assert again.view.panel_page.value == "health"
    assert again.view.panel.value
    file.write_text('theme = "pink"\n')
    broken = WindowState()
    SettingsBinding().apply(broken)
    assert broken.preferences.theme.value == "system"
    assert broken.message.value is not None
    assert "theme" in broken.message.value.text
    assert file.with_name("settings.toml.broken").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
import pymaf_live.settings as settings
from ui import app

file, made = Path(sys.argv[1]), app.assemble
settings.settings_path = lambda: file

def assembled(*arguments, **more):
    parts = made(*arguments, **more)
    def change():
        QTest.keyClick(parts.window, Qt.Key.Key_P)
        parts.window.side_panel.show_page("settings")
        parts.settings_feature.settings.smoothing.setFocus()
        QTest.keyClick(parts.settings_feature.settings.smoothing, Qt.Key.Key_End)
        parts.window.resize(901, 603)
        # nothing closes the window: what is kept was written while it ran
        QTimer.singleShot(3000, lambda: os.kill(os.getpid(), signal.SIGKILL))
    QTimer.singleShot(1500, change)
    return parts

app.assemble = assembled
app.run_window([])
"""


def test_what_was_changed_before_a_kill_is_there_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "config" / "settings.toml"
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("DATA", "STATE", "CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(file)],
        env={**os.environ, **homes, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept, notice = load_settings(file)
    assert notice == ""
    assert kept.smoothing_strength == 1.0
    assert kept.panel
    assert kept.panel_page == "settings"
    assert kept.window_geometry is not None
    assert kept.window_geometry[2:] == (901, 603)
    assert [each.name for each in file.parent.iterdir()] == ["settings.toml"]


def test_settings_that_were_refused_by_the_disk_are_tried_again_at_the_end(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    folder.write_text("in the way")
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: folder / "settings.toml")
    parts, binding = open_window(), SettingsBinding()
    parts.state.skeleton.set(True)
    refused = binding.pending_write(parts.state)
    assert refused is not None
    refused()
    assert binding.pending_write(parts.state) is None  # not at every look
    folder.unlink()
    binding.save(parts.state)
    assert load_settings(folder / "settings.toml")[0].skeleton


def test_an_older_wish_never_replaces_a_newer_one(
    open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts, binding = open_window(), SettingsBinding()
    parts.state.opacity.set(0.25)
    older = binding.pending_write(parts.state)
    parts.state.opacity.set(0.75)
    newer = binding.pending_write(parts.state)
    assert older is not None
    assert newer is not None
    newer()
    older()
    assert load_settings(file)[0].opacity == 0.75


# -- themes and hints -----------------------------------------------------------------------------


def colour_of(icon: QIcon) -> QColor:
    """Of the icon's middle, or of the darkest or lightest opaque point of it."""
    image = icon.pixmap(32).toImage()
    points = [image.pixelColor(x, y) for x in range(32) for y in range(32)]
    return max(points, key=lambda point: point.alpha())


@pytest.mark.parametrize(("name", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_a_theme_reaches_ground_text_and_icons(
    open_window: OpenWindow, qapp: QApplication, name: str, colours: Palette
) -> None:
    parts = open_window()
    page = parts.settings_feature.settings
    page.theme.setCurrentIndex(page.theme.findData(name))
    page.theme.activated.emit(page.theme.currentIndex())
    window = parts.window
    assert window.palette().window().color() == QColor(colours.background)
    assert window.palette().windowText().color() == QColor(colours.text)
    assert colour_of(window.actions_.pause.icon()) == QColor(colours.text)
    shown = window.start_page.grab().toImage()
    assert shown.pixelColor(3, shown.height() - 3) == QColor(colours.background)
    apply_theme(qapp)


def test_three_hints_come_in_the_first_run_and_never_again(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    parts, binding = open_window(), SettingsBinding()
    binding.apply(parts.state)
    hints = parts.settings_feature.hints
    assert hints.isVisible()
    qtbot.mouseClick(hints.dismiss, Qt.MouseButton.LeftButton)
    assert not hints.isVisible()
    binding.save(parts.state)
    parts.state.preferences.hints.set(True)
    SettingsBinding().apply(parts.state)
    assert not hints.isVisible()


@pytest.mark.parametrize("factor", [1, 2])
def test_it_scales_with_the_desktops_resolution(factor: int, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    script = f"""
from PySide6.QtWidgets import QApplication
from ui.app import assemble
from ui.controllers.application import ApplicationController
from ui.state.window import WindowState
app = QApplication([])
state = WindowState()
parts = assemble(state, ApplicationController(state, list_cameras=lambda: ()))
parts.window.resize(720, 480)
parts.window.show()
app.processEvents()
grabbed = parts.window.grab()
grabbed.save({str(picture)!r})
label = parts.window.start_page.demo
print(grabbed.width(), grabbed.height(), label.width(), label.fontMetrics().height())
parts.window.close()
"""
    environment = {**os.environ, "QT_SCALE_FACTOR": str(factor), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    width, height, button, letters = map(int, done.stdout.split()[-4:])
    assert (width, height) == (720 * factor, 480 * factor)  # device pixels
    assert 380 < button < 460  # in the window's own pixels it is the same
    assert letters < 40


# -- health ---------------------------------------------------------------------------------------


def test_the_health_page_names_the_slowest_stage(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window(stages={"network": 240.0, "crop": 1.5})
    page = parts.settings_feature.health
    assert page.empty.isVisibleTo(page)
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("health")
    qtbot.waitUntil(lambda: page.slowest.isVisible(), timeout=5000)
    assert page.slowest.text() == "Slowest stage: Network, 240.0 ms per frame"
    assert page.stage_values["crop"].text() == "1.5 ms"
    assert page.stage_values["decode"].text()
    assert page.values["backend"].text() == "double"
    qtbot.waitUntil(lambda: page.values["delay"].text().endswith(" ms"), timeout=5000)
    # a film at its own rate is waited for, and that is not reading
    assert float(page.stage_values["decode"].text().split()[0]) < 30
    parts.window.actions_.close_source.trigger()
    assert page.empty.isVisibleTo(page)


def test_drawing_is_a_stage_and_is_named_where_it_is_the_slowest(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = CanvasPainter.draw_image

    def slow(self: CanvasPainter, viewport: Viewport, image: Image) -> None:
        time.sleep(0.06)
        draw(self, viewport, image)

    monkeypatch.setattr(CanvasPainter, "draw_image", slow)
    parts = open_window(stages={"network": 2.0})
    page = parts.settings_feature.health
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("health")
    qtbot.waitUntil(lambda: "draw" in page.stage_values, timeout=10_000)
    assert float(page.stage_values["draw"].text().split()[0]) >= 60
    assert page.slowest.text().startswith("Slowest stage: Drawing, ")


# -- faults ---------------------------------------------------------------------------------------


def run_in_log(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    script = f"""
import os, signal, sys, threading
from pathlib import Path
from ui.system.crash_log import CrashLog
log = CrashLog(Path({str(folder)!r}))
log.start()
{body}
log.stop()
"""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("body", "word", "fatal"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "Segmentation fault", True),
        ("os.kill(os.getpid(), signal.SIGKILL)", "left no trace", True),
        ("raise ValueError('odd value')", "odd value", False),
        (
            "t = threading.Thread(target=lambda: 1 / 0, name='worker')\nt.start()\nt.join()",
            "In the thread worker",
            False,
        ),
    ],
)
def test_a_run_that_ends_badly_is_found_with_its_cause(
    tmp_path: Path, body: str, word: str, fatal: bool
) -> None:
    began = time.time()
    run_in_log(tmp_path, body)
    end = latest_crash_report(tmp_path)
    assert end is not None
    assert word in end.text
    assert "PyMAF Live" in end.text
    assert end.fatal == fatal
    assert abs(end.when - began) < 60


def test_a_run_that_is_closed_leaves_nothing(tmp_path: Path) -> None:
    done = run_in_log(tmp_path, "")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert latest_crash_report(tmp_path) is None


def test_a_run_that_goes_on_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from ui.system.crash_log import CrashLog;"
        f"CrashLog(Path({str(tmp_path)!r})).start(); print('on', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        assert latest_crash_report(tmp_path) is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    end = latest_crash_report(tmp_path)
    assert end is not None
    assert end.fatal


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = CrashLog(tmp_path / "file" / "runs")
    log.start()
    log.stop()
    assert latest_crash_report(tmp_path / "file" / "runs") is None


@pytest.fixture
def crash_report(tmp_path: Path) -> CrashReport:
    path = tmp_path / "1790000000-1.log"
    path.write_text("PyMAF Live\nFatal Python error: Segmentation fault\n")
    end = latest_crash_report(tmp_path)
    assert end is not None
    return end


def test_the_log_of_the_last_run_can_be_shown_copied_and_deleted(
    open_window: OpenWindow, qtbot: QtBot, crash_report: CrashReport
) -> None:
    parts = open_window()
    banner = parts.settings_feature.crash_report
    assert not banner.isVisible()
    parts.state.preferences.crash_report.set(crash_report)
    assert banner.isVisible()
    assert "crashed on" in banner.text.text()
    qtbot.mouseClick(banner.copy, Qt.MouseButton.LeftButton)
    assert "Segmentation fault" in QGuiApplication.clipboard().text()
    read: list[str] = []

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, LogDialog)
        read.append(dialog.text.toPlainText())
        dialog.reject()

    QTimer.singleShot(200, look)
    qtbot.mouseClick(banner.show_log, Qt.MouseButton.LeftButton)
    assert read == [crash_report.text]
    qtbot.mouseClick(banner.delete, Qt.MouseButton.LeftButton)
    assert not banner.isVisible()
    assert not crash_report.path.exists()


def test_qt_gives_back_what_it_returns(qtbot: QtBot) -> None:
    # a binding that loses references to None ends the process by a fault after minutes
    label = QLabel()
    qtbot.addWidget(label)
    before = sys.getrefcount(None)
    for number in range(2000):
        label.setText(str(number))
    assert sys.getrefcount(None) > before - 200


# -- the watch over the tests themselves ----------------------------------------------------------


def test_a_timer_or_thread_that_is_left_would_be_seen(
    qtbot: QtBot, qapp: QApplication, request: pytest.FixtureRequest
) -> None:
    timer = QTimer()
    timer.start(1000)
    assert running([timer]) == [timer]
    timer.stop()
    assert running([timer]) == []
    go = threading.Event()
    before = set(threading.enumerate())
    thread = threading.Thread(target=go.wait, name="pymaf-live window test", daemon=True)
    thread.start()
    assert own_threads(before) == [thread]
    go.set()
    thread.join()
    assert own_threads(before) == []


def test_a_closed_window_leaves_no_timer(
    qtbot: QtBot, qapp: QApplication, own_data_folder: Path
) -> None:
    state = WindowState()
    parts = assemble(state, ApplicationController(state, list_cameras=lambda: ()))
    timers: Callable[[], list[QTimer]] = lambda: parts.window.findChildren(QTimer)  # noqa: E731
    assert any(timer.isActive() for timer in timers())
    parts.window.show()
    parts.window.close()
    assert not any(timer.isActive() for timer in timers())
    assert parts.state.phase.value is Phase.EMPTY
    parts.window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
