"""What a person prefers, and what the window has to tell once; knows no widgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pymaf_live.motion.smoothing_metrics import SmoothingMetrics
from ui.state.observable import Observable

ThemeName = Literal["light", "dark", "system"]


@dataclass(frozen=True)
class CrashReport:
    """A run that did not end by being closed, or in which something went wrong."""

    path: Path
    when: float
    """Seconds since 1970 of its start."""
    text: str
    fatal: bool
    """It ended there and then; else it went on until it was closed."""


@dataclass
class PreferencesState:
    """Watched by the pages and the controller; written by pages and what remembers them."""

    theme: Observable[ThemeName] = field(default_factory=lambda: Observable[ThemeName]("system"))
    smoothing: Observable[float] = field(default_factory=lambda: Observable(0.5))
    """Strength, 0..1; 0 is off."""
    fov: Observable[float | None] = field(default_factory=lambda: Observable[float | None](None))
    """Of the camera along the diagonal, degrees; None: not known, the usual is taken."""
    effect: Observable[SmoothingMetrics | None] = field(
        default_factory=lambda: Observable[SmoothingMetrics | None](None)
    )
    """What the smoothing does now; None while nothing can be said."""
    hints: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The first steps are shown: in the first run, until they are put away."""
    crash_report: Observable[CrashReport | None] = field(
        default_factory=lambda: Observable[CrashReport | None](None)
    )
    """How an earlier run ended badly; None once it was dealt with."""
