"""Export of the current take: the choices and the progress."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymaf_live.errors import UsageError
from pymaf_live.export.options import ExportOptions, parse_rate
from pymaf_live.settings import ExportSettings
from ui.state.observable import Observable
from ui.state.setting import UNCHANGED, never_stored, setting

if TYPE_CHECKING:
    from pymaf_live.export.formats import Format

_MAX_RATE_LENGTH = 60
"""Longest text of a rate in the settings."""


@dataclass(frozen=True)
class ExportProgress:
    """Progress of a running export."""

    text: str
    """File that is being written."""
    fraction: float
    """0..1 of all files."""
    seconds_left: float | None = None
    """Remaining time; None until it can be estimated."""
    stopping: bool = False
    """The export has been cancelled and is about to end."""


def export_options(settings: ExportSettings) -> ExportOptions:
    """Return the options in the settings; the defaults if they are invalid."""
    try:  # the constructor checks the names
        return ExportOptions(
            rate=parse_rate(settings.rate),
            unit=settings.unit or None,  # type: ignore[arg-type]
            rig=settings.rig,  # type: ignore[arg-type]
            world=settings.world,  # type: ignore[arg-type]
            in_place=settings.in_place,
            rest_first=settings.rest_first,
            mesh=settings.mesh,
            camera=settings.camera,
            one_file=settings.one_file,
        )
    except UsageError:
        return ExportOptions()


def export_settings(
    formats: tuple[str, ...],
    options: ExportOptions,
    *,
    video: bool = False,
    transparent_video: bool = False,
) -> ExportSettings:
    """Return the settings that store formats and options."""
    rate = "" if options.rate is None else str(options.rate)
    return ExportSettings(
        formats=formats,
        rate=rate if len(rate) <= _MAX_RATE_LENGTH else "",
        unit=options.unit or "",
        rig=options.rig,
        world=options.world,
        in_place=options.in_place,
        rest_first=options.rest_first,
        mesh=options.mesh,
        camera=options.camera,
        one_file=options.one_file,
        video=video,
        transparent_video=transparent_video,
    )


def video_target(stem: Path, *, transparent: bool = False) -> Path:
    """Return the path of the video with the body of a take called `stem`."""
    return stem.with_name(f"{stem.name}{'_people.mov' if transparent else '_overlay.mp4'}")


def _if_folder(path: Path) -> Path | None:
    return path if path.is_dir() else None


def _stored_folder(owner: Any, folder: Path | None) -> object:
    return UNCHANGED if folder is None else folder


@dataclass
class ExportState:
    """Choices and progress of the export."""

    available: Observable[tuple[Format, ...]] = field(
        default_factory=lambda: Observable[tuple["Format", ...]]((), operator.is_)
    )
    """Formats that a take can be written in; empty until they are loaded."""
    formats: Observable[tuple[str, ...]] = setting(
        "export", to_state=lambda stored: stored.formats, to_setting=never_stored
    )
    """Names of the formats chosen last; stored together with the options."""
    video: Observable[bool] = setting(
        "export", to_state=lambda stored: stored.video, to_setting=never_stored
    )
    """Write a video with the body as well; stored together with the options."""
    transparent_video: Observable[bool] = setting(
        "export", to_state=lambda stored: stored.transparent_video, to_setting=never_stored
    )
    """The video shows the people alone; stored together with the options."""
    presets: Observable[dict[str, ExportSettings]] = setting("export_presets")
    """Named choices; every change makes a new mapping."""
    options: Observable[ExportOptions] = setting(
        "export",
        to_state=export_options,
        to_setting=lambda owner, options: export_settings(
            owner.formats.value,
            options,
            video=owner.video.value,
            transparent_video=owner.transparent_video.value,
        ),
    )
    """Options chosen last."""
    folder: Observable[Path | None] = setting(
        "export_folder", to_state=_if_folder, to_setting=_stored_folder
    )
    """Folder chosen last; None: the system's folder for videos."""
    progress: Observable[ExportProgress | None] = field(
        default_factory=lambda: Observable[ExportProgress | None](None)
    )
    """None while no export is running."""


def all_formats() -> tuple[Format, ...]:
    """Return the formats that a take can be written in; loading them takes a moment."""
    from pymaf_live.export.formats import FORMATS

    return tuple(FORMATS.values())


def file_stems(folder: Path, names: Sequence[str]) -> list[Path]:
    """Return a path without ending for each name of a take, all different."""
    stems: list[Path] = []
    taken: set[str] = set()
    for name in names:
        # take names may contain characters that file names may not
        base = re.sub(r'[<>:"/\\|?*]', "_", name).strip(" .") or "take"
        unique, number = base, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{base}_{number}"
        taken.add(unique.casefold())
        stems.append(folder / unique)
    return stems
