"""Take the screenshot of the window for the documentation.

Needs a display; without one, run it under Xvfb::

    xvfb-run -a -s "-screen 0 1400x900x24" python tools/make_window_screenshot.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PySide6.QtWidgets import QApplication

from ui.app import assemble
from ui.controllers.application import ApplicationController
from ui.state.source import SourceChoice
from ui.state.window import WindowState
from ui.system.theme import apply_theme

_TARGET = Path(__file__).resolve().parents[1] / "docs" / "window.png"
_TIME = 6.2
"""Seconds into the source at which the screenshot is taken."""
_TIMEOUT = 60.0
"""Seconds to wait for that frame."""


def main() -> None:
    """Play the demo or a given source and save a screenshot of the window."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", nargs="?", help="file, camera or address; default: the demo")
    parser.add_argument("--out", type=Path, default=_TARGET, help="PNG file to write")
    parser.add_argument("--time", type=float, default=_TIME, help="seconds into the source")
    parser.add_argument("--page", help="side panel page to open, for example 'takes'")
    arguments = parser.parse_args()

    application = QApplication(["pymaf-live"])
    apply_theme(application)
    state = WindowState()
    parts = assemble(state, ApplicationController(state))
    parts.window.show()
    source = SourceChoice.from_text(arguments.source) if arguments.source else state.demo.value
    if source is None:
        raise SystemExit("The demo video is missing. Pass a source.")
    if arguments.page:
        parts.window.side_panel.show_page(arguments.page)
    parts.window.open_choice(source)
    deadline = time.monotonic() + _TIMEOUT
    while state.result.value is None or state.result.value.frame.time < arguments.time:
        application.processEvents()
        time.sleep(0.002)
        if state.message.value is not None:
            raise SystemExit(state.message.value.text)
        if time.monotonic() > deadline:
            raise SystemExit(f"No frame at {arguments.time:g} s within {_TIMEOUT:g} s")
    image = application.primaryScreen().grabWindow(parts.window.winId())
    image.save(str(arguments.out))
    parts.window.close()


if __name__ == "__main__":
    main()
