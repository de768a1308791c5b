"""Marker of the selected person: corners around the body and the name above it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pymaf_live.rendering.strokes import Strokes
from pymaf_live.rendering.style import person_colour, person_visibility
from pymaf_live.types import Array, Person
from ui.canvas.display_options import Selection
from ui.canvas.painter import CanvasPainter
from ui.canvas.viewport import Viewport

_MARGIN = 0.09
"""Head, hands and feet extend beyond the joints' box by this share of its longer side."""
_CORNER_LENGTH = 0.16
"""Length of the corner lines as a share of the box's shorter side."""
_RADIUS = 1.6
"""Half the width of the lines in logical pixels."""


def draw_selection(
    painter: CanvasPainter,
    viewport: Viewport,
    people: Iterable[Person],
    selection: Selection | None,
    pixels_per_point: float,
) -> None:
    """Mark the selected person if visible.

    Parameters
    ----------
    painter : CanvasPainter
    viewport : Viewport
    people : iterable of Person
        With `joints_2d` in the viewport's image pixels.
    selection : Selection, optional
        None draws nothing.
    pixels_per_point : float
        Physical pixels per logical pixel.
    """
    if selection is None:
        return
    person = next((person for person in people if person.id == selection.person), None)
    if person is None or not np.isfinite(person.joints_2d).all():
        return
    visibility = person_visibility(person)
    if visibility <= 0 or person.joints[:, 2].min() <= 0:
        return
    box = body_box(person)
    colour = person_colour(person.id)
    radius = _RADIUS * pixels_per_point / viewport.scale
    painter.draw_strokes(viewport, Strokes.lines(corner_lines(box), colour, radius, visibility))
    # joints have pixel centres at integers, labels pixel edges
    top = (float(box[0] + box[2]) / 2 + 0.5, float(box[1]) + 0.5)
    painter.draw_label_above(viewport, selection.name, top, pixels_per_point, colour)


def body_box(person: Person) -> Array:
    """Return the box (4,) x0, y0, x1, y1 around the whole body, estimated from its joints."""
    low, high = person.joints_2d.min(axis=0), person.joints_2d.max(axis=0)
    margin = _MARGIN * float((high - low).max())
    return np.concatenate([low - margin, high + margin])


def corner_lines(box: Array) -> Array:
    """Return lines (8, 4): two at each corner of a box (4,)."""
    x0, y0, x1, y1 = box
    length = _CORNER_LENGTH * min(x1 - x0, y1 - y0)
    lines = []
    for x, dx in ((x0, length), (x1, -length)):
        for y, dy in ((y0, length), (y1, -length)):
            lines += [(x, y, x + dx, y), (x, y, x, y + dy)]
    return np.array(lines)
