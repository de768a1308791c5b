"""Display options of the canvas."""

from __future__ import annotations

from dataclasses import dataclass, field

from pymaf_live.rendering import OverlayStyle
from ui.state.view import Layout, Viewpoint


@dataclass(frozen=True)
class InsideOptions:
    """Display options of the "Inside" view, which shows the network's levels."""

    level: int = 0
    """Level shown alone, from 1; 0 shows all levels."""
    points: bool = True
    """Mark where each level sampled the image features."""
    dense: bool = False
    """Show body parts in colours and the network's dense map."""


@dataclass(frozen=True)
class Selection:
    """Selected person."""

    person: int
    """Person id."""
    name: str


@dataclass(frozen=True)
class DisplayOptions:
    """Everything that determines how the canvas displays a result."""

    style: OverlayStyle = field(default_factory=OverlayStyle)
    mirrored: bool = False
    """Exchange left and right, on the screen only."""
    green_background: bool = False
    """Show the people alone, on green."""
    ghost: bool = False
    """Draw the people before smoothing, pale, behind the smoothed ones."""
    layout: Layout = Layout.PICTURE
    viewpoint: Viewpoint = field(default_factory=Viewpoint)
    """Viewpoint of the free (3D) view."""
    inside: InsideOptions | None = None
    """Show the network's levels instead of the image; None shows the image."""
    selection: Selection | None = None
    """Person to mark."""
