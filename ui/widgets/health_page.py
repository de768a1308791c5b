"""The panel's page of how fast everything goes, and what holds it up."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from ui.state.window import Figures, WindowState

_STAGES = {
    "decode": "Reading",
    "detect": "Finding people",
    "crop": "Cutting out",
    "network": "Network",
    "body": "Body",
    "smooth": "Smoothing",
    "draw": "Drawing",
}
"""What a person reads for a stage of the pipeline or the canvas, in the order of the work."""


class HealthPage(QWidget):
    """Figures of the running source; each stage with a bar, the slowest named."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.nothing = QLabel("Figures come while a source plays.")
        self.nothing.setProperty("role", "quiet")
        self.nothing.setWordWrap(True)
        self.slowest = QLabel()
        self.slowest.setWordWrap(True)
        self.slowest.setAccessibleName("Slowest stage")
        self.notices = QLabel()
        self.notices.setProperty("role", "quiet")
        self.notices.setWordWrap(True)
        self.notices.setTextFormat(Qt.TextFormat.PlainText)
        self.notices.setAccessibleName("Notices")
        self.figures = QWidget()
        self._grid = QGridLayout(self.figures)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self.values: dict[str, QLabel] = {}
        for key, text, tip in (
            ("speed", "Frames a second", "Results shown a second"),
            ("delay", "Delay", "From a picture's leaving the source to its being drawn"),
            ("dropped", "Dropped", "Pictures that the network had no time for"),
            ("unshown", "Not shown", "Results that the screen had no time for; takes have them"),
            ("backend", "Back-end", "What runs the network"),
            ("precision", "Precision", "What the network counts in"),
            ("model", "Model", "The network"),
            ("detector", "Detector", "What finds people"),
        ):
            self.values[key] = self._row(text, tip)
        self._bars: dict[str, tuple[QLabel, QProgressBar, QLabel]] = {}
        self._stages = QWidget()
        self._stage_grid = QGridLayout(self._stages)
        self._stage_grid.setContentsMargins(0, 0, 0, 0)
        self._stage_grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        for part in (self.nothing, self.figures, self.slowest, self._stages, self.notices):
            column.addWidget(part)
        column.addStretch(1)
        state.figures.watch(self._on_figures_change)

    def stage_text(self, name: str) -> str:
        """What is shown of a stage; empty where there is none."""
        return self._bars[name][2].text() if name in self._bars else ""

    def _row(self, text: str, tip: str) -> QLabel:
        row = self._grid.rowCount()
        name, value = QLabel(text), QLabel()
        name.setProperty("role", "quiet")
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
        self.nothing.setVisible(not running)
        for part in (self.figures, self.slowest, self._stages):
            part.setVisible(running)
        self.notices.setVisible(bool(figures.notices))
        if not running:
            return
        delay = "" if figures.delay is None else f"{figures.delay:.0f} ms"
        for key, text in (
            ("speed", f"{figures.frames_per_second:.1f}"),
            ("delay", delay),
            ("dropped", str(figures.dropped)),
            ("unshown", str(figures.unshown)),
            ("backend", figures.backend),
            ("precision", figures.precision or "not told"),
            ("model", figures.model),
            ("detector", figures.detector or "none"),
        ):
            self.values[key].setText(text)
        self._show_stages(figures.stages)
        self.notices.setText("\n".join(figures.notices))

    def _show_stages(self, stages: tuple[tuple[str, float], ...]) -> None:
        slowest, most = max(stages, key=lambda stage: stage[1])
        for name, milliseconds in stages:
            label, bar, value = self._bars.get(name) or self._add_stage(name)
            value.setText(f"{milliseconds:.1f} ms")
            bar.setValue(round(100 * milliseconds / most) if most > 0 else 0)
            bar.setAccessibleDescription(value.text())
            font = label.font()
            if font.bold() != (name == slowest):
                font.setBold(name == slowest)
                label.setFont(font)
                value.setFont(font)
        self.slowest.setText(f"Slowest: {stage_title(slowest)}, {most:.1f} ms a picture")

    def _add_stage(self, name: str) -> tuple[QLabel, QProgressBar, QLabel]:
        label, bar, value = QLabel(stage_title(name)), QProgressBar(), QLabel()
        bar.setTextVisible(False)
        bar.setRange(0, 100)
        bar.setMaximumHeight(self.fontMetrics().height() // 2)
        bar.setAccessibleName(f"{stage_title(name)}, part of the slowest stage")
        value.setAccessibleName(f"{stage_title(name)}, milliseconds")
        value.setAlignment(Qt.AlignmentFlag.AlignRight)
        order = list(_STAGES)
        row = order.index(name) if name in order else len(order) + len(self._bars)
        for place, widget in enumerate((label, bar, value)):
            self._stage_grid.addWidget(widget, row, place)
        self._bars[name] = (label, bar, value)
        return self._bars[name]


def stage_title(name: str) -> str:
    """What a person reads for a stage."""
    return _STAGES.get(name, name.capitalize())
