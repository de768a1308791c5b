"""What a surface covers in a picture, from its outline alone.

Faces that look at the camera, laid over each other, cover a point as often as their boundary winds
around it. Edges between two such faces cancel out, so the boundary is the few edges where a face
that looks at the camera meets one that does not. Going down a column of pixels, each of these that
is crossed raises or lowers how often the pixels below it are covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from pymaf_live.body.model import Ints
from pymaf_live.types import Array

Bits = npt.NDArray[np.uint8]
"""(H, ceil(W / 8)) a picture of black and white, eight pixels a byte, the first the highest bit."""
_BYTE = 8


class Outline:
    """The edges of faces (F, 3), which may be any: open, or more than two at an edge."""

    def __init__(self, faces: Ints) -> None:
        start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        low, high = np.minimum(start, end), np.maximum(start, end)
        stride = int(faces.max(initial=0)) + 1
        keys, edge = np.unique(low * stride + high, return_inverse=True)
        self._tail, self._head = keys // stride, keys % stride
        # +1 where a face goes round from tail to head, -1 where it comes back
        way = np.where(start < end, 1, -1).astype(np.int8)
        face = np.repeat(np.arange(len(faces)), 3)
        self._around = csr_matrix((way, (edge, face)), (len(keys), len(faces)), dtype=np.int8)
        self._kept = np.empty(0, dtype=np.int8)

    def covered(
        self,
        x: npt.NDArray[np.float32],
        y: npt.NDArray[np.float32],
        front: npt.NDArray[np.bool_],
        sizes: Sequence[tuple[int, int]],
    ) -> list[Bits]:
        """The pixels whose centres lie within faces.

        Parameters
        ----------
        x, y : (V, B) arrays
            Frame pixels of the vertices of B surfaces, centres at integers; finite.
        front : (F, B) array
            The faces that count; as seen they run counter-clockwise.
        sizes : B pairs
            Of each surface's picture, width and height, px.

        Returns
        -------
        B arrays
        """
        count = x.shape[1]
        width, height = np.array(sizes).reshape(-1, 2).T
        left = np.clip(np.ceil(x.min(axis=0)), 0, width).astype(np.int64) // _BYTE * _BYTE
        right = np.clip(np.floor(x.max(axis=0)) + 1, left, width).astype(np.int64)
        top = np.clip(np.ceil(y.min(axis=0)), 0, height).astype(np.int64).min()
        bottom = np.clip(np.floor(y.max(axis=0)) + 1, top, height).astype(np.int64).max()
        # surfaces lie side by side, each in whole bytes; crossings below them in a row of their own
        bytes_wide = -(-(right - left) // _BYTE)
        after = np.cumsum(bytes_wide)
        wound = self._blank(int(bottom - top + 1), int(after[-1] * _BYTE))
        surface, column, row, turn = self._crossings(x, y, front, width)
        row = np.ceil(np.clip(row, top, bottom)).astype(np.int64) - top
        column = column + ((after - bytes_wide) * _BYTE - left)[surface]
        np.add.at(wound.reshape(-1), row * wound.shape[1] + column, turn)
        for above, below in pairwise(wound):
            below += above
        bits = np.packbits(wound[:-1], axis=1)
        pictures = []
        for each in range(count):
            picture: Bits = np.zeros((height[each], -(-width[each] // _BYTE)), dtype=np.uint8)
            place = picture[top:bottom, left[each] // _BYTE :][:, : bytes_wide[each]]
            place[:] = bits[: len(place), after[each] - bytes_wide[each] : after[each]]
            pictures.append(picture)
        return pictures

    def _blank(self, rows: int, columns: int) -> npt.NDArray[np.int8]:
        """Zeros; memory new to the process takes longer than all that is done with it here."""
        if self._kept.size < rows * columns:
            self._kept = np.empty(rows * columns, dtype=np.int8)
        blank = self._kept[: rows * columns].reshape(rows, columns)
        blank[:] = 0
        return blank

    def _crossings(
        self,
        x: npt.NDArray[np.float32],
        y: npt.NDArray[np.float32],
        front: npt.NDArray[np.bool_],
        width: Ints,
    ) -> tuple[Ints, Ints, Array, npt.NDArray[np.int8]]:
        """Where boundaries cross the columns of pixels of pictures of a width (B,).

        Returns
        -------
        surface, column : (N,) arrays
        row : (N,) array
            Frame pixels, anywhere.
        turn : (N,) array
            By how much more often what lies below it is covered.
        """
        change = self._around @ front.view(np.int8)
        place = np.flatnonzero(change)
        edge, surface = np.divmod(place, x.shape[1])
        tail = self._tail[edge] * x.shape[1] + surface
        head = self._head[edge] * x.shape[1] + surface
        x0, y0 = x.reshape(-1)[tail].astype(float), y.reshape(-1)[tail].astype(float)
        x1, y1 = x.reshape(-1)[head].astype(float), y.reshape(-1)[head].astype(float)
        most = width[surface]
        first = np.ceil(np.clip(np.minimum(x0, x1), 0, most)).astype(np.int64)
        number = np.ceil(np.clip(np.maximum(x0, x1), 0, most)).astype(np.int64) - first
        crossed = np.flatnonzero(number)
        x0, y0, x1, y1, first, number = (each[crossed] for each in (x0, y0, x1, y1, first, number))
        # counter-clockwise as seen: above what it goes round, a boundary runs to the left
        turn = np.where(x0 < x1, -1, 1) * change.reshape(-1)[place[crossed]]
        slope = (y1 - y0) / (x1 - x0)
        of = np.repeat(np.arange(len(number)), number)
        before = np.cumsum(number) - number
        column = np.arange(len(of)) + (first - before)[of]
        row = y0[of] + (column - x0[of]) * slope[of]
        # more than 255 layers of a body at a pixel are not met
        return surface[crossed][of], column, row, turn[of].astype(np.int8)
