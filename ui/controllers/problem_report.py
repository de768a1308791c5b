"""Collect what a report of a problem needs: version, system and the checks of `doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymaf_live.system.child_process import run_in_child
from pymaf_live.system.reporter import Reporter
from ui.controllers.messages import Messages
from ui.state.commands import ReportCommands
from ui.state.window import WindowState
from ui.system.task import Task
from ui.system.task_runner import TaskRunner


class ReportController(ReportCommands):
    """Runs the checks in a process of its own and shows their results.

    Parameters
    ----------
    state : WindowState
        Its `report` is written here.
    tasks : TaskRunner
    messages : Messages
    """

    def __init__(self, state: WindowState, tasks: TaskRunner, messages: Messages) -> None:
        self._state = state
        self._tasks = tasks
        self._messages = messages
        self._task = Task()

    def collect(self) -> None:
        """See `ReportCommands.collect`."""
        self._messages.note("Checking this computer for the report…")
        self._task = task = Task()

        def done(text: str) -> None:
            self._messages.clear()
            self._state.report.set(text)

        self._tasks.submit(
            "report",
            lambda: run_in_child(report_text, None, None, task),
            done,
            self._messages.error,
        )

    def close(self) -> None:
        """End the checks: the window is closing."""
        self._task.abandon()


def report_text(_: Any, __: Any, reporter: Reporter) -> str:
    """Return the report; the user's home folder is written as '~'."""
    import platform

    import pymaf_live
    from pymaf_live.diagnostics.doctor import run_checks

    lines = [
        f"PyMAF Live {pymaf_live.__version__}, Python {platform.python_version()}, "
        f"{platform.platform()}",
        "",
    ]
    for check in run_checks():
        remedy = f" ({check.remedy})" if check.remedy else ""
        lines.append(f"{check.name}: {check.state}: {check.detail}{remedy}")
    lines += ["", "Describe here what you did, what happened, and what you expected."]
    return "\n".join(lines).replace(str(Path.home()), "~")
