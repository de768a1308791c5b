"""Sound of the open video or take."""

from __future__ import annotations

from dataclasses import dataclass, field

from ui.state.observable import Observable
from ui.state.setting import setting


@dataclass
class SoundState:
    """Volume of the sound, and the presence of any."""

    available: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The open video or take has sound, and this computer can play it."""
    volume: Observable[float] = setting("volume")
    """0..1"""
    muted: Observable[bool] = setting("muted")
