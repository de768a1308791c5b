from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import OpenWindow
from tests.ui.model_steps import open_named_pipeline
from ui.app import WindowParts


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> WindowParts:
    """Return a window that shows the models page, with estimators named after their model."""
    opened = open_window()
    monkeypatch.setattr(opened.controller.opener, "open_pipeline", open_named_pipeline)
    opened.tools_feature.models.trigger()
    qtbot.waitUntil(opened.tools_feature.model_page.isVisible)
    qtbot.waitUntil(lambda: bool(opened.state.models.backends.value), timeout=10_000)
    return opened
