"""Software rasteriser for triangle meshes, in NumPy.

It answers two questions about projected triangles, sampled at pixel centres:

- `CoverageRasteriser.rasterise`: which pixels are covered? No depth is needed, so a batch of meshes
  takes little time (masks).
- `nearest_faces`: which face is nearest at each pixel, and what do its interpolated vertex values
  amount to? This is a depth test (the overlay without OpenGL).

Coordinates are image pixels, x right, y down, pixel centres at integers. A face shows its outside
where its corners run counter-clockwise in the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from pymaf_live.types import Array, Ints

Floats = npt.NDArray[np.float32]
Ints32 = npt.NDArray[np.int32]
Bits = npt.NDArray[np.uint8]
"""(H, ceil(W / 8)) a black-and-white image, eight pixels per byte, most significant bit first."""

NEAR = 0.05
"""Near plane in metres: nothing closer to the camera is drawn."""

_BITS_PER_BYTE = 8
_MAX_SAMPLES = 1_000_000
"""Samples tested in one step; bounds the memory (about 60 bytes each)."""
_MIN_AREA = 1e-6
"""Faces of a smaller signed double area (square pixels) are skipped."""
_EDGE_SLACK = 1e-4
"""Widens spans by this many pixels, so that no crack opens between neighbouring faces."""
_MIN_SLOPE = 1e-12


def signed_double_area(x: Sequence[Array], y: Sequence[Array]) -> Array:
    """Return twice the signed area of projected triangles; negative where they face the camera.

    Parameters
    ----------
    x, y : three arrays each
        The corners' coordinates, of any one shape.
    """
    return (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])


class CoverageRasteriser:
    """Pixels covered by meshes that share their faces.

    Faces that point at the camera cover a point as often as their common boundary winds around it.
    Edges between two such faces cancel out, so the boundary consists of the few edges where a face
    pointing at the camera meets one that does not. Walking down a column of pixels, each boundary
    edge crossed raises or lowers the cover count of the pixels below it.

    Parameters
    ----------
    faces : (F, 3) int array
        Any faces: the mesh may be open, and an edge may have more than two faces.
    """

    def __init__(self, faces: Ints) -> None:
        start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        low, high = np.minimum(start, end), np.maximum(start, end)
        stride = int(faces.max(initial=0)) + 1
        keys, edge = np.unique(low * stride + high, return_inverse=True)
        self._tail, self._head = keys // stride, keys % stride
        # +1 where a face runs along the edge from tail to head, -1 where it runs back
        direction = np.where(start < end, 1, -1).astype(np.int8)
        face = np.repeat(np.arange(len(faces)), 3)
        self._edge_of_face = csr_matrix(
            (direction, (edge, face)), (len(keys), len(faces)), dtype=np.int8
        )
        self._buffer = np.empty(0, dtype=np.int8)

    def rasterise(
        self,
        x: Floats,
        y: Floats,
        front: npt.NDArray[np.bool_],
        sizes: Sequence[tuple[int, int]],
    ) -> list[Bits]:
        """Return the coverage of B meshes, each in an image of its own.

        Parameters
        ----------
        x, y : (V, B) float32 arrays
            Vertices in image pixels; finite.
        front : (F, B) bool array
            Faces to draw; they must run counter-clockwise in the image.
        sizes : B pairs of int
            Width and height of each mesh's image.

        Returns
        -------
        list of B arrays
            1 where the pixel's centre lies inside a face.
        """
        count = x.shape[1]
        width, height = np.array(sizes).reshape(-1, 2).T
        left = np.clip(np.ceil(x.min(axis=0)), 0, width).astype(np.int64)
        left = left // _BITS_PER_BYTE * _BITS_PER_BYTE
        right = np.clip(np.floor(x.max(axis=0)) + 1, left, width).astype(np.int64)
        top = np.clip(np.ceil(y.min(axis=0)), 0, height).astype(np.int64).min()
        bottom = np.clip(np.floor(y.max(axis=0)) + 1, top, height).astype(np.int64).max()
        # the meshes lie side by side in whole bytes; a spare last row takes crossings below them
        byte_width = -(-(right - left) // _BITS_PER_BYTE)
        byte_end = np.cumsum(byte_width)
        cover = self._zeros(int(bottom - top + 1), int(byte_end[-1] * _BITS_PER_BYTE))
        mesh, column, row, change = self._crossings(x, y, front, width)
        row = np.ceil(np.clip(row, top, bottom)).astype(np.int64) - top
        column = column + ((byte_end - byte_width) * _BITS_PER_BYTE - left)[mesh]
        np.add.at(cover.reshape(-1), row * cover.shape[1] + column, change)
        for above, below in pairwise(cover):
            below += above
        bits = np.packbits(cover[:-1], axis=1)
        images = []
        for i in range(count):
            image: Bits = np.zeros((height[i], -(-width[i] // _BITS_PER_BYTE)), dtype=np.uint8)
            part = image[top:bottom, left[i] // _BITS_PER_BYTE :][:, : byte_width[i]]
            part[:] = bits[: len(part), byte_end[i] - byte_width[i] : byte_end[i]]
            images.append(image)
        return images

    def _zeros(self, rows: int, columns: int) -> npt.NDArray[np.int8]:
        """Return a zeroed view of a reused buffer.

        Memory that is new to the process would take longer than all the work done in it here.
        """
        if self._buffer.size < rows * columns:
            self._buffer = np.empty(rows * columns, dtype=np.int8)
        zeros = self._buffer[: rows * columns].reshape(rows, columns)
        zeros[:] = 0
        return zeros

    def _crossings(
        self,
        x: Floats,
        y: Floats,
        front: npt.NDArray[np.bool_],
        width: Ints,
    ) -> tuple[Ints, Ints, Array, npt.NDArray[np.int8]]:
        """Return where boundary edges cross pixel columns, for images of widths (B,).

        Returns
        -------
        mesh, column : (N,) arrays
        row : (N,) array
            In image pixels, not clipped.
        change : (N,) array
            Change of the cover count below the crossing.
        """
        winding = self._edge_of_face @ front.view(np.int8)
        place = np.flatnonzero(winding)
        edge, mesh = np.divmod(place, x.shape[1])
        tail = self._tail[edge] * x.shape[1] + mesh
        head = self._head[edge] * x.shape[1] + mesh
        x0, y0 = x.reshape(-1)[tail].astype(float), y.reshape(-1)[tail].astype(float)
        x1, y1 = x.reshape(-1)[head].astype(float), y.reshape(-1)[head].astype(float)
        limit = width[mesh]
        first = np.ceil(np.clip(np.minimum(x0, x1), 0, limit)).astype(np.int64)
        number = np.ceil(np.clip(np.maximum(x0, x1), 0, limit)).astype(np.int64) - first
        crossed = np.flatnonzero(number)
        x0, y0, x1, y1, first, number = (part[crossed] for part in (x0, y0, x1, y1, first, number))
        # counter-clockwise in the image: above the area it encloses, a boundary runs to the left
        change = np.where(x0 < x1, -1, 1) * winding.reshape(-1)[place[crossed]]
        slope = (y1 - y0) / (x1 - x0)
        owner, offset = _expand(number)
        column = offset + first[owner]
        row = y0[owner] + (column - x0[owner]) * slope[owner]
        # int8 counts modulo 256; a body never has that many layers over one pixel
        return mesh[crossed][owner], column, row, change[owner].astype(np.int8)


def nearest_faces(
    pixels: Array, inverse_depth: Floats, values: Floats, faces: Ints32, size: tuple[int, int]
) -> tuple[Ints, Floats]:
    """Find the nearest face at each pixel and interpolate vertex values over it.

    Each triangle is cut into rows and each row into the pixels between its ends, for all triangles
    at once.

    Parameters
    ----------
    pixels : (V, 2) array
        Projected vertices.
    inverse_depth : (V,) float32 array
        1 / m, positive.
    values : (V, C) float32 array
        Interpolated linearly in the image.
    faces : (F, 3) int array
        Faces that turn away from the camera are skipped.
    size : tuple of int
        Width and height of the image in pixels.

    Returns
    -------
    pixel : (P,) int array
        Covered pixels in ascending order, as row * width + column.
    values : (P, C) float32 array
        Values of the nearest face at each of them.
    """
    width, height = size
    x, y = (tuple(pixels[faces[:, corner], axis] for corner in range(3)) for axis in range(2))
    area = signed_double_area(x, y)
    left = np.clip(np.ceil(_lowest(x)), 0, width).astype(np.int64)
    right = np.clip(np.floor(_highest(x)) + 1, 0, width).astype(np.int64)
    top = np.clip(np.ceil(_lowest(y)), 0, height).astype(np.int64)
    bottom = np.clip(np.floor(_highest(y)) + 1, 0, height).astype(np.int64)
    drawn = np.flatnonzero((area < -_MIN_AREA) & (right > left) & (bottom > top))
    # nearer faces last: of several assignments to a pixel the last one stays, mostly the right one
    drawn = drawn[np.argsort(inverse_depth[faces[drawn, 0]], kind="stable")]
    faces, left, right = faces[drawn], left[drawn], right[drawn]
    top, bottom = top[drawn], bottom[drawn]
    planes = _weight_planes([v[drawn] - left for v in x], [v[drawn] - top for v in y], area[drawn])
    # 1 / z is linear in the image
    depth_plane = np.einsum("fkc,fk->fc", planes, inverse_depth[faces])

    nearest = np.zeros(width * height, np.float32)
    winner = np.full(width * height, -1, np.int32)
    face, down = _expand(bottom - top)
    start, count = _spans(planes[face], down, (right - left)[face])
    base = (top[face] + down) * width + left[face] + start
    near_start = depth_plane[face, 0] * start + depth_plane[face, 1] * down + depth_plane[face, 2]
    near_step = depth_plane[face, 0].astype(np.float32)
    near_start, owner = near_start.astype(np.float32), face.astype(np.int32)
    for first, last in _chunks(count, _MAX_SAMPLES):
        row, along = _expand(count[first:last])
        row += first
        near = near_start[row] + near_step[row] * along.astype(np.float32)
        _keep_nearest(nearest, winner, base[row] + along, near, owner[row])

    pixel = np.flatnonzero(winner >= 0)
    own = winner[pixel]
    value_plane = np.einsum("fkc,fkv->cfv", planes, values[faces]).astype(np.float32)
    fx = (pixel % width - left[own]).astype(np.float32)[:, None]
    fy = (pixel // width - top[own]).astype(np.float32)[:, None]
    interpolated = value_plane[0][own] * fx + value_plane[1][own] * fy + value_plane[2][own]
    return pixel, interpolated


def _lowest(corners: Sequence[Array]) -> Array:
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _highest(corners: Sequence[Array]) -> Array:
    return np.maximum(np.maximum(corners[0], corners[1]), corners[2])


def _weight_planes(x: Sequence[Array], y: Sequence[Array], area: Array) -> Array:
    """Return barycentric weights as planes (F, 3, 3): corner weight = (a, b, c) . (x, y, 1)."""
    planes = np.empty((len(area), 3, 3))
    for corner in range(3):
        one, other = (corner + 1) % 3, (corner + 2) % 3
        planes[:, corner, 0] = (y[one] - y[other]) / area
        planes[:, corner, 1] = (x[other] - x[one]) / area
        planes[:, corner, 2] = (x[one] * y[other] - x[other] * y[one]) / area
    return planes


def _spans(planes: Array, down: Ints, across: Ints) -> tuple[Ints, Ints]:
    """Return the first column and the number of the pixels inside a triangle, for each row."""
    low, high = np.zeros(len(down)), across - 1.0
    for corner in range(3):
        slope = planes[:, corner, 0]
        # an edge along the row has the whole row on one side: place its crossing far away
        slope = np.where(np.abs(slope) < _MIN_SLOPE, _MIN_SLOPE, slope)
        end = -(planes[:, corner, 1] * down + planes[:, corner, 2]) / slope
        rising = slope > 0
        low = np.where(rising, np.maximum(low, end), low)
        high = np.where(rising, high, np.minimum(high, end))
    start = np.ceil(np.minimum(low, across + 1.0) - _EDGE_SLACK)
    count = np.maximum(np.floor(np.maximum(high, -1.0) + _EDGE_SLACK) - start + 1, 0)
    return start.astype(np.int64), count.astype(np.int64)


def _expand(counts: Ints) -> tuple[Ints, Ints]:
    """Return, for items of several entries each, every entry's item and its number within it."""
    item = np.repeat(np.arange(len(counts)), counts)
    return item, np.arange(len(item)) - (np.cumsum(counts) - counts)[item]


def _keep_nearest(
    nearest: Floats, winner: Ints32, pixel: Ints, near: Floats, owner: Ints32
) -> None:
    """Depth-test many samples at once, several of which may fall on the same pixel."""
    passing = near > nearest[pixel]
    pixel, near, owner = pixel[passing], near[passing], owner[passing]
    left, left_near = pixel, near
    while len(left):
        # each round raises every pixel that is not right yet, so the loop ends
        nearest[left] = left_near
        still = left_near > nearest[left]
        left, left_near = left[still], left_near[still]
    won = near == nearest[pixel]
    winner[pixel[won]] = owner[won]


def _chunks(counts: Ints, limit: int) -> Iterator[tuple[int, int]]:
    """Yield ranges first..last of whole items whose counts sum to about `limit`."""
    ends = np.cumsum(counts)
    first, done = 0, 0
    while first < len(counts):
        last = max(int(np.searchsorted(ends, done + limit, side="right")), first + 1)
        yield first, last
        first, done = last, int(ends[last - 1])
