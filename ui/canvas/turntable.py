"""Mouse and keyboard control of the free view's turntable camera."""

from __future__ import annotations

from ui.state.view import Viewpoint

_DEGREES_PER_PIXEL = 0.5
_DEGREES_PER_KEY = 10.0
_ZOOM_FACTOR = 1.15
_ARROWS = {
    "Left": (_DEGREES_PER_KEY, 0.0),
    "Right": (-_DEGREES_PER_KEY, 0.0),
    "Up": (0.0, _DEGREES_PER_KEY),
    "Down": (0.0, -_DEGREES_PER_KEY),
}


def dragged(viewpoint: Viewpoint, dx: float, dy: float, *, mirrored: bool) -> Viewpoint:
    """Return the viewpoint after a mouse drag of (dx, dy) logical pixels."""
    dx = -dx if mirrored else dx
    return viewpoint.turned(-_DEGREES_PER_PIXEL * dx, _DEGREES_PER_PIXEL * dy)


def zoomed(viewpoint: Viewpoint, steps: float) -> Viewpoint:
    """Return the viewpoint after mouse wheel steps; positive steps move closer."""
    return viewpoint.nearer(_ZOOM_FACTOR**steps)


def key_pressed(viewpoint: Viewpoint, key: str, text: str, *, mirrored: bool) -> Viewpoint | None:
    """Return the viewpoint after a key press, or None if the key has no function here.

    Parameters
    ----------
    viewpoint : Viewpoint
    key : str
        vispy's name of the key; arrow keys turn the view.
    text : str
        Text that the key types; plus and minus zoom.
    mirrored : bool
    """
    if key in _ARROWS:
        azimuth, elevation = _ARROWS[key]
        return viewpoint.turned(-azimuth if mirrored else azimuth, elevation)
    if text in ("+", "-"):
        return zoomed(viewpoint, 1 if text == "+" else -1)
    return None
