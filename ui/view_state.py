"""What a person chose about the view, as values to watch; knows no widgets and no vispy."""

from __future__ import annotations

from dataclasses import dataclass, field

from ui.observable import Observable


@dataclass
class ViewState:
    """How the window shows what it shows."""

    panel: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Whether the side panel is unfolded."""
    page: Observable[str] = field(default_factory=lambda: Observable(""))
    """Name of the panel's page."""
    panel_width: Observable[int] = field(default_factory=lambda: Observable(0))
    """Of the unfolded panel in the desktop's own pixels; 0: as wide as its page likes."""
