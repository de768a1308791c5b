"""Network camera on this machine that fails on purpose, for long runs."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from pymaf_live.sources.video import VideoSource

FAULTS = ("silence", "hang up", "damaged image", "torn image", "refusal", "other size")
"""Faults in the order in which they are injected."""
_RATE = 30.0
_MAX_IMAGES = 300
_SILENCE_S, _REFUSAL_S, _OTHER_SIZE_S = 3.0, 2.0, 2.0
_PART = "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n"


class FaultyCamera:
    """HTTP server on the loopback interface that plays a video as an MJPEG stream.

    Every `interval` seconds the next of `FAULTS` happens: silence of 3 s, a connection that is
    closed, a damaged image, half an image, connections that are refused for 2 s, images of another
    size for 2 s. A context manager.

    Parameters
    ----------
    video : Path
        Played in a loop, at most its first 300 frames.
    interval : float
        Seconds from one fault to the next.
    """

    def __init__(self, video: Path, interval: float) -> None:
        self.injected: dict[str, int] = dict.fromkeys(FAULTS, 0)
        """Number of times that each fault has happened."""
        self._images = _read_jpegs(video)
        self._interval = interval
        self._order = cycle(FAULTS)
        self._next_fault = time.monotonic() + interval
        self._refusing_until = self._small_until = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/camera"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Start the server."""
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop the server and end all connections."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        if time.monotonic() < self._refusing_until:
            handler.send_error(503)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        try:
            for whole, half_size in cycle(self._images):
                fault = self._due_fault()
                if self._closed.is_set() or fault in ("hang up", "refusal"):
                    return
                if fault == "silence":
                    self._closed.wait(_SILENCE_S)
                small = time.monotonic() < self._small_until
                image = _damaged(half_size if small else whole, fault)
                length = len(whole) if fault == "torn image" else len(image)
                handler.wfile.write(_PART.format(length).encode() + image)
                if fault == "torn image":
                    return
                handler.wfile.write(b"\r\n")
                self._closed.wait(1 / _RATE)
        except OSError:
            return  # the reader is gone

    def _due_fault(self) -> str:
        """Return the fault that is due now, once; empty otherwise."""
        with self._lock:
            now = time.monotonic()
            if now < self._next_fault:
                return ""
            self._next_fault = now + self._interval
            fault = next(self._order)
            self.injected[fault] += 1
            if fault == "refusal":
                self._refusing_until = now + _REFUSAL_S
            elif fault == "other size":
                self._small_until = now + _OTHER_SIZE_S
            return fault


def _read_jpegs(video: Path) -> Sequence[tuple[bytes, bytes]]:
    """Return the first images of a video as JPEG files, in full and in half the size."""
    images = []
    source = VideoSource(video)
    for frame in source.frames():
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        whole_file, half_file = (cv2.imencode(".jpg", each)[1].tobytes() for each in (image, half))
        images.append((whole_file, half_file))
        if len(images) == _MAX_IMAGES:
            break
    source.close()
    return images


def _damaged(image: bytes, fault: str) -> bytes:
    if fault == "damaged image":
        noise = np.random.default_rng(len(image)).bytes(len(image) // 2)
        return image[: len(image) // 4] + noise + image[-len(image) // 4 :]
    return image[: len(image) // 2] if fault == "torn image" else image
