"""Switch that shows the view to other programs as a camera."""

from __future__ import annotations

import time

import numpy as np
from PySide6.QtCore import QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtOpenGLWidgets import QOpenGLWidget

from pymaf_live.types import Image
from ui.state.window import Message, WindowState
from ui.system.virtual_camera import RATE, SIZE, OpenSink, VirtualCamera, open_virtual_camera
from ui.widgets.action_factory import make_switch
from ui.widgets.feature import Feature
from ui.widgets.main_window import MainWindow

_CHECK_MS = 200


class VirtualCameraFeature(Feature):
    """Adds the entry "Virtual camera" to the View menu; see `Feature`.

    The camera shows what the canvas shows, with the green background where that is chosen.
    """

    def __init__(
        self,
        window: MainWindow,
        state: WindowState,
        open_sink: OpenSink = open_virtual_camera,
    ) -> None:
        super().__init__(window, state)
        self.open_sink = open_sink
        self._camera: VirtualCamera | None = None
        self._reported = False
        self._next_image = 0.0
        self.switch = make_switch(
            self,
            "Virtual camera",
            "",
            "Show the view to meeting and streaming programs as a camera",
            state.view.virtual_camera,
        )
        window.menus.view.addAction(self.switch)
        self._timer = QTimer(self)
        self._timer.setInterval(_CHECK_MS)
        self._timer.timeout.connect(self._check)
        state.view.virtual_camera.watch(self._on_switch_change)
        state.drawn.watch(lambda _: self._send())

    def close(self) -> None:
        """Close the camera: the window is closing."""
        self._state.view.virtual_camera.set(False)

    def _on_switch_change(self, on: bool) -> None:
        if on and self._camera is None:
            self._camera, self._reported = VirtualCamera(self.open_sink), False
            self._timer.start()
            self._send()
        elif not on and self._camera is not None:
            self._timer.stop()
            self._camera.close()
            self._camera = None

    def _check(self) -> None:
        """Say once where the images go, or why they do not."""
        camera = self._camera
        if camera is None:
            return
        if camera.error is not None:
            self._state.message.set(Message("error", str(camera.error)))
            self._state.view.virtual_camera.set(False)
        elif camera.device and not self._reported:
            self._reported = True
            text = f"Other programs see the view as the camera {camera.device}."
            self._state.message.set(Message("done", text))

    def _send(self) -> None:
        now = time.monotonic()
        if self._camera is None or now < self._next_image:
            return
        self._next_image = now + 0.9 / RATE
        canvas = self._window.canvas_area.canvas
        if isinstance(canvas, QOpenGLWidget) and canvas.isVisible():
            self._camera.put(letterboxed(canvas.grabFramebuffer()))


def letterboxed(view: QImage) -> Image:
    """Return a view in the size of the virtual camera (H, W, 3), RGB, with bars of its corner."""
    whole = QImage(QSize(*SIZE), QImage.Format.Format_RGB888)
    whole.fill(QColor(view.pixel(0, 0)))
    scaled = view.scaled(
        whole.size(),
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    place = QRect(scaled.rect())
    place.moveCenter(whole.rect().center())
    painter = QPainter(whole)
    painter.drawImage(place.topLeft(), scaled)
    painter.end()
    rows = np.frombuffer(whole.constBits(), np.uint8).reshape(SIZE[1], whole.bytesPerLine())
    return rows[:, : 3 * SIZE[0]].reshape(SIZE[1], SIZE[0], 3).copy()
