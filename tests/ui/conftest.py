from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt, QThread, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from pymaf_live.body import default_body
from pymaf_live.pipeline.estimator import EstimatorFactory
from pymaf_live.pipeline.estimator_factory import open_estimator as open_real_estimator
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources.video import VideoSource
from pymaf_live.system.bounded_queue import THREAD_PREFIX
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from tests.ui.fakes import StandingEstimator, opener, write_clip
from ui.app import WindowParts, assemble
from ui.controllers.application import ApplicationController
from ui.state.window import SourceChoice, WindowState
from ui.system.sound_output import OpenOutput
from ui.system.theme import apply_theme

OpenWindow = Callable[..., WindowParts]


@pytest.fixture(autouse=True)
def no_threads_or_timers_left(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail a test that leaves a Qt timer, a Qt thread or a thread of the program running."""
    started: list[QTimer | QThread] = []
    for kind in (QTimer, QThread):
        start = kind.start

        def recorded_start(self: QTimer | QThread, *args: object, start: Any = start) -> None:
            started.append(self)
            start(self, *args)

        monkeypatch.setattr(kind, "start", recorded_start)
    before = set(threading.enumerate())
    yield
    left = wait_until_empty(lambda: [*running(started), *own_threads(before)])
    assert not left, f"left behind: {left}"


def running(started: list[QTimer | QThread]) -> list[QTimer | QThread]:
    """Return the timers and threads that are still running."""
    alive = [each for each in started if isValid(each)]
    return [e for e in alive if (e.isActive() if isinstance(e, QTimer) else e.isRunning())]


def own_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return threads of the pipeline and of background tasks that were started since."""
    names = (THREAD_PREFIX, "pymaf-live window")
    return [e for e in threading.enumerate() if e not in before and e.name.startswith(names)]


def wait_until_empty(find: Callable[[], list[Any]]) -> list[Any]:
    """Wait until `find` returns an empty list, and return what is left after 15 s.

    On a busy machine, a model that is being opened takes its time.
    """
    until = time.monotonic() + 15.0
    while True:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        left = find()
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a take library of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "pymaf-live" / "takes"


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=60)


@pytest.fixture
def clip(clip_path: Path) -> SourceChoice:
    return SourceChoice("file", str(clip_path), clip_path.name)


@pytest.fixture
def open_window(
    qtbot: QtBot, qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenWindow]:
    apply_theme(qapp)  # type: ignore[arg-type]
    for module in ("main_window", "export_flow"):
        monkeypatch.setattr(f"ui.widgets.{module}.default_folder", lambda: tmp_path)
    opened: list[WindowParts] = []

    def open_(
        cameras: tuple[SourceChoice, ...] = (),
        options: PipelineOptions | None = None,
        real: bool = False,
        list_cameras: Callable[[], tuple[SourceChoice, ...]] | None = None,
        open_output: OpenOutput = lambda fill: None,
        **kinds: Any,
    ) -> WindowParts:
        state = WindowState()
        # tests that look for the body by its colour need all of it in the person's colour
        state.view.body_style.set("plain")
        open_estimator: EstimatorFactory = open_real_estimator if real else opener(**kinds)
        controller = ApplicationController(
            state,
            options,
            open_pipeline=lambda source, options: Pipeline(
                source, options, open_estimator=open_estimator
            ),
            list_cameras=list_cameras or (lambda: cameras),
            open_estimator=open_estimator,
            open_output=open_output,
        )
        parts = assemble(state, controller)
        opened.append(parts)
        with qtbot.waitExposed(parts.window):
            parts.window.show()
        return parts

    yield open_
    for parts in opened:
        # if a test failed during a batch, the window would ask whether to end it
        parts.controller.batch.close()
        parts.window.close()
        parts.window.deleteLater()


@pytest.fixture(scope="session")
def take_library(clip_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a library with one take of the clip."""
    library = TakeLibrary(tmp_path_factory.mktemp("library"))
    body, estimator, source = default_body(), StandingEstimator(), VideoSource(clip_path)
    take = library.begin(clip_path.name, clip_path)
    journal = TakeJournal(library.folder(take) / JOURNAL, body, source.facts, model="fake 0")
    for frame in source.frames():
        journal.add(estimator.estimate(frame))
    journal.close()
    finalize(library, take, FinalizeOptions(0.5, body))
    return library.root


@pytest.fixture
def take_window(
    open_window: OpenWindow, qtbot: QtBot, take_library: Path, own_data_folder: Path
) -> WindowParts:
    """Return a window with that take open."""
    shutil.copytree(take_library, own_data_folder)
    parts = open_window()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1)
    parts.window.windowHandle().requestActivate()
    qtbot.waitUntil(parts.window.isActiveWindow, timeout=5000)
    qtbot.keyClick(
        parts.window,
        Qt.Key.Key_T,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    return parts
