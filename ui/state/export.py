"""The export of a take as values to watch: what can be chosen, and how far the writing is."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pymaf_live.errors import UsageError
from pymaf_live.export.options import ExportOptions, parse_rate
from pymaf_live.settings import ExportSettings
from ui.state.observable import Observable

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


def options_from(kept: ExportSettings) -> ExportOptions:
    """What the settings say; the usual where they say what there is not."""
    try:  # which checks them
        return ExportOptions(
            rate=parse_rate(kept.rate),
            unit=kept.unit or None,  # type: ignore[arg-type]
            rig=kept.rig,  # type: ignore[arg-type]
            world=kept.world,  # type: ignore[arg-type]
            in_place=kept.in_place,
            rest_first=kept.rest_first,
            mesh=kept.mesh,
        )
    except UsageError:
        return ExportOptions()


def settings_of(formats: tuple[str, ...], options: ExportOptions) -> ExportSettings:
    """What to keep of a choice."""
    rate = "" if options.rate is None else str(options.rate)
    return ExportSettings(
        formats=formats,
        rate=rate if len(rate) <= 60 else "",  # nobody's rate, and the settings take no more
        unit=options.unit or "",
        rig=options.rig,
        world=options.world,
        in_place=options.in_place,
        rest_first=options.rest_first,
        mesh=options.mesh,
    )


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
