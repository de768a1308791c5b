"""Timeline track of a take: playhead, trim range and markers."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from pymaf_live.takes.doubt import Doubt
from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.take import Take
from ui.system.theme import colours
from ui.widgets.doubt_strip import DoubtStrip

_LARGE_STEP = 10
"""Frames per step with Shift."""


class TimelineTrack(QWidget):
    """Scrub by dragging anywhere, trim by dragging the brackets, move markers by their flags.

    Dragging with Shift selects a span. A strip below shows where the motion is doubtful.

    Left and Right move the playhead by a frame, with Shift by ten frames, and with Ctrl together
    with the marker at the playhead. Home and End go to the ends of the trim range.
    """

    frame_requested = Signal(int)
    """The user wants to see a frame."""
    trimmed = Signal(int, int)
    """First and last frame of the new trim range, after a bracket is released."""
    marker_moved = Signal(int, int)
    """Old and new frame of a marker, after it is released."""
    span_selected = Signal(int, int)
    """First and last frame of a span, while it is dragged with Shift."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._take: Take | None = None
        self._frame = 0
        self._trim = (0, 0)
        self._strip = DoubtStrip()
        self._span: tuple[int, int] | None = None
        self._anchor = 0
        """Frame where the selection of a span started."""
        self._dragged: str | None = None
        self._marker: tuple[int, int] | None = None
        """Original and current frame of the marker being dragged."""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Timeline of the take")

    def show_take(self, take: Take | None) -> None:
        """Show a take's length, trim range and markers; None shows an empty track."""
        self._take = take
        if take is not None:
            self._trim = trim_of(take)
        self.update()

    def show_doubt(self, doubt: Doubt | None) -> None:
        """Show the confidence over the take in the strip below; None shows none."""
        self._strip.set_doubt(doubt, self._take.frame_time if self._take else np.zeros(0))
        self.update()

    def show_span(self, span: tuple[int, int] | None) -> None:
        """Show the selected span; None shows none."""
        self._span = span
        self.update()

    def show_frame(self, frame: int) -> None:
        """Move the playhead to a frame."""
        self._frame = frame
        if self._take is not None:
            time = self._take.frame_time[frame] - self._take.frame_time[0]
            count = len(self._take.frame_time)
            text = f"{time:.2f} s, frame {frame + 1} of {count}"
            self.setAccessibleDescription(", ".join(filter(None, (text, self._strip.text(frame)))))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size three lines of text high."""
        return QSize(round(30 * self._unit()), round(2.9 * self.fontMetrics().height()))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the same size as `sizeHint`."""
        return self.sizeHint()

    def x_of(self, frame: int) -> float:
        """Return the position of a frame in pixels from the left."""
        groove = self._groove()
        return groove.left() + groove.width() * self._fraction(frame)

    # -- mouse and keyboard -------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Start dragging a marker or a bracket, or move the playhead."""
        if self._take is None or event.button() != Qt.MouseButton.LeftButton:
            return
        marker = self._marker_at(event.position())
        if marker is not None:
            # a click without dragging only moves the playhead to the marker
            self._dragged, self._marker = "marker", (marker, marker)
            self.frame_requested.emit(marker)
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._dragged, self._anchor = "span", self._frame_at(event.position().x())
        else:
            self._dragged = self._bracket_at(event.position()) or "frame"
        self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Drag, or show what can be dragged by the cursor."""
        if self._take is None:
            return
        if self._dragged is not None:
            self._drag(event.position().x())
        else:
            position = event.position()
            marker = self._marker_at(position)
            draggable = marker is not None or self._bracket_at(position) is not None
            self.setCursor(
                Qt.CursorShape.SizeHorCursor if draggable else Qt.CursorShape.PointingHandCursor
            )
            self.setToolTip(self._tool_tip(position, marker))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Report the new trim range or marker position."""
        dragged, self._dragged = self._dragged, None
        marker, self._marker = self._marker, None
        if dragged in ("first", "last"):
            self.trimmed.emit(*self._trim)
        elif marker is not None and marker[0] != marker[1]:
            self.marker_moved.emit(*marker)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move the playhead, with Ctrl together with its marker."""
        step = _LARGE_STEP if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        targets = {
            Qt.Key.Key_Left: self._frame - step,
            Qt.Key.Key_Right: self._frame + step,
            Qt.Key.Key_Home: self._trim[0],
            Qt.Key.Key_End: self._trim[1],
        }
        frame = targets.get(Qt.Key(event.key()))
        if frame is None or self._take is None:
            super().keyPressEvent(event)
            return
        frame = min(max(frame, 0), len(self._take.frame_time) - 1)
        with_marker = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if with_marker and self._frame in self._take.marker_frame and frame != self._frame:
            before = set(self._take.marker_frame)
            self.marker_moved.emit(self._frame, frame)
            # the marker may have ended elsewhere if another one was in its way
            frame = next(iter(set(self._take.marker_frame) - before), frame)
        self.frame_requested.emit(frame)

    # -- drawing ------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw groove, trim range, markers, brackets, playhead and focus."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        theme, groove, unit = colours(), self._groove(), self._unit()
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(groove, unit / 3, unit / 3)
        if self._take is None:
            return
        first, last = self.x_of(self._trim[0]), self.x_of(self._trim[1])
        painter.setBrush(QColor(theme.accent_disabled))
        painter.drawRect(QRectF(first, groove.top(), max(1.0, last - first), groove.height()))
        self._paint_span(painter)
        self._strip.paint(painter, self._strip_area())
        self._paint_markers(painter)
        self._paint_brackets(painter, first, last)
        painter.setBrush(QColor(theme.text))
        x = self.x_of(self._frame)
        painter.drawRect(QRectF(x - 1, groove.top() - unit / 2, 2.0, groove.height() + unit))
        painter.drawEllipse(QPointF(x, groove.bottom() + unit / 2), unit / 2, unit / 2)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(theme.accent))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    def _paint_span(self, painter: QPainter) -> None:
        if self._span is None:
            return
        groove = self._groove()
        left, right = (self.x_of(min(frame, self._last())) for frame in self._span)
        colour = QColor(colours().accent)
        colour.setAlpha(120)
        painter.setBrush(colour)
        painter.drawRect(QRectF(left, groove.top(), max(2.0, right - left), groove.height()))

    def _paint_markers(self, painter: QPainter) -> None:
        assert self._take is not None
        groove, unit = self._groove(), self._unit()
        painter.setBrush(QColor(colours().done))
        for frame in self._take.marker_frame:
            if self._marker is not None and frame == self._marker[0]:
                frame = self._marker[1]
            x, top = self.x_of(frame), groove.top() - unit / 4
            painter.drawPolygon(
                QPolygonF(
                    [
                        QPointF(x - unit / 2, top - unit),
                        QPointF(x + unit / 2, top - unit),
                        QPointF(x, top),
                    ]
                )
            )
            painter.drawRect(QRectF(x - 0.5, groove.top(), 1.0, groove.height()))

    def _paint_brackets(self, painter: QPainter, first: float, last: float) -> None:
        unit = self._unit()
        painter.setBrush(QColor(colours().accent))
        bracket = self._groove().adjusted(0, -unit / 3, 0, unit / 3)
        width = max(2.0, unit / 3)
        for x, side in ((first, 1), (last, -1)):
            painter.drawRect(QRectF(x - width / 2, bracket.top(), width, bracket.height()))
            for y in (bracket.top(), bracket.bottom() - width / 2):
                left = x if side > 0 else x - unit
                painter.drawRect(QRectF(left, y, unit, width / 2))

    # -- geometry -----------------------------------------------------------------------------

    def _unit(self) -> float:
        return float(self.fontMetrics().averageCharWidth())

    def _groove(self) -> QRectF:
        unit = self._unit()
        height = 0.8 * self.fontMetrics().height()
        return QRectF(1.5 * unit, height, self.width() - 3 * unit, height)

    def _strip_area(self) -> QRectF:
        groove = self._groove()
        top = groove.bottom() + 1.2 * self._unit()
        height = min(0.5 * self.fontMetrics().height(), self.height() - top - 2)
        return QRectF(groove.left(), round(top), groove.width(), max(3.0, round(height)))

    def _last(self) -> int:
        return len(self._take.frame_time) - 1 if self._take is not None else 0

    def _fraction(self, frame: int) -> float:
        """Return the position of a frame, 0..1, by its time: camera frames are not equidistant."""
        if self._take is None or len(self._take.frame_time) < 2:
            return 0.0
        times = self._take.frame_time
        return float((times[frame] - times[0]) / (times[-1] - times[0]))

    def _frame_at(self, x: float) -> int:
        assert self._take is not None
        groove, times = self._groove(), self._take.frame_time
        fraction = min(max((x - groove.left()) / max(groove.width(), 1.0), 0.0), 1.0)
        return int(abs(times - (times[0] + fraction * (times[-1] - times[0]))).argmin())

    def _bracket_at(self, position: QPointF) -> str | None:
        """Return 'first' or 'last' if a bracket lies under the mouse."""
        distances = {
            name: abs(self.x_of(frame) - position.x())
            for name, frame in zip(("first", "last"), self._trim, strict=True)
        }
        name = min(distances, key=lambda name: distances[name])
        # the lower half always scrubs, so that a bracket cannot hide the playhead
        upper = position.y() <= self._groove().center().y()
        return name if upper and distances[name] <= 1.2 * self._unit() else None

    def _marker_at(self, position: QPointF) -> int | None:
        """Return the frame of the marker whose flag, above the groove, lies under the mouse."""
        if self._take is None or position.y() > self._groove().top() - self._unit() / 4:
            return None
        distances = {
            abs(self.x_of(frame) - position.x()): frame for frame in self._take.marker_frame
        }
        return distances[min(distances)] if distances and min(distances) <= self._unit() else None

    def _tool_tip(self, position: QPointF, marker: int | None) -> str:
        if marker is not None:
            return self._marker_name(marker)
        over_strip = self._strip_area().contains(position)
        return self._strip.text(self._frame_at(position.x())) if over_strip else ""

    def _marker_name(self, frame: int) -> str:
        assert self._take is not None
        return self._take.marker_name[self._take.marker_frame.index(frame)]

    def _drag(self, x: float) -> None:
        frame = self._frame_at(x)
        if self._dragged == "first":
            self._trim = (min(frame, self._trim[1]), self._trim[1])
        elif self._dragged == "last":
            self._trim = (self._trim[0], max(frame, self._trim[0]))
        elif self._dragged == "span":
            self.span_selected.emit(self._anchor, frame)
        elif self._marker is not None:
            self._marker = (self._marker[0], frame)
        self.update()
        self.frame_requested.emit(frame)
