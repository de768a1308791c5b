"""Strip under the timeline that shows where the motion of a take is doubtful."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from pymaf_live.rendering.style import score_colours
from pymaf_live.takes.doubt import Doubt
from pymaf_live.types import Array
from ui.system.theme import colours

_ROWS = 3
"""Rows of pixels of the strip's image: the first marks corrections, the others the confidence."""


class DoubtStrip:
    """Image of a take's confidence, one column per pixel; made again when the width changes."""

    def __init__(self) -> None:
        self._doubt: Doubt | None = None
        self._position: Array = np.zeros(0)
        self._image: tuple[int, str, QImage] | None = None

    def set_doubt(self, doubt: Doubt | None, frame_time: Array) -> None:
        """Show a take's confidence.

        Parameters
        ----------
        doubt : Doubt or None
        frame_time : (F,) array
            Seconds.
        """
        self._doubt = doubt
        self._image = None
        span = float(frame_time[-1] - frame_time[0]) if len(frame_time) else 0.0
        self._position = (frame_time - frame_time[0]) / span if span > 0 else np.zeros(0)

    def text(self, frame: int) -> str:
        """Return a frame's confidence in words."""
        doubt = self._doubt
        if doubt is None or frame >= len(doubt.score):
            return ""
        parts = []
        if np.isfinite(doubt.score[frame]):
            parts.append(f"Confidence of the joints: {100 * doubt.score[frame]:.0f} %")
        if doubt.interpolated[frame]:
            parts.append("interpolated")
        if doubt.corrected[frame]:
            parts.append("corrected")
        return ", ".join(parts) or "No people"

    def paint(self, painter: QPainter, area: QRectF) -> None:
        """Draw the strip into an area of a widget."""
        if self._doubt is None or not len(self._position):
            return
        width = max(1, round(area.width()))
        theme = colours()
        if self._image is None or self._image[:2] != (width, theme.border):
            rgb = np.ascontiguousarray(self._pixels(width))
            image = QImage(rgb.data, width, _ROWS, 3 * width, QImage.Format.Format_RGB888).copy()
            self._image = (width, theme.border, image)
        painter.drawImage(area, self._image[2])

    def _pixels(self, width: int) -> npt.NDArray[np.uint8]:
        """Return the strip as (rows, width, 3) RGB; a column shows its least certain frame."""
        doubt = self._doubt
        assert doubt is not None
        theme = colours()
        empty, gap, done = (_rgb(c) for c in (theme.border, theme.secondary_text, theme.accent))
        column = np.minimum((self._position * width).astype(np.int64), width - 1)
        # each column without a frame of its own shows the frame before it
        frame = np.maximum(np.searchsorted(column, np.arange(width), side="right") - 1, 0)
        score = np.where(np.isfinite(doubt.score), doubt.score, np.inf)
        lowest = score[frame]
        np.minimum.at(lowest, column, score)
        seen = np.isfinite(lowest)
        colour = np.tile(empty, (width, 1))
        colour[seen] = np.rint(255 * score_colours(lowest[seen])).astype(np.uint8)
        interpolated, corrected = doubt.interpolated[frame], doubt.corrected[frame]
        np.logical_or.at(interpolated, column, doubt.interpolated)
        np.logical_or.at(corrected, column, doubt.corrected)
        # every second column only, so that the confidence around a gap stays visible
        colour[interpolated & (np.arange(width) % 2 == 0)] = gap
        rows = np.tile(colour, (_ROWS, 1, 1))
        rows[0, corrected] = done
        return rows.astype(np.uint8)


def _rgb(name: str) -> npt.NDArray[np.uint8]:
    colour = QColor(name)
    return np.array([colour.red(), colour.green(), colour.blue()], np.uint8)
