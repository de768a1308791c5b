"""Mapping between parts of an image and areas of the canvas."""

from __future__ import annotations

from dataclasses import dataclass

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Area:
    """Rectangle of the canvas in physical pixels, origin at its upper left corner."""

    left: int
    top: int
    width: int
    height: int

    def contains(self, x: float, y: float) -> bool:
        """Return True if a canvas point lies in the area."""
        return 0 <= x - self.left < self.width and 0 <= y - self.top < self.height


@dataclass(frozen=True)
class Viewport:
    """Image part that fills a canvas area.

    `x0`..`y1` are the image coordinates at the area's edges, in image pixels with pixel edges at
    integers; they may lie outside the image.
    """

    area: Area
    x0: float
    y0: float
    x1: float
    y1: float
    mirrored: bool = False

    @classmethod
    def fit(cls, area: Area, part: Rectangle, mirrored: bool = False) -> Viewport:
        """Return the viewport that shows an image part whole, centred and as large as possible."""
        width, height = max(part[2] - part[0], 1e-6), max(part[3] - part[1], 1e-6)
        scale = max(min(area.width / width, area.height / height), 1e-9)
        x, y = (part[0] + part[2]) / 2, (part[1] + part[3]) / 2
        dx, dy = area.width / scale / 2, area.height / scale / 2
        return cls(area, x - dx, y - dy, x + dx, y + dy, mirrored)

    @property
    def scale(self) -> float:
        """Canvas pixels per image pixel."""
        return self.area.width / (self.x1 - self.x0)

    def clip_space(self, part: Rectangle) -> Rectangle:
        """Return an image part in the area's clip space."""
        left, right = (2 * (part[i] - self.x0) / (self.x1 - self.x0) - 1 for i in (0, 2))
        top, bottom = (1 - 2 * (part[i] - self.y0) / (self.y1 - self.y0) for i in (1, 3))
        return (-left, top, -right, bottom) if self.mirrored else (left, top, right, bottom)

    def area_from_image(self, x: float, y: float) -> tuple[float, float]:
        """Return an image point in canvas pixels from the area's upper left corner."""
        column = (x - self.x0) * self.scale
        row = (y - self.y0) / (self.y1 - self.y0) * self.area.height
        return (self.area.width - column if self.mirrored else column), row

    def image_from_canvas(self, x: float, y: float) -> tuple[float, float]:
        """Return a canvas point in image coordinates, pixel edges at integers."""
        across = (x - self.area.left) / self.area.width
        down = (y - self.area.top) / self.area.height
        if self.mirrored:
            across = 1 - across
        return self.x0 + across * (self.x1 - self.x0), self.y0 + down * (self.y1 - self.y0)


def halves(area: Area) -> tuple[Area, Area]:
    """Split an area in two along its longer side."""
    if area.width >= area.height:
        half = area.width // 2
        return (
            Area(area.left, area.top, half, area.height),
            Area(area.left + half, area.top, area.width - half, area.height),
        )
    half = area.height // 2
    return (
        Area(area.left, area.top, area.width, half),
        Area(area.left, area.top + half, area.width, area.height - half),
    )


def tiles(area: Area, count: int) -> list[Area]:
    """Return `count` equal areas in rows, laid out so that squares in them are largest."""

    def side(columns: int) -> float:
        return min(area.width / columns, area.height / -(-count // columns))

    columns = max(range(1, count + 1), key=side)
    rows = -(-count // columns)
    width, height = max(1, area.width // columns), max(1, area.height // rows)
    return [
        Area(area.left + n % columns * width, area.top + n // columns * height, width, height)
        for n in range(count)
    ]
