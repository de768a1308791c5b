"""The window as a program: look, timer, settings, and a clean end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ui.system.display_check import screen_complaint

if TYPE_CHECKING:
    from ui.controllers.main import Controller
    from ui.state.window import WindowState
    from ui.widgets.main_window import MainWindow
    from ui.widgets.people_page import PeoplePage
    from ui.widgets.settings_feature import SettingsFeature
    from ui.widgets.take_feature import TakeFeature
    from ui.widgets.tools_feature import ToolsFeature
    from ui.widgets.view_feature import ViewFeature

_SWITCH_SECONDS = 0.0005
"""After which one Python thread lets another run; 5 ms by default."""


@dataclass
class WindowParts:
    """The assembled window."""

    state: WindowState
    controller: Controller
    window: MainWindow
    tools_feature: ToolsFeature
    take_feature: TakeFeature
    view_feature: ViewFeature
    settings_feature: SettingsFeature
    people_page: PeoplePage


def run_window(argv: Sequence[str] = ()) -> int:
    """Open the window and stay until it is closed.

    Parameters
    ----------
    argv : sequence of str
        What followed the program's name: a source to begin with, ``--model``, ``--backend``.

    Returns
    -------
    int
        Exit code: 0; 2 where there is no screen or the arguments are wrong, with one line said.
    """
    try:
        chosen = _arguments().parse_args(list(argv))
    except SystemExit as end:  # argparse has said why
        return int(end.code or 0)
    complaint = screen_complaint()
    if complaint is not None:
        print(f"pymaf-live: {complaint}", file=sys.stderr)
        return 2

    from PySide6.QtWidgets import QApplication

    from ui.controllers.main import Controller, options_from
    from ui.state.window import SourceChoice, WindowState
    from ui.system.crash_log import CrashLog, latest_crash_report
    from ui.system.settings_autosave import SettingsAutosave
    from ui.system.settings_binding import SettingsBinding
    from ui.system.theme import apply_theme

    _forget_foreign_plugins()
    application = QApplication.instance() or QApplication(["pymaf-live"])
    assert isinstance(application, QApplication)
    application.setApplicationName("PyMAF Live")
    application.setDesktopFileName("pymaf-live")
    state, binding = WindowState(), SettingsBinding()
    binding.apply(state)
    apply_theme(application, state.preferences.theme.value)
    state.preferences.crash_report.set(latest_crash_report())
    crash_log = CrashLog()
    crash_log.begin()
    options = options_from(binding.settings, chosen.model, chosen.backend)
    autosave = SettingsAutosave(binding)
    parts = assemble(state, Controller(state, options), on_close=autosave.end)
    binding.place(parts.window)
    autosave.begin(state, parts.window)
    # while models load, three threads run Python: waits of the window's own fell from 104 to 65 ms
    sys.setswitchinterval(_SWITCH_SECONDS)
    signal.signal(signal.SIGINT, lambda *_: parts.window.close())
    parts.window.show()
    if chosen.source:
        path = Path(chosen.source)
        # a relative name means another file when the window is opened elsewhere next time
        given = str(path.absolute()) if path.exists() else chosen.source
        parts.window.open_choice(SourceChoice.from_text(given))
    code = application.exec()
    crash_log.end()
    return code


def assemble(
    state: WindowState,
    controller: Controller,
    on_close: Callable[[WindowState, MainWindow], None] | None = None,
) -> WindowParts:
    """Put canvas, window and tick_timer together; nothing is shown yet.

    The window closes the controller, and with it every thread. `on_close` comes before that.
    """
    from ui.canvas.binding import CanvasBinding
    from ui.system.tick_timer import TickTimer
    from ui.widgets.main_window import MainWindow
    from ui.widgets.people_page import PeoplePage
    from ui.widgets.settings_feature import SettingsFeature
    from ui.widgets.take_feature import TakeFeature
    from ui.widgets.tools_feature import ToolsFeature
    from ui.widgets.view_feature import ViewFeature

    binding = CanvasBinding(state)

    def end() -> None:
        tick_timer.stop()
        if on_close is not None:
            on_close(state, window)
        controller.close()
        tools_feature.close()
        binding.close()

    window = MainWindow(state, controller, binding.widget, on_close=end)
    view_feature = ViewFeature(window, state)
    take_feature = TakeFeature(window, state, controller.takes)
    tools_feature = ToolsFeature(window, state, controller)
    settings_feature = SettingsFeature(window, state)
    people_page = PeoplePage(state, controller.people)
    window.side_panel.add_page("people", "People", people_page)
    tick_timer = TickTimer(controller.tick, lambda: controller.is_idle, window)
    state.phase.watch(tick_timer.wake)
    state.takes.playhead.watch(tick_timer.wake)
    tick_timer.start()
    controller.find_demo()
    controller.find_cameras()
    controller.find_last()
    controller.takes.find()
    return WindowParts(
        state,
        controller,
        window,
        tools_feature,
        take_feature,
        view_feature,
        settings_feature,
        people_page,
    )


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pymaf-live", description="Open the window.")
    parser.add_argument("source", nargs="?", help="a camera's number, a file or an address")
    parser.add_argument("--model")
    parser.add_argument("--backend")
    return parser


def _forget_foreign_plugins() -> None:
    """OpenCV's wheel points Qt to its own old plugins when it is imported first."""
    path = os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", "")
    if "cv2" in Path(path).parts:
        del os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"]
