"""Network streams: live ones keep the newest frame, finite videos are read like files."""

from __future__ import annotations

import os
import re

import av
import av.error
import cv2

from pymaf_live.errors import InputError
from pymaf_live.sources.base import Source
from pymaf_live.sources.live import Capture, LiveSource, ReconnectPolicy
from pymaf_live.sources.read_ahead import ReadAheadSource
from pymaf_live.sources.tls import ffmpeg_options, opencv_options, reason_of_refusal
from pymaf_live.sources.video import VideoSource

OPEN_TIMEOUT_MS = 8000
READ_TIMEOUT_MS = 5000
_ENCRYPTED = ("https:", "rtsps:")
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_set_by_us: set[str] = set()
"""Values of that variable that this program has set."""


def open_stream(
    address: str,
    *,
    loop: bool = False,
    reconnect: ReconnectPolicy | None = None,
    insecure: bool = False,
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
    insecure : bool
        Accept any certificate of an encrypted address; a notice says so.

    Raises
    ------
    InputError
        If the stream cannot be reached or delivers no image in time, or its certificate is not
        trusted.
    """
    name = without_password(address)
    source: Source
    try:
        if address.lower().startswith("http") and _is_finite(address, insecure):
            # the network may stall for longer than `close` may take
            video = VideoSource(address, name=name, loop=loop, insecure=insecure)
            source = ReadAheadSource(video)
        else:
            source = LiveSource(
                lambda: _open(address, insecure), kind="stream", name=name, reconnect=reconnect
            )
    except InputError as error:
        reason = reason_of_refusal(address, insecure=insecure)
        if reason:
            raise InputError(f"the stream {name} {reason}") from error
        raise
    if insecure and address.lower().startswith(_ENCRYPTED):
        source.notices.append(f"the certificate of {name} was not checked")
    return source


def without_password(address: str) -> str:
    """Return an address without user name and password, for display."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", address)


def _is_finite(address: str, insecure: bool) -> bool:
    options = ffmpeg_options(insecure=insecure)
    try:
        with av.open(
            address, options=options, timeout=(8.0, 5.0), metadata_errors="replace"
        ) as container:
            return container.duration is not None and container.duration > 0
    except (av.error.FFmpegError, OSError, ValueError):
        return False  # opening it as a live stream reports the error


def _open(address: str, insecure: bool) -> Capture:
    # OpenCV takes FFmpeg's options from nowhere else; the user's own come first
    if os.environ.get(_OPTIONS, "") in ("", *_set_by_us):
        _set_by_us.add(opencv_options(insecure=insecure))
        os.environ[_OPTIONS] = opencv_options(insecure=insecure)
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
