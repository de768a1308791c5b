"""Options of the pipeline: how frames become people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from pymaf_live.settings import DEFAULTS, Settings
from pymaf_live.types import Array, Legs

MAX_PEOPLE_IN_FILES = 4
"""Maximum number of people tracked in a file where `PipelineOptions.people` is not set."""


@dataclass(frozen=True)
class PipelineOptions:
    """Model, back-end, tracking and smoothing of one pipeline."""

    model: str | Path = DEFAULTS.model
    """'auto' (the most accurate model that keeps up), the name of a shipped model such as 'lite',
    or a path."""
    backend: str = DEFAULTS.backend
    """'auto' or one of `inference.BACKENDS`."""
    people: int | None = DEFAULTS.people
    """Maximum number of people to track. None: one person in a live source, up to
    `MAX_PEOPLE_IN_FILES` in a file. Does not limit user-drawn boxes."""
    fov: float | None = DEFAULTS.fov
    """Field of view along the frame's diagonal in degrees; None: the focal length equals the
    diagonal."""
    smoothing: Literal["live", "off"] = "live"
    smoothing_strength: float = DEFAULTS.smoothing_strength
    """Strength of the live smoothing, 0..1."""
    legs: Legs = DEFAULTS.legs
    """Pose of legs that are not seen; without smoothing they are as measured."""
    boxes: Mapping[str, Array] | None = None
    """User-drawn boxes (N, 4) in frame pixels, by image name or by frame index as text; replaces
    detection and tracking. A frame without boxes has no people."""
    detector: Literal["auto", "mediapipe", "openvino"] = "auto"
    threads: int = 0
    """Threads of the inference back-end; 0 leaves the choice to it."""
    cache: Path | None = None
    """Folder for compiled models and measured run times."""


def max_people(options: PipelineOptions, *, live: bool) -> int:
    """Return the maximum number of people to track in a live source or in a file."""
    if options.people is not None:
        return options.people
    return 1 if live else MAX_PEOPLE_IN_FILES


def pipeline_options(
    settings: Settings, *, model: str | None = None, backend: str | None = None
) -> PipelineOptions:
    """Return the options in the user's settings.

    Parameters
    ----------
    settings : Settings
    model, backend : str, optional
        Replace those of the settings for this run.
    """
    return PipelineOptions(
        model=model or settings.model,
        backend=backend or settings.backend,
        people=settings.people,
        fov=settings.fov,
        smoothing="live" if settings.smoothing_strength > 0 else "off",
        smoothing_strength=settings.smoothing_strength,
        legs=settings.legs,
        cache=platformdirs.user_cache_path("pymaf-live", appauthor=False) / "models",
    )
