"""Assemble the window and run it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ui.system.display_check import display_error

if TYPE_CHECKING:
    from ui.controllers.application import ApplicationController
    from ui.state.window import WindowState
    from ui.widgets.help_feature import HelpFeature
    from ui.widgets.main_window import MainWindow
    from ui.widgets.people_page import PeoplePage
    from ui.widgets.screen_feature import ScreenFeature
    from ui.widgets.settings_feature import SettingsFeature
    from ui.widgets.take_feature import TakeFeature
    from ui.widgets.tools_feature import ToolsFeature
    from ui.widgets.view_feature import ViewFeature
    from ui.widgets.virtual_camera_feature import VirtualCameraFeature

_SWITCH_INTERVAL = 0.0005
"""Seconds after which a Python thread yields to another; Python's default is 5 ms."""


@dataclass
class WindowParts:
    """The assembled window."""

    state: WindowState
    controller: ApplicationController
    window: MainWindow
    tools_feature: ToolsFeature
    take_feature: TakeFeature
    view_feature: ViewFeature
    settings_feature: SettingsFeature
    help_feature: HelpFeature
    people_page: PeoplePage
    screen_feature: ScreenFeature
    virtual_camera: VirtualCameraFeature


def run_window(argv: Sequence[str] = ()) -> int:
    """Open the window and return once it is closed.

    Parameters
    ----------
    argv : sequence of str
        Arguments after the program's name: a source to open, ``--model``, ``--backend``.

    Returns
    -------
    int
        Exit code: 0, or 2 if there is no display or the arguments are invalid; the reason is
        printed in one line.
    """
    try:
        arguments = _parser().parse_args(list(argv))
    except SystemExit as end:  # argparse has printed the reason
        return int(end.code or 0)
    error = display_error()
    if error is not None:
        print(f"pymaf-live: {error}", file=sys.stderr)
        return 2

    from PySide6.QtWidgets import QApplication

    from pymaf_live.pipeline.options import pipeline_options
    from ui.controllers.application import ApplicationController
    from ui.state.window import SourceChoice, WindowState
    from ui.system.crash_log import CrashLog, latest_crash_report
    from ui.system.settings_autosave import SettingsAutosave
    from ui.system.settings_binding import SettingsBinding
    from ui.system.theme import apply_theme
    from ui.system.window_geometry import WindowGeometry

    _unset_opencv_plugins()
    application = QApplication.instance() or QApplication(["pymaf-live"])
    assert isinstance(application, QApplication)
    application.setApplicationName("PyMAF Live")
    application.setDesktopFileName("pymaf-live")
    state, binding = WindowState(), SettingsBinding()
    binding.apply(state)
    apply_theme(application, state.preferences.theme.value)
    state.preferences.crash_report.set(latest_crash_report())
    crash_log = CrashLog()
    crash_log.start()
    options = pipeline_options(binding.settings, model=arguments.model, backend=arguments.backend)
    autosave = SettingsAutosave(binding, state)
    parts = assemble(state, ApplicationController(state, options), on_close=autosave.stop)
    window = parts.window
    WindowGeometry(window, state.view.window_geometry)
    autosave.start(window)
    # while models load, three Python threads run: the window's longest wait fell from 104 to 65 ms
    sys.setswitchinterval(_SWITCH_INTERVAL)
    _close_on_signals(window)
    window.show()
    if arguments.source:
        path = Path(arguments.source)
        # stored in the settings, where a relative path would depend on the working directory
        text = str(path.absolute()) if path.exists() else arguments.source
        window.open_choice(SourceChoice.from_text(text))
    exit_code = application.exec()
    crash_log.stop()
    return exit_code


def _close_on_signals(window: MainWindow) -> None:
    """Close the window as by its button on Ctrl-C, unasked when the system ends the program."""
    signal.signal(signal.SIGINT, lambda *_: window.close())
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: window.close_unasked())


def assemble(
    state: WindowState,
    controller: ApplicationController,
    on_close: Callable[[], None] | None = None,
) -> WindowParts:
    """Connect canvas, window and timer without showing them.

    Parameters
    ----------
    state : WindowState
    controller : ApplicationController
        Closed with the window, which ends all threads.
    on_close : callable, optional
        Called first when the window closes.
    """
    from ui.canvas.binding import CanvasBinding
    from ui.system.space_key import SpaceKey
    from ui.system.tick_timer import TickTimer
    from ui.widgets.help_feature import HelpFeature
    from ui.widgets.main_window import MainWindow
    from ui.widgets.people_page import PeoplePage
    from ui.widgets.screen_feature import ScreenFeature
    from ui.widgets.settings_feature import SettingsFeature
    from ui.widgets.take_feature import TakeFeature
    from ui.widgets.tools_feature import ToolsFeature
    from ui.widgets.view_feature import ViewFeature
    from ui.widgets.virtual_camera_feature import VirtualCameraFeature

    canvas = CanvasBinding(state)

    def close() -> None:
        timer.stop()
        if on_close is not None:
            on_close()
        controller.close()
        parts.tools_feature.close()
        parts.virtual_camera.close()
        canvas.close()

    window = MainWindow(state, controller, canvas.widget, on_close=close)
    view_feature = ViewFeature(window, state)
    take_feature = TakeFeature(window, state, controller)
    tools_feature = ToolsFeature(window, state, controller)
    settings_feature = SettingsFeature(window, state)
    screen_feature = ScreenFeature(window, state)
    virtual_camera = VirtualCameraFeature(window, state)
    help_feature = HelpFeature(window, state, controller)
    SpaceKey(window)
    people_page = PeoplePage(state, controller.people)
    window.side_panel.add_page("people", "People", people_page)
    last_choice = state.sources.last_choice.value
    if last_choice is not None:
        window.start_page.prefer_camera(last_choice.text)
    timer = TickTimer(controller.tick, lambda: controller.is_idle, window)
    state.phase.watch(timer.wake)
    state.takes.playhead.watch(timer.wake)
    timer.start()
    controller.start()
    parts = WindowParts(
        state,
        controller,
        window,
        tools_feature,
        take_feature,
        view_feature,
        settings_feature,
        help_feature,
        people_page,
        screen_feature,
        virtual_camera,
    )
    return parts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pymaf-live", description="Open the window.")
    parser.add_argument("source", nargs="?", help="camera number, file or address to open")
    parser.add_argument("--model", help="name or file of the model")
    parser.add_argument("--backend", help="inference back-end")
    return parser


def _unset_opencv_plugins() -> None:
    """Keep Qt from loading the plugins in OpenCV's wheel, which sets a variable on import."""
    path = os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", "")
    if "cv2" in Path(path).parts:
        del os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"]
