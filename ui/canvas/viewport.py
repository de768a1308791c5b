"""Which part of a picture fills which part of the canvas."""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Area:
    """A rectangle of the canvas in physical pixels, from its upper left corner."""

    left: int
    top: int
    width: int
    height: int

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return 0 <= x - self.left < self.width and 0 <= y - self.top < self.height


@dataclass(frozen=True)
class Pane:
    """A picture as it is seen through an area.

    `x0`..`y1` are the picture's pixels, edges at whole numbers, at the area's edges; they may lie
    outside the picture.
    """

    area: Area
    x0: float
    y0: float
    x1: float
    y1: float
    mirrored: bool = False

    @classmethod
    def about(cls, area: Area, part: Place, mirrored: bool = False) -> Pane:
        """All of a part of the picture in the area's middle, as large as goes."""
        width, height = max(part[2] - part[0], 1e-6), max(part[3] - part[1], 1e-6)
        scale = max(min(area.width / width, area.height / height), 1e-9)
        x, y = (part[0] + part[2]) / 2, (part[1] + part[3]) / 2
        across, down = area.width / scale / 2, area.height / scale / 2
        return cls(area, x - across, y - down, x + across, y + down, mirrored)

    @property
    def scale(self) -> float:
        """Canvas pixels a picture pixel."""
        return self.area.width / (self.x1 - self.x0)

    def place(self, part: Place) -> Place:
        """Clip-space left, top, right, bottom of a part of the picture within the area."""
        left, right = (2 * (part[i] - self.x0) / (self.x1 - self.x0) - 1 for i in (0, 2))
        top, bottom = (1 - 2 * (part[i] - self.y0) / (self.y1 - self.y0) for i in (1, 3))
        return (-left, top, -right, bottom) if self.mirrored else (left, top, right, bottom)

    def in_area(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the picture, edges at whole numbers, lies from the area's corner."""
        across = (x - self.x0) * self.scale
        down = (y - self.y0) / (self.y1 - self.y0) * self.area.height
        return (self.area.width - across if self.mirrored else across), down

    def in_picture(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the canvas lies in the picture, edges at whole numbers."""
        across = (x - self.area.left) / self.area.width
        down = (y - self.area.top) / self.area.height
        if self.mirrored:
            across = 1 - across
        return self.x0 + across * (self.x1 - self.x0), self.y0 + down * (self.y1 - self.y0)


def halves(area: Area) -> tuple[Area, Area]:
    """Two halves beside each other, or one above the other where it is higher than wide."""
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
    """`count` equal areas in rows, as large as squares in them can be."""

    def side(columns: int) -> float:
        return min(area.width / columns, area.height / -(-count // columns))

    columns = max(range(1, count + 1), key=side)
    rows = -(-count // columns)
    width, height = max(1, area.width // columns), max(1, area.height // rows)
    return [
        Area(area.left + n % columns * width, area.top + n // columns * height, width, height)
        for n in range(count)
    ]
