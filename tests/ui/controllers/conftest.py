from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.sources.video import VideoSource
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import StandingEstimator
from tests.ui.helpers import activate
from tests.ui.model_steps import open_named_pipeline
from ui.app import WindowParts


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
    activate(parts, qtbot)
    qtbot.keyClick(
        parts.window,
        Qt.Key.Key_T,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=10_000)
    return parts


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> WindowParts:
    """Return a window that shows the models page, with estimators named after their model."""
    opened = open_window()
    monkeypatch.setattr(opened.controller.opener, "open_pipeline", open_named_pipeline)
    opened.tools_feature.models.trigger()
    qtbot.waitUntil(opened.tools_feature.model_page.isVisible)
    qtbot.waitUntil(lambda: bool(opened.state.models.backends.value), timeout=10_000)
    return opened
