"""Drawing: bodies and skeletons over pictures, with or without a graphics card.

Importing this loads no GL; `visuals`, `layer` and `offscreen` load vispy when they are needed.
"""

from pymaf_live.rendering.overlay import Overlay, open_overlay
from pymaf_live.rendering.style import Look, person_colour

__all__ = ["Look", "Overlay", "open_overlay", "person_colour"]
