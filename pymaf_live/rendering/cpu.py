"""Bodies drawn without a graphics card: a depth-buffered rasteriser in NumPy.

Each triangle is cut into rows and each row into the pixels between its ends, all triangles at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.rendering.alpha_blend import lay_over
from pymaf_live.rendering.scene import Scene, Stage, Window
from pymaf_live.rendering.strokes import Strokes, scene_strokes
from pymaf_live.rendering.style import Look, shade
from pymaf_live.rendering.surface import NEAR, Floats
from pymaf_live.types import Array, Camera, Image, Person

_CHUNK = 1_000_000
"""Pixels tested at once; bounds the memory (about 60 bytes each)."""
_LEAST_AREA = 1e-6
_SLACK = 1e-4
_FLAT = 1e-12
_SUBPIXEL_BITS = 4

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]


class CpuOverlay:
    """Overlay without GL; see `pymaf_live.rendering.overlay.Overlay`.

    Parameters
    ----------
    stage : Stage
    look : Look
    notice : str
        Why not GL.
    """

    name = "cpu rasteriser"

    def __init__(self, stage: Stage, look: Look, notice: str = "") -> None:
        self._stage, self._look, self.notice = stage, look, notice

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """See `Overlay.draw`."""
        drawn = np.array(image)
        height, width = drawn.shape[:2]
        scene = self._stage.scene(people, camera, (width, height), self._look)
        if scene is None:
            return drawn
        window = scene.window
        if self._look.body:
            part = drawn[window.y0 : window.y1, window.x0 : window.x1]
            lay_over(part, self._bodies(scene))
        _draw_strokes(drawn, scene_strokes(scene, self._stage.surface.body.parents))
        return drawn

    def close(self) -> None:
        """See `Overlay.close`."""

    def _bodies(self, scene: Scene) -> npt.NDArray[np.uint8]:
        """(h, w, 4) RGBA of the scene's window, colours premultiplied."""
        surface, camera = self._stage.surface, scene.camera
        corners, colours, faces, start = [], [], [], 0
        for posed in scene.people:
            vertices, normals = surface.pose(posed.mesh, posed.bones)
            corners.append(vertices)
            if scene.look.parts:
                colour = surface.part_colours
            else:
                colour = shade(vertices, normals, posed.colour)
            opacity = np.full((len(vertices), 1), scene.look.opacity * posed.presence, np.float32)
            colours.append(np.concatenate([colour * opacity, opacity], axis=1))
            faces.append(surface.faces + start)
            start += len(vertices)
        points, values = np.concatenate(corners), np.concatenate(colours)
        depth = points[:, 2]
        inverse = (1 / np.maximum(depth, NEAR)).astype(np.float32)
        origin = camera.principal_point - (scene.window.x0, scene.window.y0)
        pixels = points[:, :2] * (inverse[:, None] * camera.focal_length) + origin
        every = np.concatenate(faces)
        every = every[(depth[every] > NEAR).all(axis=1)]
        pixel, lit = cover(pixels, inverse, values, every, scene.window)

        sheet = np.zeros((scene.window.height * scene.window.width, 4), np.uint8)
        sheet[pixel] = np.rint(np.clip(lit, 0, 1) * np.float32(255))
        return sheet.reshape(scene.window.height, scene.window.width, 4)


def cover(
    pixels: Array, inverse_depth: Floats, values: Floats, faces: Ints32, window: Window
) -> tuple[Ints, Floats]:
    """Find the nearest face at each pixel centre of a window.

    Parameters
    ----------
    pixels : (V, 2) array
        Projected vertices, pixels of the window, pixel centres at integers, y down.
    inverse_depth : (V,) float32 array
        1 / m, positive.
    values : (V, C) float32 array
        What is spread over the faces.
    faces : (F, 3) int array
        Counter-clockwise seen from outside; faces seen from inside are left out.
    window : Window
        Only its size counts.

    Returns
    -------
    pixel : (P,) int array
        The pixels that are covered, row times width plus column, each once.
    values : (P, C) float32 array
        Of the nearest face there.
    """
    width, height = window.width, window.height
    x, y = (tuple(pixels[faces[:, corner], axis] for corner in range(3)) for axis in range(2))
    # y runs down, so the outside is seen where the signed area is negative
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    left = np.clip(np.ceil(_least(x)), 0, width).astype(np.int64)
    right = np.clip(np.floor(-_least([-v for v in x])) + 1, 0, width).astype(np.int64)
    top = np.clip(np.ceil(_least(y)), 0, height).astype(np.int64)
    bottom = np.clip(np.floor(-_least([-v for v in y])) + 1, 0, height).astype(np.int64)
    kept = np.flatnonzero((area < -_LEAST_AREA) & (right > left) & (bottom > top))
    # nearer faces last: an assignment to a pixel met twice keeps the last, mostly the right one
    kept = kept[np.argsort(inverse_depth[faces[kept, 0]], kind="stable")]
    faces, left, right = faces[kept], left[kept], right[kept]
    top, bottom = top[kept], bottom[kept]
    planes = _weight_planes([v[kept] - left for v in x], [v[kept] - top for v in y], area[kept])
    # 1 / z runs linearly over the picture
    depth_plane = np.einsum("fkc,fk->fc", planes, inverse_depth[faces])

    nearest = np.zeros(width * height, np.float32)
    winner = np.full(width * height, -1, np.int32)
    face, down = _laid_end_to_end(bottom - top)
    start, count = _spans(planes[face], down, (right - left)[face])
    base = (top[face] + down) * width + left[face] + start
    near_start = depth_plane[face, 0] * start + depth_plane[face, 1] * down + depth_plane[face, 2]
    near_step = depth_plane[face, 0].astype(np.float32)
    near_start, owner = near_start.astype(np.float32), face.astype(np.int32)
    for first, last in _chunks(count, _CHUNK):
        row, along = _laid_end_to_end(count[first:last])
        row += first
        near = near_start[row] + near_step[row] * along.astype(np.float32)
        _keep_nearest(nearest, winner, base[row] + along, near, owner[row])

    pixel = np.flatnonzero(winner >= 0)
    own = winner[pixel]
    value_plane = np.einsum("fkc,fkv->cfv", planes, values[faces]).astype(np.float32)
    fx = (pixel % width - left[own]).astype(np.float32)[:, None]
    fy = (pixel // width - top[own]).astype(np.float32)[:, None]
    spread = value_plane[0][own] * fx + value_plane[1][own] * fy + value_plane[2][own]
    return pixel, spread


def _least(corners: Sequence[Array]) -> Array:
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _weight_planes(x: Sequence[Array], y: Sequence[Array], area: Array) -> Array:
    """Barycentric weights as planes (F, 3, 3): weight of a corner = (a, b, c) . (x, y, 1)."""
    planes = np.empty((len(area), 3, 3))
    for corner in range(3):
        one, other = (corner + 1) % 3, (corner + 2) % 3
        planes[:, corner, 0] = (y[one] - y[other]) / area
        planes[:, corner, 1] = (x[other] - x[one]) / area
        planes[:, corner, 2] = (x[one] * y[other] - x[other] * y[one]) / area
    return planes


def _spans(planes: Array, down: Ints, across: Ints) -> tuple[Ints, Ints]:
    """First column and number of the pixels inside a triangle in each row."""
    low, high = np.zeros(len(down)), across - 1.0
    for corner in range(3):
        slope = planes[:, corner, 0]
        # an edge along the row has all of it on one side: an end far away says so
        slope = np.where(np.abs(slope) < _FLAT, _FLAT, slope)
        end = -(planes[:, corner, 1] * down + planes[:, corner, 2]) / slope
        rising = slope > 0
        low = np.where(rising, np.maximum(low, end), low)
        high = np.where(rising, high, np.minimum(high, end))
    # no crack may open between neighbours
    start = np.ceil(np.minimum(low, across + 1.0) - _SLACK)
    count = np.maximum(np.floor(np.maximum(high, -1.0) + _SLACK) - start + 1, 0)
    return start.astype(np.int64), count.astype(np.int64)


def _laid_end_to_end(counts: Ints) -> tuple[Ints, Ints]:
    """For items of several places: the item of each place, and the place within the item."""
    item = np.repeat(np.arange(len(counts)), counts)
    return item, np.arange(len(item)) - (np.cumsum(counts) - counts)[item]


def _keep_nearest(
    nearest: Floats,
    winner: Ints32,
    pixel: Ints,
    near: Floats,
    own: Ints32,
) -> None:
    """Depth test of many samples at once, several of them at the same pixel."""
    beaten = near > nearest[pixel]
    pixel, near, own = pixel[beaten], near[beaten], own[beaten]
    left, left_near = pixel, near
    while len(left):
        # each round raises every pixel that is not yet right, so this ends
        nearest[left] = left_near
        still = left_near > nearest[left]
        left, left_near = left[still], left_near[still]
    won = near == nearest[pixel]
    winner[pixel[won]] = own[won]


def _chunks(counts: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Runs first..last of whole items whose counts sum to about `most`."""
    ends = np.cumsum(counts)
    first, done = 0, 0
    while first < len(counts):
        last = max(int(np.searchsorted(ends, done + most, side="right")), first + 1)
        yield first, last
        first, done = last, int(ends[last - 1])


def _draw_strokes(drawn: Image, strokes: Strokes) -> None:
    one = 1 << _SUBPIXEL_BITS
    # OpenCV's coordinates are 32-bit: keep what lies far outside from wrapping round
    farthest = 4.0 * max(drawn.shape)
    for ends, paint in zip(strokes.ends, strokes.paint, strict=True):
        if not (np.abs(ends) < farthest).all():
            continue
        radius, opacity = float(paint[3]), float(paint[4])
        # only what is fainter needs a sheet of its own to be laid over
        sheet = drawn if opacity >= 1 else drawn.copy()
        x0, y0, x1, y1 = np.rint(ends * one).astype(int).tolist()
        tone = (paint[:3] * 255).tolist()
        for colour, grow in (((26, 31, 41), 1.0), (tone, 0.62)):
            if (x0, y0) == (x1, y1):
                size = round(radius * grow * one)
                cv2.circle(sheet, (x0, y0), size, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
            else:
                thick = max(1, round(2 * radius * grow))
                cv2.line(sheet, (x0, y0), (x1, y1), colour, thick, cv2.LINE_AA, _SUBPIXEL_BITS)
        if sheet is not drawn:
            np.copyto(drawn, cv2.addWeighted(sheet, opacity, drawn, 1 - opacity, 0))
