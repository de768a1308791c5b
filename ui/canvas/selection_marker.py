"""Who is chosen, as it is shown in a view: corners about the person, and the name above them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pymaf_live.rendering.strokes import Strokes
from pymaf_live.rendering.style import person_colour, presence
from pymaf_live.types import Array, Person
from ui.canvas.painter import Painter
from ui.canvas.viewport import Pane

_SPARE = 0.09
"""Of the joints' box's longer side, by which head, hands and feet go beyond it."""
_CORNER = 0.16
"""Of the shorter side, along which a corner goes."""
_RADIUS = 1.6
"""Of the lines, in points of the screen."""


@dataclass(frozen=True)
class Chosen:
    """Who is to be told from the others."""

    person: int
    name: str


def draw_chosen(
    painter: Painter,
    pane: Pane,
    people: Iterable[Person],
    chosen: Chosen | None,
    pixels_a_point: float,
) -> None:
    """Mark the chosen one of some people, if there.

    Parameters
    ----------
    painter : Painter
    pane : Pane
    people : iterable of Person
        Their `joints_2d` in the pane's pixels.
    chosen : Chosen, optional
        None: nobody.
    pixels_a_point : float
        Physical pixels of the canvas.
    """
    person = next((one for one in people if chosen and one.id == chosen.person), None)
    if chosen is None or person is None or not np.isfinite(person.joints_2d).all():
        return
    shown = presence(person)
    if shown <= 0 or person.joints[:, 2].min() <= 0:
        return
    box = about(person)
    colour = person_colour(person.id)
    radius = _RADIUS * pixels_a_point / pane.scale
    painter.strokes(pane, Strokes.of(corners(box), colour, radius, shown))
    # pixel centres lie at whole numbers there, edges here
    top = (float(box[0] + box[2]) / 2 + 0.5, float(box[1]) + 0.5)
    painter.label_above(pane, chosen.name, top, pixels_a_point, colour)


def about(person: Person) -> Array:
    """(4,) x0, y0, x1, y1 about all of a person, as the joints tell it."""
    low, high = person.joints_2d.min(axis=0), person.joints_2d.max(axis=0)
    spare = _SPARE * float((high - low).max())
    return np.concatenate([low - spare, high + spare])


def corners(box: Array) -> Array:
    """(8, 4) lines: two at each corner of a box (4,)."""
    x0, y0, x1, y1 = box
    length = _CORNER * min(x1 - x0, y1 - y0)
    lines = []
    for x, inwards in ((x0, length), (x1, -length)):
        for y, down in ((y0, length), (y1, -length)):
            lines += [(x, y, x + inwards, y), (x, y, x, y + down)]
    return np.array(lines)
