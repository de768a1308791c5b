"""Streams: live ones by their newest frame, finite films at an address like files."""

from __future__ import annotations

import re

import av
import av.error
import cv2

from pymaf_live.sources.base import Source
from pymaf_live.sources.live import Capture, LiveSource, Patience
from pymaf_live.sources.read_ahead import ReadAhead
from pymaf_live.sources.video import VideoSource

OPEN_MILLISECONDS = 8000
READ_MILLISECONDS = 5000


def open_stream(address: str, *, loop: bool = False, patience: Patience | None = None) -> Source:
    """Open a stream by its address.

    A film of known length is read like a file, every frame at its own time; anything else is live.

    Parameters
    ----------
    address : str
        rtsp://, http:// and the like, as FFmpeg reads them.
    loop : bool
        Start a film of known length again at its end.
    patience : Patience, optional
        How long a live stream's silence is borne.

    Raises
    ------
    InputError
        If it cannot be reached or gives no picture in time.
    """
    if address.lower().startswith("http") and _is_finite(address):
        # the network may stall for longer than `close` may take
        return ReadAhead(VideoSource(address, name=without_password(address), loop=loop))
    return LiveSource(
        lambda: _open(address), kind="stream", name=without_password(address), patience=patience
    )


def without_password(address: str) -> str:
    """An address as it may be shown: what stands between the scheme and @ is left out."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", address)


def _is_finite(address: str) -> bool:
    try:
        with av.open(address, timeout=(8.0, 5.0)) as container:
            return container.duration is not None and container.duration > 0
    except (av.error.FFmpegError, OSError, ValueError):
        return False  # the live way says what is wrong


def _open(address: str) -> Capture:
    return cv2.VideoCapture(
        address,
        cv2.CAP_FFMPEG,
        [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            OPEN_MILLISECONDS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            READ_MILLISECONDS,
        ],
    )
