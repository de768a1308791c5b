"""Progress bar of a running export, with a Cancel button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from ui.state.export import ExportProgress, ExportState
from ui.widgets.formatting import time_left


class ExportBar(QFrame):
    """Text, progress and Cancel in one line; hidden while no export runs.

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
        super().__init__(parent)
        self.setObjectName("message")
        self.text = QLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the export")
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel the export")
        self.cancel.clicked.connect(cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 10, 10)
        row.setSpacing(12)
        row.addWidget(self.text)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        state.progress.watch(self._on_progress_change)

    def _on_progress_change(self, progress: ExportProgress | None) -> None:
        self.setVisible(progress is not None)
        if progress is None:
            return
        left = progress.seconds_left
        self.text.setText(progress.text if left is None else f"{progress.text}  {time_left(left)}")
        self.bar.setValue(round(1000 * progress.fraction))
        self.cancel.setEnabled(not progress.stopping)
