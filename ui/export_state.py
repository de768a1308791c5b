"""The export of a take as values to watch: what can be chosen, and how far the writing is."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pymaf_live.export.options import ExportOptions
from ui.observable import Observable

if TYPE_CHECKING:
    from pymaf_live.export.formats import Format


@dataclass(frozen=True)
class ExportProgress:
    """An export that goes on."""

    text: str
    """What is being written."""
    fraction: float
    """0..1 of all files."""
    seconds_left: float | None = None
    """None until that can be told."""
    stopping: bool = False
    """It was cancelled and comes to its end."""


@dataclass
class ExportState:
    """All of the export."""

    formats: Observable[tuple[Format, ...]] = field(
        default_factory=lambda: Observable[tuple["Format", ...]]((), operator.is_)
    )
    """What a take can be written as; empty until they are loaded."""
    chosen: Observable[tuple[str, ...]] = field(
        default_factory=lambda: Observable[tuple[str, ...]](("bvh", "npz"))
    )
    """Names of the formats that were chosen last."""
    options: Observable[ExportOptions] = field(default_factory=lambda: Observable(ExportOptions()))
    """How they were chosen to be written last."""
    progress: Observable[ExportProgress | None] = field(
        default_factory=lambda: Observable[ExportProgress | None](None)
    )
    """None while nothing is written."""


def all_formats() -> tuple[Format, ...]:
    """The formats a take can be written in; loading them the first time takes a moment."""
    from pymaf_live.export.formats import FORMATS

    return tuple(FORMATS.values())
