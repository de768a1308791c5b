"""Network streams: live ones keep the newest frame, finite videos are read like files."""

from __future__ import annotations

import re

import av
import av.error
import cv2

from pymaf_live.sources.base import Source
from pymaf_live.sources.live import Capture, LiveSource, ReconnectPolicy
from pymaf_live.sources.read_ahead import ReadAheadSource
from pymaf_live.sources.video import VideoSource

OPEN_TIMEOUT_MS = 8000
READ_TIMEOUT_MS = 5000


def open_stream(
    address: str, *, loop: bool = False, reconnect: ReconnectPolicy | None = None
) -> Source:
    """Open a stream by its address.

    A video of known length is read like a file, every frame with its own time stamp; anything else
    is live.

    Parameters
    ----------
    address : str
        rtsp://, http:// and other addresses that FFmpeg reads.
    loop : bool
        Start a video of known length again at its end.
    reconnect : ReconnectPolicy, optional
        Timeouts of a live stream.

    Raises
    ------
    InputError
        If the stream cannot be reached or delivers no image in time.
    """
    if address.lower().startswith("http") and _is_finite(address):
        # the network may stall for longer than `close` may take
        return ReadAheadSource(VideoSource(address, name=without_password(address), loop=loop))
    return LiveSource(
        lambda: _open(address), kind="stream", name=without_password(address), reconnect=reconnect
    )


def without_password(address: str) -> str:
    """Return an address without user name and password, for display."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", address)


def _is_finite(address: str) -> bool:
    try:
        with av.open(address, timeout=(8.0, 5.0), metadata_errors="replace") as container:
            return container.duration is not None and container.duration > 0
    except (av.error.FFmpegError, OSError, ValueError):
        return False  # opening it as a live stream reports the error


def _open(address: str) -> Capture:
    return cv2.VideoCapture(
        address,
        cv2.CAP_FFMPEG,
        [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            READ_TIMEOUT_MS,
        ],
    )
