"""What a person chose about the view, as values to watch; knows no widgets and no vispy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from ui.state.observable import Observable

_LOWEST, _HIGHEST = -5.0, 90.0
_NEAREST, _FARTHEST = 1.0, 20.0


class Layout(Enum):
    """What the stage holds."""

    PICTURE = "picture"
    FREE = "3D"
    BOTH = "both"

    @property
    def next(self) -> Layout:
        """The one after it, round and round."""
        every = list(Layout)
        return every[(every.index(self) + 1) % len(every)]


@dataclass(frozen=True)
class Viewpoint:
    """From where the free view looks at the people."""

    azimuth: float = 35.0
    """Degrees about the vertical; 0 as the camera looks, 90 from the picture's right."""
    elevation: float = 12.0
    """Degrees above the horizon; not below the ground, where there is nothing to see."""
    distance: float = 4.0
    """Metres from the people's middle."""

    def turned(self, azimuth: float, elevation: float) -> Viewpoint:
        """Moved on by degrees."""
        return replace(
            self,
            azimuth=(self.azimuth + azimuth + 180) % 360 - 180,
            elevation=min(max(self.elevation + elevation, _LOWEST), _HIGHEST),
        )

    def nearer(self, factor: float) -> Viewpoint:
        """At `distance / factor`, within reason."""
        return replace(self, distance=min(max(self.distance / factor, _NEAREST), _FARTHEST))

    def seen_from(self, side: Viewpoint) -> Viewpoint:
        """The angles of another, the distance kept."""
        return replace(side, distance=self.distance)


FRONT = Viewpoint(azimuth=0.0, elevation=0.0)
SIDE = Viewpoint(azimuth=90.0, elevation=0.0)
TOP = Viewpoint(azimuth=0.0, elevation=90.0)


@dataclass
class ViewState:
    """How the window shows what it shows."""

    panel: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Whether the side panel is unfolded."""
    page: Observable[str] = field(default_factory=lambda: Observable(""))
    """Name of the panel's page."""
    panel_width: Observable[int] = field(default_factory=lambda: Observable(0))
    """Of the unfolded panel in the desktop's own pixels; 0: as wide as its page likes."""

    layout: Observable[Layout] = field(default_factory=lambda: Observable(Layout.PICTURE))
    viewpoint: Observable[Viewpoint] = field(default_factory=lambda: Observable(Viewpoint()))
    mesh: Observable[bool] = field(default_factory=lambda: Observable(True))
    """Whether bodies are drawn."""
    points: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Joints as dots, by how sure the network is of each."""
    box: Observable[bool] = field(default_factory=lambda: Observable(False))
    ghost: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The body before smoothing, pale, behind the smoothed one."""

    inside: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Whether the levels of the network are shown in place of the picture."""
    inside_level: Observable[int] = field(default_factory=lambda: Observable(0))
    """The level shown alone, from 1; 0: all side by side."""
    inside_points: Observable[bool] = field(default_factory=lambda: Observable(True))
    """Where each level read the picture's features."""
    inside_dense: Observable[bool] = field(default_factory=lambda: Observable(False))
    """The body's parts in colours, and the network's own map of them if it has one."""
