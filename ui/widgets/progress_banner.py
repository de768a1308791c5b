"""Banner with the progress of background work and a Cancel button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QWidget

from ui.state.capture import CaptureProgress, CaptureState
from ui.widgets.formatting import time_left
from ui.widgets.responsive_row import ElidedLabel


class ProgressBanner(QFrame):
    """Text, progress and Cancel in one line.

    Parameters
    ----------
    name : str
        Name of the work for screen readers, as in 'the export'.
    cancel : callable
    parent : QWidget, optional
    """

    def __init__(
        self, name: str, cancel: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.text = ElidedLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(f"Progress of {name}")
        self.bar.setMinimumWidth(12 * self.fontMetrics().averageCharWidth())
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName(f"Cancel {name}")
        self.cancel.clicked.connect(lambda: cancel())
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 10, 10)
        row.setSpacing(12)
        row.addWidget(self.text)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)

    def show_progress(
        self, text: str, fraction: float | None, seconds_left: float | None, *, stopping: bool
    ) -> None:
        """Show the progress; a fraction of None means that the length is unknown."""
        left = "" if seconds_left is None else time_left(seconds_left)
        self.text.setText("  ".join(part for part in (text, left) if part))
        # a bar without a maximum is animated
        self.bar.setRange(0, 0 if fraction is None else 1000)
        self.bar.setValue(round(1000 * (fraction or 0.0)))
        self.cancel.setEnabled(not stopping)


class CaptureBanner(ProgressBanner):
    """Progress of the capture of a video; hidden while nothing is captured.

    Parameters
    ----------
    state : CaptureState
    cancel : callable
        Cancels the capture.
    parent : QWidget, optional
    """

    def __init__(
        self, state: CaptureState, cancel: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__("the capture", cancel, parent)
        state.progress.watch(self._on_progress_change)

    def _on_progress_change(self, progress: CaptureProgress | None) -> None:
        self.setVisible(progress is not None)
        if progress is not None:
            text = f"Capturing {progress.video.name}: {progress.text}"
            self.show_progress(
                text, progress.fraction, progress.seconds_left, stopping=progress.stopping
            )
