"""Cameras, read by OpenCV."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2

from pymaf_live.errors import InputError
from pymaf_live.sources.camera_address import CameraMode, camera_address
from pymaf_live.sources.camera_modes import camera_modes
from pymaf_live.sources.live import Capture, LiveSource, Patience

MOST_PROBED = 8
WANTED_SIZE = (1280, 720)
WANTED_RATE = 30.0
NAMES = Path("/sys/class/video4linux")
DEVICES = Path("/dev")


@dataclass(frozen=True)
class CameraFacts:
    """A camera of this machine."""

    address: str
    """What `open_source` takes: the index as text."""
    name: str
    modes: tuple[CameraMode, ...] = ()
    """Largest first; empty where they are not known."""


class CameraSource(LiveSource):
    """A camera of this machine.

    Parameters
    ----------
    text : str
        Its index, or /dev/video* on Linux; behind it, if wanted, the size and the rate of its
        pictures: ``0@1280x720@30``. A camera without that mode films in the one nearest to it.
    patience : Patience, optional
        How long silence is borne.

    Raises
    ------
    InputError
        If there is no such camera, it may not be read, another program holds it or it gives
        nothing.
    """

    def __init__(self, text: str, *, patience: Patience | None = None) -> None:
        address = camera_address(text)
        if address is None:
            raise InputError(
                f"{text} is not a camera; give a number such as 0, or 0@1280x720@30 with a size "
                "and a rate"
            )
        index, mode = address.index, address.mode
        name = ""
        if sys.platform.startswith("linux"):
            _check_device(DEVICES / f"video{index}")
            name = _name_of(index)

        def open_it() -> Capture:
            return open_device(_where(index, name), mode)

        super().__init__(open_it, kind="camera", name=str(index), patience=patience)


def list_cameras() -> list[CameraFacts]:
    """Cameras that this machine has.

    On Linux nothing is opened; elsewhere the first indices are tried one after the other, which
    takes a second or so each and lights the cameras' lamps.
    """
    if sys.platform.startswith("linux"):
        return _cameras_of(NAMES, DEVICES)
    found = []
    for index in range(MOST_PROBED):
        capture = open_device(index)
        there = capture.isOpened()
        capture.release()
        if not there:
            break
        found.append(CameraFacts(str(index), f"camera {index}"))
    return found


def _cameras_of(names: Path, devices: Path) -> list[CameraFacts]:
    cameras = []
    for entry in names.glob("video*"):
        number = entry.name.removeprefix("video")
        # a camera's first node gives pictures, its further ones only descriptions of them
        first = _text(entry / "index", "0") == "0"
        if number.isdecimal() and first and (devices / entry.name).exists():
            name = _text(entry / "name", f"camera {number}")
            cameras.append(CameraFacts(number, name, camera_modes(devices / entry.name)))
    return sorted(cameras, key=lambda camera: int(camera.address))


def _text(path: Path, fallback: str) -> str:
    try:
        return path.read_text(errors="replace").strip() or fallback
    except OSError:
        return fallback


def _name_of(index: int) -> str:
    """Of a camera on Linux; empty where it has none."""
    return _text(NAMES / f"video{index}" / "name", "")


def _where(index: int, name: str) -> int:
    """The index of a camera now: plugged in again it may be another one's than before."""
    if not name or _name_of(index) == name:
        return index
    others = (camera for camera in list_cameras() if camera.name == name)
    return next((int(camera.address) for camera in others), index)


def _check_device(device: Path) -> None:
    if not device.exists():
        others = ", ".join(f"{camera.address} ({camera.name})" for camera in list_cameras())
        raise InputError(
            f"there is no camera {device}; "
            + (f"this machine has {others}" if others else "this machine has none that is known")
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise InputError(f"the camera {device} may not be read; join its group (usually 'video')")


def open_device(index: int, mode: CameraMode | None = None) -> Capture:
    """Open a camera in a mode, or in the one nearest to it that it has."""
    backend = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_MSMF, "darwin": cv2.CAP_AVFOUNDATION}
    capture = cv2.VideoCapture(index, backend.get(sys.platform, cv2.CAP_ANY))
    if capture.isOpened():
        width, height = WANTED_SIZE if mode is None else (mode.width, mode.height)
        # uncompressed, most USB cameras give 720p at 10 frames a second only; some have a size
        # only uncompressed
        for pixels in ("MJPG", "YUYV"):
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*pixels))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            if mode is None or capture.get(cv2.CAP_PROP_FRAME_WIDTH) == width:
                break
        capture.set(cv2.CAP_PROP_FPS, (mode and mode.rate) or WANTED_RATE)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture
