"""Export of takes: which ones, the dialog, and the start."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from ui.state.commands import Commands
from ui.state.export import all_formats
from ui.state.provenance import provenance_of
from ui.state.window import TakePhase, WindowState
from ui.widgets.export_dialog import ExportDialog, ExportRequest
from ui.widgets.folders import default_folder


class ExportFlow:
    """Asks how to export takes and starts the export.

    Parameters
    ----------
    window : QWidget
        Parent of the dialog.
    state : WindowState
    commands : Commands
    capture : QAction
        Captures the whole video that the open take was recorded from.
    """

    def __init__(
        self, window: QWidget, state: WindowState, commands: Commands, capture: QAction
    ) -> None:
        self._window = window
        self._state = state
        self._commands = commands
        self._capture = capture

    def start(self) -> None:
        """Export the open take, else the takes selected in the list, else the last recording."""
        takes = self._state.takes
        ready = self._state.take.value.phase is TakePhase.READY
        if takes.opened.value is None and not ready and takes.selected.value:
            self.start_for(takes.selected.value)
        elif ready:
            self.start_for(())

    def start_for(self, takes: tuple[str, ...]) -> None:
        """Ask for file names and formats, and export takes.

        Parameters
        ----------
        takes : tuple of str
            Ids of the takes; empty: the open one, else the latest recording.
        """
        if self._state.take.value.phase not in (TakePhase.NONE, TakePhase.READY):
            return
        names = {each.id: each.about.name for each in self._state.takes.entries.value}
        opened = self._state.takes.opened.value
        source = self._state.source.value
        name = Path(source.text).stem if source and source.kind != "camera" else "take"
        if len(takes) == 1:
            name = names.get(takes[0], name)
        elif opened is not None and not takes:
            name = opened.stored.about.name
        # take names may contain characters that file names may not
        name = re.sub(r'[<>:"/\\|?*]', "_", name).strip(" .") or "take"
        several = tuple(names.get(take, take) for take in takes) if len(takes) > 1 else ()
        folder = self._state.export.folder.value or default_folder()
        request = self.ask(name, folder, several)
        if request is not None:
            self._state.export.folder.set(request.stem.parent)
            self._commands.export.start(
                request.stem,
                request.formats,
                request.force,
                request.options,
                takes,
                video=request.video,
                transparent_video=request.transparent_video,
            )

    def ask(self, name: str, folder: Path, several: tuple[str, ...] = ()) -> ExportRequest | None:
        """Show the export dialog; return None if it was cancelled.

        Parameters
        ----------
        name : str
            Initial file name.
        folder : Path
        several : tuple of str
            Names of the takes where several are exported, each by its own name.
        """
        export = self._state.export
        dialog = ExportDialog(
            export.available.value or all_formats(),
            name,
            folder,
            export.formats.value,
            export.options.value,
            self._window,
            people=tuple(self._state.people.names.value.values()),
            several=several,
            video=export.video.value,
            transparent_video=export.transparent_video.value,
        )
        dialog.show_presets(export.presets)
        opened = self._state.takes.opened.value
        if opened is not None and not several:
            dialog.show_origin(provenance_of(opened.stored), self._capture)
        return dialog.request() if dialog.exec() == ExportDialog.DialogCode.Accepted else None
