"""The log of a run that crashed, and its report at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from tests.helpers.paths import ROOT
from tests.ui.conftest import OpenWindow
from ui.state.preferences import CrashReport
from ui.system.crash_log import CrashLog, latest_crash_report
from ui.widgets.crash_report_banner import LogDialog

pytestmark = pytest.mark.window


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
def test_a_crashed_run_is_reported_with_its_cause(
    tmp_path: Path, body: str, word: str, fatal: bool
) -> None:
    began = time.time()
    run_in_log(tmp_path, body)
    report = latest_crash_report(tmp_path)
    assert report is not None
    assert word in report.text
    assert "PyMAF Live" in report.text
    assert report.fatal == fatal
    assert abs(report.when - began) < 60


def test_a_run_that_is_closed_leaves_no_log(tmp_path: Path) -> None:
    done = run_in_log(tmp_path, "")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert latest_crash_report(tmp_path) is None


def test_a_running_process_is_not_reported(tmp_path: Path) -> None:
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
    report = latest_crash_report(tmp_path)
    assert report is not None
    assert report.fatal


def test_an_unwritable_folder_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = CrashLog(tmp_path / "file" / "runs")
    log.start()
    log.stop()
    assert latest_crash_report(tmp_path / "file" / "runs") is None


@pytest.fixture
def crash_report(tmp_path: Path) -> CrashReport:
    path = tmp_path / "1790000000-1.log"
    path.write_text("PyMAF Live\nFatal Python error: Segmentation fault\n")
    report = latest_crash_report(tmp_path)
    assert report is not None
    return report


def test_a_crash_report_can_be_shown_copied_and_deleted(
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

    def read_dialog() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, LogDialog)
        read.append(dialog.text.toPlainText())
        dialog.reject()

    QTimer.singleShot(200, read_dialog)
    qtbot.mouseClick(banner.show_log, Qt.MouseButton.LeftButton)
    assert read == [crash_report.text]
    qtbot.mouseClick(banner.delete, Qt.MouseButton.LeftButton)
    assert not banner.isVisible()
    assert not crash_report.path.exists()


def test_qt_does_not_leak_references_to_none(qtbot: QtBot) -> None:
    # a binding that loses references to None would crash the process after minutes
    label = QLabel()
    qtbot.addWidget(label)
    before = sys.getrefcount(None)
    for number in range(2000):
        label.setText(str(number))
    assert sys.getrefcount(None) > before - 200
