"""Which models and back-ends there are, and which is chosen, as values to watch."""

from __future__ import annotations

from dataclasses import dataclass, field

from ui.state.observable import Observable


@dataclass(frozen=True)
class Option:
    """Something to choose."""

    key: str
    """As `PipelineOptions` takes it."""
    title: str
    note: str = ""
    """What it is, in a few words; where it cannot be used, why not."""
    available: bool = True
    added: bool = False
    """By the person: it can be taken off the list."""


@dataclass(frozen=True)
class Building:
    """An engine for a GPU that is being built, or a file that is being imported."""

    text: str
    step: str
    """The builder's own word for what it does now; empty before it says one."""
    fraction: float | None
    """0..1 of that step; None before it is known."""
    stopping: bool = False
    """It was ended and comes to its end."""


@dataclass
class ModelState:
    """All of the model and back-end picker."""

    models: Observable[tuple[Option, ...]] = field(
        default_factory=lambda: Observable[tuple[Option, ...]](())
    )
    backends: Observable[tuple[Option, ...]] = field(
        default_factory=lambda: Observable[tuple[Option, ...]](())
    )
    """Empty until they have been looked for."""
    model: Observable[str] = field(default_factory=lambda: Observable("auto"))
    """Key of the chosen one."""
    backend: Observable[str] = field(default_factory=lambda: Observable("auto"))
    files: Observable[tuple[str, ...]] = field(
        default_factory=lambda: Observable[tuple[str, ...]](())
    )
    """Model files that the person added."""
    busy: Observable[str] = field(default_factory=lambda: Observable(""))
    """What is being opened or tried now; empty otherwise."""
    building: Observable[Building | None] = field(
        default_factory=lambda: Observable[Building | None](None)
    )
    """None while nothing is built or imported."""
    complaint: Observable[str] = field(default_factory=lambda: Observable(""))
    """Why the last wish was not granted, one line."""
    picked: Observable[bool] = field(default_factory=lambda: Observable(False))
    """A person chose in this run, so that it is worth keeping."""
