"""Drawing: bodies and skeletons over pictures, with or without a graphics card.

Importing this loads no GL; `visuals`, `layer` and `offscreen` load vispy when they are needed.
"""

from pymaf_live.drawing.look import Look, person_colour
from pymaf_live.drawing.overlay import Overlay, open_overlay

__all__ = ["Look", "Overlay", "open_overlay", "person_colour"]
