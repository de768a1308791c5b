"""Cameras, read by OpenCV."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2

from pymaf_live.errors import InputError
from pymaf_live.sources.live import Capture, LiveSource, Patience

MOST_PROBED = 8
WANTED_SIZE = (1280, 720)
NAMES = Path("/sys/class/video4linux")


@dataclass(frozen=True)
class CameraFacts:
    """A camera of this machine."""

    address: str
    """What `open_source` takes: the index as text."""
    name: str


class CameraSource(LiveSource):
    """A camera of this machine.

    Parameters
    ----------
    text : str
        Its index, or /dev/video* on Linux.
    patience : Patience, optional
        How long silence is borne.

    Raises
    ------
    InputError
        If there is no such camera, it may not be read, another program holds it or it gives
        nothing.
    """

    def __init__(self, text: str, *, patience: Patience | None = None) -> None:
        index = _index(text)
        if sys.platform.startswith("linux"):
            _check_device(Path(f"/dev/video{index}"))
        super().__init__(lambda: _open(index), kind="camera", name=text, patience=patience)


def list_cameras() -> list[CameraFacts]:
    """Cameras that this machine has.

    On Linux nothing is opened; elsewhere the first indices are tried one after the other, which
    takes a second or so each and lights the cameras' lamps.
    """
    if sys.platform.startswith("linux"):
        return _cameras_of(NAMES, Path("/dev"))
    found = []
    for index in range(MOST_PROBED):
        capture = _open(index)
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
            cameras.append(CameraFacts(number, _text(entry / "name", f"camera {number}")))
    return sorted(cameras, key=lambda camera: int(camera.address))


def _text(path: Path, fallback: str) -> str:
    try:
        return path.read_text(errors="replace").strip() or fallback
    except OSError:
        return fallback


def _index(text: str) -> int:
    number = text.removeprefix("/dev/video")
    if not number.isdecimal() or len(number) > 4:
        raise InputError(f"{text} is not a camera; give a number such as 0")
    return int(number)


def _check_device(device: Path) -> None:
    if not device.exists():
        others = ", ".join(f"{camera.address} ({camera.name})" for camera in list_cameras())
        raise InputError(
            f"there is no camera {device}; "
            + (f"this machine has {others}" if others else "this machine has none that is known")
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise InputError(f"the camera {device} may not be read; join its group (usually 'video')")


def _open(index: int) -> Capture:
    backend = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_MSMF, "darwin": cv2.CAP_AVFOUNDATION}
    capture = cv2.VideoCapture(index, backend.get(sys.platform, cv2.CAP_ANY))
    if capture.isOpened():
        # uncompressed, most USB cameras give 720p at 10 frames a second only
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, WANTED_SIZE[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, WANTED_SIZE[1])
        capture.set(cv2.CAP_PROP_FPS, 30)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture
