"""Save the settings while the window runs, so that a crash loses none."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, QTimer

from ui.state.window import WindowState
from ui.system.settings_binding import SettingsBinding
from ui.system.task_runner import TaskRunner

_INTERVAL_MS = 500
"""Time between two checks: dragging a slider writes twice per second, not at every pixel."""

_log = logging.getLogger(__name__)


class SettingsAutosave:
    """Writes changed settings in a thread.

    Parameters
    ----------
    binding : SettingsBinding
    state : WindowState
    """

    def __init__(self, binding: SettingsBinding, state: WindowState) -> None:
        self._binding = binding
        self._state = state
        self._tasks = TaskRunner()
        self._timer: QTimer | None = None
        self._writing = False

    def start(self, parent: QObject) -> None:
        """Check for changes from now on; the timer belongs to `parent`."""
        self._timer = QTimer(parent)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._check)
        self._timer.start()

    def stop(self) -> None:
        """Stop checking and write what is left."""
        if self._timer is not None:
            self._timer.stop()
        self._binding.save(self._state)

    def _check(self) -> None:
        self._tasks.process_results()
        if self._writing:
            return
        write = self._binding.pending_write(self._state)
        if write is not None:
            self._writing = True
            self._tasks.submit("settings", write, self._on_written, self._on_failed)

    def _on_written(self, _: None) -> None:
        self._writing = False

    def _on_failed(self, error: Exception) -> None:
        self._writing = False
        _log.error("the settings were not saved", exc_info=error)
