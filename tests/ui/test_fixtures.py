"""The fixtures notice timers and threads that a test leaves running."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.conftest import own_threads, running
from ui.app import assemble
from ui.controllers.application import ApplicationController
from ui.state.window import Phase, WindowState

pytestmark = pytest.mark.window


def test_a_timer_or_thread_left_running_is_noticed(
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


def test_a_closed_window_leaves_no_timer_running(
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
