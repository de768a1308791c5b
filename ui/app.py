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
class Parts:
    """The assembled window."""

    state: WindowState
    controller: Controller
    window: MainWindow
    tools: ToolsFeature
    take_tools: TakeFeature
    view_tools: ViewFeature
    care: SettingsFeature
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
    from ui.state.window import WindowState
    from ui.system.crash_log import RunLog, last_bad_end
    from ui.system.settings_autosave import Keeping
    from ui.system.settings_binding import Memory
    from ui.system.theme import dress
    from ui.widgets.main_window import choice_of

    _forget_foreign_plugins()
    application = QApplication.instance() or QApplication(["pymaf-live"])
    assert isinstance(application, QApplication)
    application.setApplicationName("PyMAF Live")
    application.setDesktopFileName("pymaf-live")
    state, memory = WindowState(), Memory()
    memory.recall(state)
    dress(application, state.preferences.theme.value)
    state.preferences.bad_end.set(last_bad_end())
    run_log = RunLog()
    run_log.begin()
    options = options_from(memory.settings, chosen.model, chosen.backend)
    keeping = Keeping(memory)
    parts = assemble(state, Controller(state, options), on_close=keeping.end)
    memory.place(parts.window)
    keeping.begin(state, parts.window)
    # while models load, three threads run Python: waits of the window's own fell from 104 to 65 ms
    sys.setswitchinterval(_SWITCH_SECONDS)
    signal.signal(signal.SIGINT, lambda *_: parts.window.close())
    parts.window.show()
    if chosen.source:
        path = Path(chosen.source)
        # a relative name means another file when the window is opened elsewhere next time
        given = str(path.absolute()) if path.exists() else chosen.source
        parts.window.open_choice(choice_of(given))
    code = application.exec()
    run_log.end()
    return code


def assemble(
    state: WindowState,
    controller: Controller,
    on_close: Callable[[WindowState, MainWindow], None] | None = None,
) -> Parts:
    """Put canvas, window and pulse together; nothing is shown yet.

    The window closes the controller, and with it every thread. `on_close` comes before that.
    """
    from ui.canvas.binding import CanvasBinding
    from ui.system.tick_timer import Pulse
    from ui.widgets.main_window import MainWindow
    from ui.widgets.people_page import PeoplePage
    from ui.widgets.settings_feature import SettingsFeature
    from ui.widgets.take_feature import TakeFeature
    from ui.widgets.tools_feature import ToolsFeature
    from ui.widgets.view_feature import ViewFeature

    binding = CanvasBinding(state)

    def end() -> None:
        pulse.stop()
        if on_close is not None:
            on_close(state, window)
        controller.close()
        tools.close()
        binding.close()

    window = MainWindow(state, controller, binding.widget, on_close=end)
    view_tools = ViewFeature(window, state)
    take_tools = TakeFeature(window, state, controller.takes)
    tools = ToolsFeature(window, state, controller)
    care = SettingsFeature(window, state)
    people_page = PeoplePage(state, controller.people)
    window.side_panel.add_page("people", "People", people_page)
    pulse = Pulse(controller.tick, lambda: controller.at_rest, window)
    state.phase.watch(pulse.quicken)
    state.takes.look.watch(pulse.quicken)
    pulse.start()
    controller.find_demo()
    controller.find_cameras()
    controller.find_last()
    controller.takes.find()
    return Parts(state, controller, window, tools, take_tools, view_tools, care, people_page)


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
