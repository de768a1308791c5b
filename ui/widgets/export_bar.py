"""Progress bar of a running export, with a Cancel button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from ui.state.export import ExportProgress, ExportState
from ui.widgets.progress_banner import ProgressBanner


class ExportBar(ProgressBanner):
    """Progress of an export; hidden while no export runs.

    Parameters
    ----------
    state : ExportState
    cancel : callable
        Cancels the export.
    parent : QWidget, optional
    """

    def __init__(
        self, state: ExportState, cancel: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__("the export", cancel, parent)
        state.progress.watch(self._on_progress_change)

    def _on_progress_change(self, progress: ExportProgress | None) -> None:
        self.setVisible(progress is not None)
        if progress is not None:
            self.show_progress(
                progress.text, progress.fraction, progress.seconds_left, stopping=progress.stopping
            )
