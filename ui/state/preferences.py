"""Preferences that hold for every source, and notices of earlier runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pymaf_live.motion.smoothing_metrics import SmoothingMetrics
from pymaf_live.types import Legs
from ui.state.observable import Observable
from ui.state.setting import setting

ThemeName = Literal["light", "dark", "system"]


@dataclass(frozen=True)
class CrashReport:
    """Log of an earlier run that crashed or had an unexpected error."""

    path: Path
    when: float
    """Start of that run, seconds since 1970."""
    text: str
    fatal: bool
    """True if the error ended the run; otherwise it continued until it was closed."""


@dataclass
class PreferencesState:
    """Preferences; written by the settings page and the settings file."""

    theme: Observable[ThemeName] = setting("theme")
    smoothing_strength: Observable[float] = setting("smoothing_strength")
    """Strength of the smoothing, 0..1; 0 is off."""
    legs: Observable[Legs] = setting("legs")
    """Pose of legs that are not seen."""
    people: Observable[int | None] = setting("people")
    """Maximum number of people to track; None: one in a live source, several in a file."""
    fov: Observable[float | None] = setting("fov")
    """Field of view along the frame's diagonal, degrees; None: unknown."""
    smoothing_metrics: Observable[SmoothingMetrics | None] = field(
        default_factory=lambda: Observable[SmoothingMetrics | None](None)
    )
    """Measured jitter and lag of the smoothing; None until it is known."""
    hints: Observable[bool] = setting(
        "hints_seen",
        to_state=lambda seen: not seen,
        to_setting=lambda owner, shown: True,
        initial=False,
    )
    """Hints for beginners are shown: in the first run, until they are dismissed."""
    crash_report: Observable[CrashReport | None] = field(
        default_factory=lambda: Observable[CrashReport | None](None)
    )
    """Crash report of an earlier run; None once it was dealt with."""
