"""How far an export is, and a way to end it; nothing while none goes on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from ui.state.export import ExportProgress, ExportState


class ExportBar(QFrame):
    """Text, progress and Cancel in one line."""

    def __init__(
        self, state: ExportState, cancel: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.text = QLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How far the export is")
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


def time_left(seconds: float) -> str:
    """'12 s left', '3 min left', '1 h 20 min left'."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min left"
    return f"{minutes // 60} h {minutes % 60} min left"
