"""Status bar with the source and its performance figures."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QStatusBar, QWidget

from ui.state.window import Figures, Phase, SourceChoice, WindowState
from ui.widgets.responsive_row import ElidedLabel

_GAP = 8
"""Pixels around each figure, at least as wide as the style's own spacing."""


class StatusLine(QStatusBar):
    """Source name and figures: people, frame rate, delay, dropped frames, back-end.

    Where space is short, the source's name is elided first; then the least important figures are
    hidden. The Health page shows them all.

    Parameters
    ----------
    state : WindowState
    parent : QWidget, optional
    """

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self._state = state
        self._running = False
        self._permanent: list[QWidget] = []
        self.source = ElidedLabel()
        self.source.setAccessibleName("Source")
        self.addWidget(self.source, 1)
        self.people = self._figure("People", "People tracked in the current frame")
        self.speed = self._figure("Frame rate", "Results displayed per second")
        self.delay = self._figure("Delay", "Time from a frame leaving the source to its display")
        self.dropped = self._figure("Dropped frames", "")
        self.backend = self._figure("Back-end", "Inference library and device")
        state.source.watch(self._on_source_change)
        state.phase.watch(lambda _: self._on_source_change(state.source.value))
        state.figures.watch(self._on_figures_change)

    def addPermanentWidget(  # noqa: N802 - Qt's name
        self, widget: QWidget, stretch: int | None = 0
    ) -> None:
        """Add a widget at the right end."""
        super().addPermanentWidget(widget, stretch or 0)
        self._permanent.append(widget)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Fit the figures to the new width."""
        super().resizeEvent(event)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """Fit the figures again when a widget changes its size."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return done

    def _fit(self) -> None:
        """Show as many figures as there is room for, the most important first."""
        figures = (self.speed, self.delay, self.people, self.dropped, self.backend)
        others = [
            widget for widget in self._permanent if widget not in figures and not widget.isHidden()
        ]
        room = self.width() - self.source.minimumSizeHint().width() - 2 * _GAP
        room -= sum(widget.sizeHint().width() + _GAP for widget in others)
        for label in figures:
            room -= label.sizeHint().width() + _GAP
            label.setVisible(self._running and room >= 0)

    def _figure(self, name: str, tip: str) -> QLabel:
        label = QLabel()
        label.setAccessibleName(name)
        label.setToolTip(tip)
        self.addPermanentWidget(label)
        return label

    def _on_source_change(self, source: SourceChoice | None) -> None:
        phase = self._state.phase.value
        self.source.setText("Ready" if source is None or phase is Phase.EMPTY else source.title)
        self._on_figures_change(self._state.figures.value)

    def _on_figures_change(self, figures: Figures) -> None:
        phase = self._state.phase.value
        self._running = phase not in (Phase.EMPTY, Phase.OPENING) and figures.delay is not None
        self.people.setText("1 person" if figures.people == 1 else f"{figures.people} people")
        self.speed.setText(f"{figures.frames_per_second:.0f} fps")
        self.delay.setText(f"{figures.delay or 0.0:.0f} ms delay")
        self.dropped.setText(f"{figures.dropped} dropped")
        self.dropped.setToolTip(
            f"{figures.dropped} frames were skipped because the network was busy.\n"
            f"{figures.unshown} more were tracked and recorded but not displayed."
        )
        self.backend.setText(figures.backend + (" *" if figures.notices else ""))
        self.backend.setToolTip("\n".join((f"Runs the model {figures.model}", *figures.notices)))
        self._fit()
