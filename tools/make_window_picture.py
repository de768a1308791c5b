"""Makes docs/window.png: the window playing the demo.

Needs a screen: ``xvfb-run -a -s "-screen 0 1400x900x24" python tools/make_window_picture.py``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PySide6.QtWidgets import QApplication

from ui.app import assemble
from ui.controllers.application import ApplicationController
from ui.state.source import SourceChoice
from ui.state.window import WindowState
from ui.system.theme import apply_theme

SECONDS_IN = 6.2


def main() -> None:
    """Play the demo (or the file given) for some seconds and keep what the screen shows."""
    application = QApplication(["pymaf-live"])
    apply_theme(application)
    state = WindowState()
    parts = assemble(state, ApplicationController(state))
    parts.window.show()
    given = SourceChoice.from_text(sys.argv[1]) if len(sys.argv) > 1 else state.demo.value
    if given is None:
        raise SystemExit("there is no demo to be shown")
    parts.window.open_choice(given)
    limit = time.monotonic() + 60
    while state.result.value is None or state.result.value.frame.time < SECONDS_IN:
        application.processEvents()
        time.sleep(0.002)
        if state.message.value is not None or time.monotonic() > limit:
            raise SystemExit((state.message.value and state.message.value.text) or "nothing came")
    picture = application.primaryScreen().grabWindow(parts.window.winId())
    picture.save(str(Path(__file__).with_name("window.png")))
    parts.window.close()


if __name__ == "__main__":
    main()
