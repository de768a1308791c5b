"""Settings are written as they change, so that a run that is killed loses none."""

from __future__ import annotations

import logging

from PySide6.QtCore import QTimer

from ui.state.window import WindowState
from ui.system.settings_binding import Memory
from ui.system.task_runner import Errands
from ui.widgets.main_window import MainWindow

_MILLISECONDS = 500
"""Between two looks: a slider that is dragged is written twice a second, not at every pixel."""

_log = logging.getLogger(__name__)


class Keeping:
    """Has the memory write what a person changed, in a thread, for a disk may be slow.

    Parameters
    ----------
    memory : Memory
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._errands = Errands()
        self._timer: QTimer | None = None
        self._busy = False

    def begin(self, state: WindowState, window: MainWindow) -> None:
        """Look from now on at what has changed."""
        self._timer = QTimer(window)
        self._timer.setInterval(_MILLISECONDS)
        self._timer.timeout.connect(lambda: self._look(state, window))
        self._timer.start()

    def end(self, state: WindowState, window: MainWindow) -> None:
        """Write what is left; the window closes."""
        if self._timer is not None:
            self._timer.stop()
        self._memory.keep(state, window)

    def _look(self, state: WindowState, window: MainWindow) -> None:
        self._errands.collect()
        if self._busy:
            return
        work = self._memory.writing(state, window)
        if work is not None:
            self._busy = True
            self._errands.run("settings", work, self._on_written, self._on_failed)

    def _on_written(self, _: None) -> None:
        self._busy = False

    def _on_failed(self, error: Exception) -> None:
        self._busy = False
        _log.error("the settings were not kept", exc_info=error)
