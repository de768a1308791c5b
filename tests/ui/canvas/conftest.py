from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body, default_body
from tests.ui.conftest import OpenWindow
from tests.ui.helpers import open_synthetic
from ui.app import WindowParts


@pytest.fixture(scope="session")
def body() -> Body:
    return default_body()


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    """Return a window whose results are set by the test."""
    return open_synthetic(open_window, qtbot)
