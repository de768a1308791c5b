"""Cameras, read with OpenCV."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2

from pymaf_live.errors import InputError
from pymaf_live.sources.camera_address import CameraMode, parse_camera_address
from pymaf_live.sources.camera_modes import camera_modes
from pymaf_live.sources.live import Capture, LiveSource, ReconnectPolicy

MAX_PROBED = 8
"""Camera indices that are tried where the system has no list of cameras."""
DEFAULT_SIZE = (1280, 720)
DEFAULT_RATE = 30.0
NAMES = Path("/sys/class/video4linux")
DEVICES = Path("/dev")


@dataclass(frozen=True)
class CameraFacts:
    """A camera of this machine."""

    address: str
    """Index as text, as `open_source` accepts it."""
    name: str
    modes: tuple[CameraMode, ...] = ()
    """Largest images first; empty if unknown."""


class CameraSource(LiveSource):
    """Camera of this machine.

    Parameters
    ----------
    text : str
        Index, or /dev/video* on Linux, optionally followed by the image size and rate:
        ``0@1280x720@30``. A camera without that mode uses the nearest one.
    reconnect : ReconnectPolicy, optional

    Raises
    ------
    InputError
        If there is no such camera, it may not be read, another program uses it, or it delivers no
        image.
    """

    def __init__(self, text: str, *, reconnect: ReconnectPolicy | None = None) -> None:
        address = parse_camera_address(text)
        if address is None:
            raise InputError(
                f"{text} is not a camera; use a number such as 0, or 0@1280x720@30 with a size and "
                "a rate"
            )
        index, mode = address.index, address.mode
        name = ""
        if sys.platform.startswith("linux"):
            _check_device(DEVICES / f"video{index}")
            name = _camera_name(index)

        def open_it() -> Capture:
            return open_device(_current_index(index, name), mode)

        super().__init__(open_it, kind="camera", name=str(index), reconnect=reconnect)


def list_cameras() -> list[CameraFacts]:
    """Return the cameras of this machine.

    On Linux no camera is opened; elsewhere the first indices are tried in turn, which takes about a
    second each and switches the cameras' lights on.
    """
    if sys.platform.startswith("linux"):
        return _list_cameras_in(NAMES, DEVICES)
    cameras = []
    for index in range(MAX_PROBED):
        capture = open_device(index)
        opened = capture.isOpened()
        capture.release()
        if not opened:
            break
        cameras.append(CameraFacts(str(index), f"camera {index}"))
    return cameras


def _list_cameras_in(names: Path, devices: Path) -> list[CameraFacts]:
    cameras = []
    for entry in names.glob("video*"):
        number = entry.name.removeprefix("video")
        # the first node of a camera delivers images, the others only metadata
        first = _read_text(entry / "index", "0") == "0"
        if number.isdecimal() and first and (devices / entry.name).exists():
            name = _read_text(entry / "name", f"camera {number}")
            cameras.append(CameraFacts(number, name, camera_modes(devices / entry.name)))
    return sorted(cameras, key=lambda camera: int(camera.address))


def _read_text(path: Path, fallback: str) -> str:
    try:
        return path.read_text(errors="replace").strip() or fallback
    except OSError:
        return fallback


def _camera_name(index: int) -> str:
    """Return the name of a camera on Linux; empty where it has none."""
    return _read_text(NAMES / f"video{index}" / "name", "")


def _current_index(index: int, name: str) -> int:
    """Return the present index of a camera: plugged in again it may have another one."""
    if not name or _camera_name(index) == name:
        return index
    others = (camera for camera in list_cameras() if camera.name == name)
    return next((int(camera.address) for camera in others), index)


def _check_device(device: Path) -> None:
    if not device.exists():
        others = ", ".join(f"{camera.address} ({camera.name})" for camera in list_cameras())
        raise InputError(
            f"there is no camera {device}; "
            + (f"this machine has {others}" if others else "this machine has no camera")
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise InputError(
            f"no permission to read the camera {device}; join its group (usually 'video')"
        )


def open_device(index: int, mode: CameraMode | None = None) -> Capture:
    """Open a camera in a mode, or in the nearest one that it has."""
    backend = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_MSMF, "darwin": cv2.CAP_AVFOUNDATION}
    capture = cv2.VideoCapture(index, backend.get(sys.platform, cv2.CAP_ANY))
    if capture.isOpened():
        width, height = DEFAULT_SIZE if mode is None else (mode.width, mode.height)
        # most USB cameras deliver uncompressed 720p at only 10 frames per second; some sizes exist
        # only uncompressed
        for pixels in ("MJPG", "YUYV"):
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*pixels))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            if mode is None or capture.get(cv2.CAP_PROP_FRAME_WIDTH) == width:
                break
        capture.set(cv2.CAP_PROP_FPS, (mode and mode.rate) or DEFAULT_RATE)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture
