"""Render bodies and skeletons over images, with or without a graphics card.

Importing this package loads no OpenGL; `visuals`, `texture_layer` and `offscreen` load vispy only
when they are imported themselves.
"""

from pymaf_live.rendering.overlay import Overlay, open_overlay
from pymaf_live.rendering.style import OverlayStyle, person_colour

__all__ = ["Overlay", "OverlayStyle", "open_overlay", "person_colour"]
