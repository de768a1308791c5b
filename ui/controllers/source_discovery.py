"""Find the sources that the start page offers: cameras, the demo and the last file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pymaf_live.errors import PymafLiveError
from pymaf_live.resources import resource
from ui.controllers.cameras import camera_nodes
from ui.controllers.messages import Messages
from ui.controllers.open_paths import choices_of
from ui.state.window import Phase, SourceChoice, WindowState
from ui.system.task_runner import TaskRunner

_CAMERA_INTERVAL = 1.0
"""Seconds between two checks for connected cameras while no source is open."""


class SourceDiscovery:
    """Lists cameras, also as they are plugged in, and offers the demo and the last file.

    Parameters
    ----------
    state : WindowState
        Written here: `cameras`, `demo` and `sources.recent`.
    tasks : TaskRunner
    list_cameras : callable
        Returns the cameras of this machine; may take a second.
    messages : Messages
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        list_cameras: Callable[[], tuple[SourceChoice, ...]],
        messages: Messages,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._list_cameras = list_cameras
        self._messages = messages
        self._camera_nodes = camera_nodes()
        self._next_check = 0.0

    def find_cameras(self) -> None:
        """List the cameras; the state's list is None until they are known."""
        self._state.cameras.set(None)
        self._tasks.submit(
            "cameras", self._list_cameras, self._state.cameras.set, self._on_cameras_failed
        )

    def find_demo(self) -> None:
        """Offer the demo if it is installed."""
        try:
            path = resource("demo.mp4")
        except PymafLiveError:
            self._state.demo.set(None)
        else:
            self._state.demo.set(SourceChoice("demo", str(path), "Demo"))

    def find_recent(self) -> None:
        """Offer the source of the last run if it is a stream, or a file that still exists."""
        last = self._state.sources.last_choice.value
        text = last.text if last is not None else ""

        def work() -> SourceChoice | None:
            if "://" in text:
                return SourceChoice("stream", text, text)
            path = Path(text)
            return choices_of([path])[0] if path.is_absolute() and path.exists() else None

        if text:
            self._tasks.submit(
                "recent source", work, self._state.sources.recent.set, lambda _: None
            )

    def tick(self) -> None:
        """Look for cameras that were plugged in or removed while no source is open."""
        now = time.monotonic()
        if self._state.phase.value is not Phase.EMPTY or now < self._next_check:
            return
        self._next_check = now + _CAMERA_INTERVAL
        nodes = camera_nodes()
        if nodes != self._camera_nodes:
            self._camera_nodes = nodes
            self.find_cameras()

    def _on_cameras_failed(self, error: Exception) -> None:
        self._state.cameras.set(())
        self._messages.error(error)
