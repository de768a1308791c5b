"""Virtual camera: images that other programs receive as if a camera had taken them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Protocol

from pymaf_live.errors import OutputError
from pymaf_live.system.bounded_queue import THREAD_PREFIX, BoundedQueue
from pymaf_live.types import Image

SIZE = (1280, 720)
"""Width and height of the images."""
RATE = 30.0
"""Frames per second that the receiver is told; images are sent as they come."""
_REPEAT_SECONDS = 0.1
"""Time without an image after which the last one is sent again: receivers give up on silence."""

_HOW = {
    "linux": "load the kernel module v4l2loopback (sudo modprobe v4l2loopback exclusive_caps=1)",
    "darwin": "install OBS and start its virtual camera once",
    "win32": "install OBS",
}


class ImageSink(Protocol):
    """An open virtual camera."""

    device: str
    """Name under which other programs find it."""

    def send(self, frame: Image) -> None:
        """Send an image (H, W, 3), RGB."""

    def close(self) -> None:
        """Close the camera."""


OpenSink = Callable[[int, int, float], ImageSink]
"""Opens a virtual camera of a width, height and rate; raises OutputError where there is none."""


def open_virtual_camera(width: int, height: int, rate: float) -> ImageSink:
    """Open the first virtual camera of this computer; see `OpenSink`."""
    try:
        import pyvirtualcam
    except ImportError as error:
        raise OutputError(
            "The virtual camera needs the package pyvirtualcam: "
            "install it with pip install 'pymaf-live[virtual-camera]'."
        ) from error
    try:
        camera: ImageSink = pyvirtualcam.Camera(width, height, rate, print_fps=False)
    except (RuntimeError, ValueError, OSError) as error:
        how = _HOW.get(sys.platform, "install a driver for virtual cameras")
        raise OutputError(f"There is no virtual camera on this computer: {how}.") from error
    return camera


class VirtualCamera:
    """Sends images in a thread of its own; of images that come too fast the newest is sent.

    Parameters
    ----------
    open_sink : OpenSink
    """

    def __init__(self, open_sink: OpenSink) -> None:
        self._open_sink = open_sink
        self._images: BoundedQueue[Image] = BoundedQueue(1, drop_oldest=True)
        self._closed = threading.Event()
        self.device = ""
        """Name of the camera once it is open."""
        self.error: Exception | None = None
        """Reason why nothing is sent (any longer)."""
        self._thread = threading.Thread(
            target=self._run, name=f"{THREAD_PREFIX}virtual camera", daemon=True
        )
        self._thread.start()

    def put(self, image: Image) -> None:
        """Send an image of `SIZE` (H, W, 3), RGB; returns at once."""
        self._images.put(image)

    def close(self) -> None:
        """End the thread; does not wait for it."""
        self._closed.set()
        self._images.close()

    def _run(self) -> None:
        try:
            sink = self._open_sink(*SIZE, RATE)
        except Exception as error:
            self.error = error
            return
        self.device = sink.device
        last: Image | None = None
        try:
            while not self._closed.is_set():
                last = self._next(last)
                if last is not None:
                    sink.send(last)
        except Exception as error:  # the driver was unloaded, for instance
            self.error = OutputError(f"The virtual camera has stopped: {error}.")
        finally:
            sink.close()

    def _next(self, last: Image | None) -> Image | None:
        image = self._images.get(timeout=_REPEAT_SECONDS)
        return last if image is None else image
