"""Layout of the window, display options and viewpoint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from pymaf_live.types import BodyStyle
from ui.state.observable import Observable
from ui.state.setting import UNCHANGED, setting

_MIN_ELEVATION, _MAX_ELEVATION = -5.0, 90.0
_MIN_DISTANCE, _MAX_DISTANCE = 1.0, 20.0

Geometry = tuple[int, int, int, int]


class Layout(Enum):
    """Views on the stage."""

    PICTURE = "picture"
    FREE = "3D"
    BOTH = "both"

    @property
    def next(self) -> Layout:
        """The next layout, cyclically."""
        layouts = list(Layout)
        return layouts[(layouts.index(self) + 1) % len(layouts)]


@dataclass(frozen=True)
class Viewpoint:
    """Viewpoint of the free view, relative to the centre of the people."""

    azimuth: float = 35.0
    """Degrees about the vertical; 0 is the camera's direction, 90 is from the image's right."""
    elevation: float = 12.0
    """Degrees above the horizon; barely below it, where only the ground is visible."""
    distance: float = 4.0
    """Distance, metres."""

    def turned(self, azimuth: float, elevation: float) -> Viewpoint:
        """Return the viewpoint turned by angles in degrees."""
        return replace(
            self,
            azimuth=(self.azimuth + azimuth + 180) % 360 - 180,
            elevation=min(max(self.elevation + elevation, _MIN_ELEVATION), _MAX_ELEVATION),
        )

    def nearer(self, factor: float) -> Viewpoint:
        """Return the viewpoint at `distance / factor`, within limits."""
        distance = min(max(self.distance / factor, _MIN_DISTANCE), _MAX_DISTANCE)
        return replace(self, distance=distance)

    def seen_from(self, side: Viewpoint) -> Viewpoint:
        """Return the angles of another viewpoint at the distance of this one."""
        return replace(side, distance=self.distance)


FRONT = Viewpoint(azimuth=0.0, elevation=0.0)
SIDE = Viewpoint(azimuth=90.0, elevation=0.0)
TOP = Viewpoint(azimuth=0.0, elevation=90.0)


@dataclass
class ViewState:
    """Window layout and display options."""

    window_geometry: Observable[Geometry | None] = setting(
        "window_geometry",
        to_setting=lambda owner, value: UNCHANGED if value is None else value,
    )
    """Left, top, width and height of the window, logical pixels; None until it is shown."""
    panel: Observable[bool] = setting("panel")
    """The side panel is shown."""
    panel_page: Observable[str] = setting("panel_page")
    """Name of the panel's page."""
    panel_width: Observable[int] = setting("panel_width")
    """Width of the panel, logical pixels; 0: the page's preferred width."""

    layout: Observable[Layout] = setting(
        "layout", to_state=Layout, to_setting=lambda owner, layout: layout.value
    )
    viewpoint: Observable[Viewpoint] = field(default_factory=lambda: Observable(Viewpoint()))
    body_style: Observable[BodyStyle] = setting("body_style")
    """Appearance of people in the window and in overlays."""
    mesh: Observable[bool] = setting("mesh")
    """Draw the mesh."""
    points: Observable[bool] = setting("points")
    """Draw the joints as dots, coloured by their score."""
    box: Observable[bool] = setting("box")
    """Draw the boxes of the people."""
    always_on_top: Observable[bool] = setting("always_on_top")
    """Keep the window above others."""
    green_background: Observable[bool] = setting("green_background")
    """Show only the people, on green."""
    virtual_camera: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Show the view to other programs as a camera; never on at the start."""
    framing: Observable[bool] = setting("framing")
    """Check the framing of cameras before a recording."""
    ghost: Observable[bool] = setting("ghost")
    """Draw the body before smoothing, pale, behind the smoothed one."""

    inside: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Show the levels of the network instead of the image."""
    inside_level: Observable[int] = field(default_factory=lambda: Observable(0))
    """Level shown alone, from 1; 0: all of them."""
    inside_points: Observable[bool] = field(default_factory=lambda: Observable(True))
    """Show where each level sampled the image features."""
    inside_dense: Observable[bool] = field(default_factory=lambda: Observable(False))
    """Show the body's parts in colours, and the network's own part map if it has one."""
