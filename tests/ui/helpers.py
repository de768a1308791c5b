"""Helpers for tests that check the pixels of the window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from pymaf_live.types import Camera, Frame, FrameResult, Person
from tests.ui.conftest import OpenWindow
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice

SIZE = (480, 360)
"""Width and height of synthetic frames."""
CAMERA = Camera.for_frame(SIZE)
Pixels = npt.NDArray[np.float64]
"""(H, W, 3) RGB."""


def rgb_of(image: QImage) -> Pixels:
    """Return the pixels of an image (H, W, 3)."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    rgb = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return rgb.astype(np.float64)


def widget_pixels(widget: QWidget) -> Pixels:
    """Return the pixels of a widget (H, W, 3)."""
    return rgb_of(widget.grab().toImage())


def canvas_pixels(parts: WindowParts, qtbot: QtBot) -> Pixels:
    """Return the pixels of the canvas after the next paint (H, W, 3)."""
    qtbot.wait(80)
    return rgb_of(parts.window.canvas_area.canvas.grabFramebuffer())


def play(parts: WindowParts, qtbot: QtBot, choice: SourceChoice) -> None:
    """Open a source and wait until its first frame is drawn."""
    parts.window.open_choice(choice)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=60_000)


def activate(parts: WindowParts, qtbot: QtBot) -> None:
    """Give the window the keyboard focus; under Xvfb no window manager does."""
    parts.window.windowHandle().requestActivate()
    qtbot.waitUntil(parts.window.isActiveWindow, timeout=5000)


def open_synthetic(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    """Open a window in playing state without a source, for tests that set its results."""
    parts = open_window()
    parts.window.resize(1120, 760)
    parts.state.source.set(SourceChoice("file", "synthetic.mp4", "Synthetic"))
    parts.state.phase.set(Phase.PLAYING)
    parts.state.opacity.set(1.0)
    activate(parts, qtbot)
    parts.window.canvas_area.setFocus()
    return parts


def result_of(*people: Person, raw: tuple[Person, ...] | None = None) -> FrameResult:
    """Return a result over a dark frame."""
    image = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    return FrameResult(Frame(0, 0.0, image), people, people if raw is None else raw, CAMERA)


def body_mask(shown: Pixels) -> npt.NDArray[np.bool_]:
    """Return the pixels of the first person's body: bright, and much redder than blue."""
    return (shown[..., 0] > 110) & (shown[..., 0] - shown[..., 2] > 55)


def extent(mask: npt.NDArray[np.bool_], min_pixels: int = 50) -> tuple[float, float, float, float]:
    """Return left, top, width and height of the covered pixels."""
    rows, columns = np.nonzero(mask)
    assert len(rows) > min_pixels, "nothing is drawn"
    left, top = columns.min(), rows.min()
    return float(left), float(top), float(columns.max() - left), float(rows.max() - top)


def canvas_from_frame(parts: WindowParts, points: Pixels) -> npt.NDArray[np.int64]:
    """Return frame pixels (N, 2) as canvas pixels of the letterboxed image."""
    canvas = parts.window.canvas_area.canvas
    scale = min(canvas.width() / SIZE[0], canvas.height() / SIZE[1])
    centre = np.array([canvas.width(), canvas.height()]) / 2
    return np.rint((points + 0.5 - np.array(SIZE) / 2) * scale + centre - 0.5).astype(int)
