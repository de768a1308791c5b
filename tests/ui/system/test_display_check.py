"""Check for a display before the window opens."""

from __future__ import annotations

import pytest

from ui.app import run_window
from ui.system.display_check import display_error

pytestmark = pytest.mark.window


@pytest.mark.parametrize("environment", [{}, {"DISPLAY": ":987"}])
def test_without_a_display_one_line_suggests_process(environment: dict[str, str]) -> None:
    line = display_error(environment)
    assert line is not None
    assert "\n" not in line
    assert "process" in line


def test_without_a_display_the_exit_code_is_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert run_window([]) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert "process" in message
