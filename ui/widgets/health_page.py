"""Side panel page with performance figures: frame rate, delay and the slowest stage."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from ui.state.window import Figures, WindowState
from ui.widgets.labels import quiet_label

_STAGES = {
    "decode": "Decoding",
    "detect": "Detection",
    "crop": "Cropping",
    "network": "Network",
    "body": "Body model",
    "smooth": "Smoothing",
    "draw": "Drawing",
}
"""Display names of the pipeline's and the canvas's stages, in processing order."""


class HealthPage(QWidget):
    """Figures of the running source, with a bar per stage and the slowest one named.

    Parameters
    ----------
    state : WindowState
    parent : QWidget, optional
    """

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.empty = quiet_label("Open a source to see performance figures.")
        self.slowest = QLabel()
        self.slowest.setWordWrap(True)
        self.slowest.setAccessibleName("Slowest stage")
        self.notices = quiet_label()
        self.notices.setTextFormat(Qt.TextFormat.PlainText)
        self.notices.setAccessibleName("Notices")
        self.figures = QWidget()
        self._grid = QGridLayout(self.figures)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self.values: dict[str, QLabel] = {}
        for key, text, tip in (
            ("speed", "Frame rate", "Results displayed per second"),
            ("delay", "Delay", "Time from a frame leaving the source to its display"),
            ("dropped", "Dropped", "Frames skipped because the network was busy"),
            ("unshown", "Not displayed", "Frames that were tracked and recorded but not displayed"),
            ("backend", "Back-end", "Inference library and device"),
            ("precision", "Precision", "Number format of the network's arithmetic"),
            ("model", "Model", "Network that estimates the body"),
            ("detector", "Detector", "Person detector"),
        ):
            self.values[key] = self._row(text, tip)
        self._bars: dict[str, tuple[QLabel, QProgressBar, QLabel]] = {}
        self.stage_values: dict[str, QLabel] = {}
        """Time label of each stage that has been measured."""
        self._stages = QWidget()
        self._stage_grid = QGridLayout(self._stages)
        self._stage_grid.setContentsMargins(0, 0, 0, 0)
        self._stage_grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        for part in (self.empty, self.figures, self.slowest, self._stages, self.notices):
            column.addWidget(part)
        column.addStretch(1)
        state.figures.watch(self._on_figures_change)

    def _row(self, text: str, tip: str) -> QLabel:
        row = self._grid.rowCount()
        name, value = quiet_label(text, wrap=False), QLabel()
        value.setWordWrap(True)
        value.setTextFormat(Qt.TextFormat.PlainText)
        value.setAccessibleName(text)
        for label in (name, value):
            label.setToolTip(tip)
        self._grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(value, row, 1)
        return value

    def _on_figures_change(self, figures: Figures) -> None:
        running = bool(figures.stages)
        self.empty.setVisible(not running)
        for part in (self.figures, self.slowest, self._stages):
            part.setVisible(running)
        self.notices.setVisible(bool(figures.notices))
        if not running:
            return
        delay = "" if figures.delay is None else f"{figures.delay:.0f} ms"
        for key, text in (
            ("speed", f"{figures.frames_per_second:.1f} fps"),
            ("delay", delay),
            ("dropped", str(figures.dropped)),
            ("unshown", str(figures.unshown)),
            ("backend", figures.backend),
            ("precision", figures.precision or "unknown"),
            ("model", figures.model),
            ("detector", figures.detector or "none"),
        ):
            self.values[key].setText(text)
        self._show_stages(figures.stages)
        self.notices.setText("\n".join(figures.notices))

    def _show_stages(self, stages: tuple[tuple[str, float], ...]) -> None:
        slowest, longest = max(stages, key=lambda stage: stage[1])
        for name, milliseconds in stages:
            label, bar, value = self._bars.get(name) or self._add_stage(name)
            value.setText(f"{milliseconds:.1f} ms")
            bar.setValue(round(100 * milliseconds / longest) if longest > 0 else 0)
            bar.setAccessibleDescription(value.text())
            font = label.font()
            if font.bold() != (name == slowest):
                font.setBold(name == slowest)
                label.setFont(font)
                value.setFont(font)
        self.slowest.setText(f"Slowest stage: {stage_title(slowest)}, {longest:.1f} ms per frame")

    def _add_stage(self, name: str) -> tuple[QLabel, QProgressBar, QLabel]:
        label, bar, value = QLabel(stage_title(name)), QProgressBar(), QLabel()
        bar.setTextVisible(False)
        bar.setRange(0, 100)
        bar.setMaximumHeight(self.fontMetrics().height() // 2)
        bar.setAccessibleName(f"{stage_title(name)}, relative to the slowest stage")
        value.setAccessibleName(f"{stage_title(name)}, milliseconds")
        value.setAlignment(Qt.AlignmentFlag.AlignRight)
        order = list(_STAGES)
        row = order.index(name) if name in order else len(order) + len(self._bars)
        for grid_column, widget in enumerate((label, bar, value)):
            self._stage_grid.addWidget(widget, row, grid_column)
        self.stage_values[name] = value
        self._bars[name] = (label, bar, value)
        return self._bars[name]


def stage_title(name: str) -> str:
    """Return the display name of a stage."""
    return _STAGES.get(name, name.capitalize())
