"""Settings are written as they change, so that a run that is killed loses none."""

from __future__ import annotations

import logging

from PySide6.QtCore import QTimer

from ui.state.window import WindowState
from ui.system.settings_binding import SettingsBinding
from ui.system.task_runner import TaskRunner
from ui.widgets.main_window import MainWindow

_MILLISECONDS = 500
"""Between two looks: a slider that is dragged is written twice a second, not at every pixel."""

_log = logging.getLogger(__name__)


class SettingsAutosave:
    """Has the binding write what a person changed, in a thread, for a disk may be slow.

    Parameters
    ----------
    binding : SettingsBinding
    """

    def __init__(self, binding: SettingsBinding) -> None:
        self._binding = binding
        self._tasks = TaskRunner()
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
        self._binding.save(state, window)

    def _look(self, state: WindowState, window: MainWindow) -> None:
        self._tasks.process_results()
        if self._busy:
            return
        work = self._binding.pending_write(state, window)
        if work is not None:
            self._busy = True
            self._tasks.submit("settings", work, self._on_written, self._on_failed)

    def _on_written(self, _: None) -> None:
        self._busy = False

    def _on_failed(self, error: Exception) -> None:
        self._busy = False
        _log.error("the settings were not kept", exc_info=error)
