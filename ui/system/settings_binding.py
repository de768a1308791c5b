"""What the window remembers from one run to the next."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pydantic import ValidationError
from PySide6.QtCore import QRect
from PySide6.QtGui import QGuiApplication

from pymaf_live.errors import OutputError
from pymaf_live.settings import Settings, load_settings, save_settings
from ui.state.export import options_from, settings_of
from ui.state.source import SourceChoice
from ui.state.view import Layout
from ui.state.window import Message, WindowState
from ui.widgets.main_window import MainWindow

_log = logging.getLogger(__name__)


class SettingsBinding:
    """Puts the settings into a new window, and what a person changed back into the settings."""

    def __init__(self) -> None:
        self.settings, self._notice = load_settings()
        self._writing = threading.Lock()
        self._wishes = 0
        self._written = 0
        self._refused = False

    def apply(self, state: WindowState) -> None:
        """Set the state as it was left."""
        state.opacity.set(self.settings.opacity)
        state.skeleton.set(self.settings.skeleton)
        state.loop.set(self.settings.repeat)
        state.mirror_cameras.set(self.settings.mirror)
        state.sources.remembered.set(self.settings.source)
        state.preferences.theme.set(self.settings.theme)
        state.preferences.smoothing.set(self.settings.smoothing)
        state.preferences.fov.set(self.settings.fov)
        state.people.max_people.set(self.settings.people or 0)
        state.preferences.hints.set(not self.settings.hints_seen)
        state.view.layout.set(Layout(self.settings.layout))
        state.view.mesh.set(self.settings.body)
        state.view.points.set(self.settings.points)
        state.view.box.set(self.settings.box)
        state.view.ghost.set(self.settings.ghost)
        state.view.page.set(self.settings.panel_page)
        state.view.panel_width.set(self.settings.panel_width)
        state.view.panel.set(self.settings.panel)
        state.takes.count_down.set(self.settings.count_down)
        state.takes.pre_roll.set(self.settings.pre_roll)
        state.live_out.address.set(self.settings.live_out)
        # it was kept because it was agreed to
        state.live_out.allowed.set(frozenset({self.settings.live_out}))
        state.models.files.set(tuple(str(each) for each in self.settings.model_files))
        state.export.chosen.set(self.settings.export.formats)
        state.export.options.set(options_from(self.settings.export))
        folder = self.settings.batch_folder
        state.batch.folder.set(folder if folder is not None and folder.is_dir() else None)
        if self._notice:
            state.message.set(Message("note", self._notice))

    def place(self, window: MainWindow) -> None:
        """Put the window where it was, if that is still on a screen."""
        if self.settings.window is not None:
            place = QRect(*self.settings.window)
            screens = QGuiApplication.screens()
            if any(screen.availableGeometry().contains(place.center()) for screen in screens):
                window.setGeometry(place)
        window.last_choice = SourceChoice.from_text(self.settings.source)
        window.start_page.prefer_camera(self.settings.source)
        if self.settings.out_folder.is_dir():
            window.export_folder = self.settings.out_folder

    def save(self, state: WindowState, window: MainWindow) -> None:
        """Write the settings; that they cannot be written is no reason not to close."""
        work = self.pending_write(state, window, again=True)
        if work is not None:
            work()

    def pending_write(
        self, state: WindowState, window: MainWindow, *, again: bool = False
    ) -> Callable[[], None] | None:
        """What writes the settings as they are now, in any thread; None if they are kept.

        An older one that comes after a newer one does nothing. Where they could not be written
        they are tried anew when they change, or with `again`.
        """
        changes = self._changes(state, window)
        try:
            settings = Settings.model_validate({**self.settings.model_dump(), **changes})
        except ValidationError as error:
            _log.warning("the settings were not kept: %s", error)
            return None
        if settings == self.settings and not (again and self._refused):
            return None
        self.settings = settings
        self._wishes += 1
        number = self._wishes

        def write() -> None:
            with self._writing:
                if number < self._written:
                    return
                self._written = number
                try:
                    save_settings(settings)
                    self._refused = False
                except OutputError as error:
                    self._refused = True
                    _log.warning("the settings were not kept: %s", error)

        return write

    @staticmethod
    def _changes(state: WindowState, window: MainWindow) -> dict[str, object]:
        place = window.normalGeometry()
        changes: dict[str, object] = {
            "opacity": state.opacity.value,
            "skeleton": state.skeleton.value,
            "repeat": state.loop.value,
            "mirror": state.mirror_cameras.value,
            "theme": state.preferences.theme.value,
            "smoothing": state.preferences.smoothing.value,
            "fov": state.preferences.fov.value,
            "people": state.people.max_people.value or None,
            "hints_seen": True,
            "layout": state.view.layout.value.value,
            "body": state.view.mesh.value,
            "points": state.view.points.value,
            "box": state.view.box.value,
            "ghost": state.view.ghost.value,
            "panel": state.view.panel.value,
            "panel_page": state.view.page.value,
            "panel_width": state.view.panel_width.value,
            "count_down": state.takes.count_down.value,
            "pre_roll": state.takes.pre_roll.value,
            "window": (place.x(), place.y(), place.width(), place.height()),
        }
        if state.models.picked.value:  # --model and --backend are for this time alone
            changes["model"] = state.models.model.value
            changes["backend"] = state.models.backend.value
            changes["model_files"] = state.models.files.value
        kept = settings_of(state.export.chosen.value, state.export.options.value)
        changes["export"] = kept.model_dump()
        changes["batch_folder"] = state.batch.folder.value
        address = state.live_out.agreed_address
        if address is not None:
            changes["live_out"] = address
        if window.last_choice is not None and window.last_choice.kind != "demo":
            from pymaf_live.sources.stream import without_password  # loads OpenCV

            changes["source"] = without_password(window.last_choice.text)
        if window.export_folder is not None:
            changes["out_folder"] = window.export_folder
        return changes
