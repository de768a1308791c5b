"""Models and back-ends: those available and the chosen ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ui.state.observable import Observable
from ui.state.setting import UNCHANGED, setting


@dataclass(frozen=True)
class Option:
    """A model or back-end to choose."""

    key: str
    """Value for `PipelineOptions`."""
    title: str
    note: str = ""
    """Short description, or the reason why it is not available."""
    available: bool = True
    added: bool = False
    """Added by the user, who can remove it from the list."""


@dataclass(frozen=True)
class BuildProgress:
    """Progress of an engine build or an import."""

    text: str
    step: str
    """Name of the current step as the builder reports it; empty before the first one."""
    fraction: float | None
    """0..1 of the current step; None before it is known."""
    stopping: bool = False
    """It has been cancelled and is about to end."""


def _if_chosen(owner: Any, value: object) -> object:
    # --model and --backend apply to this run only
    return value if owner.chosen_by_user.value else UNCHANGED


@dataclass
class ModelState:
    """Models and back-ends."""

    models: Observable[tuple[Option, ...]] = field(
        default_factory=lambda: Observable[tuple[Option, ...]](())
    )
    backends: Observable[tuple[Option, ...]] = field(
        default_factory=lambda: Observable[tuple[Option, ...]](())
    )
    """Empty until they are known."""
    model: Observable[str] = setting("model", to_setting=_if_chosen)
    """Key of the chosen model."""
    backend: Observable[str] = setting("backend", to_setting=_if_chosen)
    """Key of the chosen back-end."""
    model_files: Observable[tuple[str, ...]] = setting(
        "model_files",
        to_state=lambda files: tuple(str(file) for file in files),
        to_setting=lambda owner, files: _if_chosen(owner, tuple(Path(file) for file in files)),
    )
    """Model files that the user added."""
    busy: Observable[str] = field(default_factory=lambda: Observable(""))
    """Action in progress, such as checking a file; empty otherwise."""
    build: Observable[BuildProgress | None] = field(
        default_factory=lambda: Observable[BuildProgress | None](None)
    )
    """None while nothing is built or imported."""
    error: Observable[str] = field(default_factory=lambda: Observable(""))
    """Reason why the last change failed; one line."""
    chosen_by_user: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The user has changed the choice in this run, so it is stored."""
