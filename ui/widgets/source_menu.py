"""Menu of sources: cameras and their modes, files, network streams, the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QMenu, QWidget

from ui.state.source import SourceChoice
from ui.state.window import WindowState
from ui.widgets.actions import Actions
from ui.widgets.icons import icon


class SourceMenu(QMenu):
    """Menu with cameras, each with its sizes and frame rates, above the shared actions.

    Parameters
    ----------
    state : WindowState
    actions : Actions
    open_choice : callable
        Opens a source.
    find_cameras : callable
        Searches for cameras.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: WindowState,
        actions: Actions,
        open_choice: Callable[[SourceChoice], None],
        find_cameras: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("&Source", parent)
        self._open_choice = open_choice
        self._find_cameras = find_cameras
        self.cameras = QMenu("&Camera", self)
        self.cameras.setIcon(icon("camera"))
        self.addMenu(self.cameras)
        self.addActions([actions.open_file, actions.open_folder, actions.open_address])
        self.recent = QMenu("&Recent files", self)
        self.addMenu(self.recent)
        self.addAction(actions.demo)
        self.addSeparator()
        self.addActions([actions.next_file, actions.previous_file])
        self.addSeparator()
        self.addActions([actions.close_source, actions.quit])
        state.cameras.watch(self._on_cameras_change)
        state.sources.recent_files.watch(self._on_recent_change)

    def _on_cameras_change(self, cameras: tuple[SourceChoice, ...] | None) -> None:
        self.cameras.clear()
        for camera in cameras or ():
            if not camera.modes:
                self._add(self.cameras, camera, camera.title)
                continue
            modes = self.cameras.addMenu(camera.title)
            self._add(modes, camera, "Automatic")
            modes.addSeparator()
            for mode in camera.modes:
                self._add(modes, mode, mode.title.removeprefix(f"{camera.title}, "))
        if not cameras:
            text = "Searching for cameras…" if cameras is None else "No camera found"
            self.cameras.addAction(text).setEnabled(False)
        self.cameras.addSeparator()
        self.cameras.addAction("Refresh").triggered.connect(lambda: self._find_cameras())

    def _on_recent_change(self, files: tuple[Path, ...]) -> None:
        self.recent.clear()
        self.recent.setEnabled(bool(files))
        for file in files:
            choice = SourceChoice.from_path(file)
            # an ampersand would mark a key
            self._add(self.recent, choice, f"{file.name}  ({file.parent.name})".replace("&", "&&"))

    def _add(self, menu: QMenu, choice: SourceChoice, text: str) -> None:
        entry = menu.addAction(text)
        entry.setStatusTip(f"Open {choice.title}")
        entry.triggered.connect(lambda: self._open_choice(choice))
