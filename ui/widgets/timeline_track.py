"""The line of an open take's frames: where it stands, what is kept of it, its markers."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.take import Take
from ui.system.theme import colours

_FAR = 10
"""Frames of a step with Shift."""


class TimelineTrack(QWidget):
    """Scrub by dragging anywhere, trim by dragging the brackets at the ends, move markers.

    Keys: Left and Right go a frame, with Shift ten, and with Ctrl take the marker that is there
    along; Home and End go to the ends of the trim.
    """

    wanted = Signal(int)
    """A frame to show."""
    trimmed = Signal(int, int)
    """First and last frame, once a bracket is let go."""
    marker_moved = Signal(int, int)
    """A marker's frame and where it is wanted, once it is let go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._take: Take | None = None
        self._frame = 0
        self._trim = (0, 0)
        self._dragged: str | None = None
        self._marker: tuple[int, int] | None = None
        """The frame of the marker that is dragged, and where it is now."""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Timeline of the take")

    def show_take(self, take: Take | None) -> None:
        """Show a take's length, trim and markers."""
        self._take = take
        if take is not None:
            self._trim = trim_of(take)
        self.update()

    def show_frame(self, frame: int) -> None:
        """Show where the take stands."""
        self._frame = frame
        if self._take is not None:
            time = self._take.frame_time[frame] - self._take.frame_time[0]
            count = len(self._take.frame_time)
            self.setAccessibleDescription(f"{time:.2f} s, frame {frame + 1} of {count}")
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Two lines of text high."""
        return QSize(round(30 * self._unit()), round(2.4 * self.fontMetrics().height()))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As `sizeHint`."""
        return self.sizeHint()

    def place_of(self, frame: int) -> float:
        """Where a frame lies, in pixels from the left."""
        room = self._groove()
        return room.left() + room.width() * self._part(frame)

    # -- mouse and keyboard -------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Take hold of a marker or a bracket, or go where it was clicked."""
        if self._take is None or event.button() != Qt.MouseButton.LeftButton:
            return
        marker = self._marker_at(event.position())
        if marker is not None:
            # not moved until it is dragged: a click only goes there
            self._dragged, self._marker = "marker", (marker, marker)
            self.wanted.emit(marker)
            return
        self._dragged = self._bracket_at(event.position()) or "frame"
        self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Drag, or show what can be dragged."""
        if self._take is None:
            return
        if self._dragged is not None:
            self._drag(event.position().x())
        else:
            place = event.position()
            marker = self._marker_at(place)
            held = marker is not None or self._bracket_at(place) is not None
            self.setCursor(
                Qt.CursorShape.SizeHorCursor if held else Qt.CursorShape.PointingHandCursor
            )
            self.setToolTip("" if marker is None else self._marker_name(marker))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Let go."""
        dragged, self._dragged = self._dragged, None
        marker, self._marker = self._marker, None
        if dragged in ("first", "last"):
            self.trimmed.emit(*self._trim)
        elif marker is not None and marker[0] != marker[1]:
            self.marker_moved.emit(*marker)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Steps and ends."""
        step = _FAR if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        places = {
            Qt.Key.Key_Left: self._frame - step,
            Qt.Key.Key_Right: self._frame + step,
            Qt.Key.Key_Home: self._trim[0],
            Qt.Key.Key_End: self._trim[1],
        }
        frame = places.get(Qt.Key(event.key()))
        if frame is None or self._take is None:
            super().keyPressEvent(event)
            return
        frame = min(max(frame, 0), len(self._take.frame_time) - 1)
        along = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if along and self._frame in self._take.marker_frame and frame != self._frame:
            before = set(self._take.marker_frame)
            self.marker_moved.emit(self._frame, frame)
            # where it came to: another may have been in its way
            frame = next(iter(set(self._take.marker_frame) - before), frame)
        self.wanted.emit(frame)

    # -- drawing ------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Groove, what is kept, markers, brackets and the place."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        look, groove, unit = colours(), self._groove(), self._unit()
        painter.setBrush(QColor(look.edge))
        painter.drawRoundedRect(groove, unit / 3, unit / 3)
        if self._take is None:
            return
        first, last = self.place_of(self._trim[0]), self.place_of(self._trim[1])
        painter.setBrush(QColor(look.accent_faded))
        painter.drawRect(QRectF(first, groove.top(), max(1.0, last - first), groove.height()))
        painter.setBrush(QColor(look.done))
        for frame in self._take.marker_frame:
            if self._marker is not None and frame == self._marker[0]:
                frame = self._marker[1]
            x, top = self.place_of(frame), groove.top() - unit / 4
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
        painter.setBrush(QColor(look.accent))
        for x, side in ((first, 1), (last, -1)):
            tall = groove.adjusted(0, -unit / 3, 0, unit / 3)
            thick = max(2.0, unit / 3)
            painter.drawRect(QRectF(x - thick / 2, tall.top(), thick, tall.height()))
            for y in (tall.top(), tall.bottom() - thick / 2):
                left = x if side > 0 else x - unit
                painter.drawRect(QRectF(left, y, unit, thick / 2))
        painter.setBrush(QColor(look.text))
        x = self.place_of(self._frame)
        painter.drawRect(QRectF(x - 1, groove.top() - unit / 2, 2.0, groove.height() + unit))
        painter.drawEllipse(QPointF(x, groove.bottom() + unit / 2), unit / 2, unit / 2)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(look.accent))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    # -- within -------------------------------------------------------------------------------

    def _unit(self) -> float:
        return float(self.fontMetrics().averageCharWidth())

    def _groove(self) -> QRectF:
        unit = self._unit()
        high = 0.8 * self.fontMetrics().height()
        return QRectF(1.5 * unit, (self.height() - high) / 2, self.width() - 3 * unit, high)

    def _part(self, frame: int) -> float:
        """0..1 along the line, by time: frames of a camera do not come evenly."""
        if self._take is None or len(self._take.frame_time) < 2:
            return 0.0
        times = self._take.frame_time
        return float((times[frame] - times[0]) / (times[-1] - times[0]))

    def _frame_at(self, x: float) -> int:
        assert self._take is not None
        room, times = self._groove(), self._take.frame_time
        part = min(max((x - room.left()) / max(room.width(), 1.0), 0.0), 1.0)
        return int(abs(times - (times[0] + part * (times[-1] - times[0]))).argmin())

    def _bracket_at(self, place: QPointF) -> str | None:
        near = {
            name: abs(self.place_of(frame) - place.x())
            for name, frame in zip(("first", "last"), self._trim, strict=True)
        }
        name = min(near, key=lambda name: near[name])
        # the lower part always scrubs: brackets at the place that is shown must not hide it
        high = place.y() <= self._groove().center().y()
        return name if high and near[name] <= 1.2 * self._unit() else None

    def _marker_at(self, place: QPointF) -> int | None:
        """The frame of the marker whose flag, above the line, lies under the mouse."""
        if self._take is None or place.y() > self._groove().top() - self._unit() / 4:
            return None
        near = {abs(self.place_of(each) - place.x()): each for each in self._take.marker_frame}
        return near[min(near)] if near and min(near) <= self._unit() else None

    def _marker_name(self, frame: int) -> str:
        assert self._take is not None
        return self._take.marker_name[self._take.marker_frame.index(frame)]

    def _drag(self, x: float) -> None:
        frame = self._frame_at(x)
        if self._dragged == "first":
            self._trim = (min(frame, self._trim[1]), self._trim[1])
        elif self._dragged == "last":
            self._trim = (self._trim[0], max(frame, self._trim[0]))
        elif self._marker is not None:
            self._marker = (self._marker[0], frame)
        self.update()
        self.wanted.emit(frame)
