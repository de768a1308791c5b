"""What a person writes for a camera: ``0``, ``/dev/video0``, ``0@1280x720``, ``0@1280x720@30``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(
    r"(?:/dev/video)?(?P<index>\d{1,4})"
    r"(?:@(?P<width>\d{1,5})x(?P<height>\d{1,5})(?:@(?P<rate>\d{1,4}(?:\.\d{1,3})?))?)?",
    re.ASCII,
)


@dataclass(frozen=True)
class CameraMode:
    """A size of picture and a rate that a camera offers."""

    width: int
    """Pixels."""
    height: int
    rate: float | None = None
    """Frames a second; None: the camera's own."""

    def __str__(self) -> str:
        """As it is written behind the camera's number."""
        rate = "" if self.rate is None else f"@{self.rate:.10g}"
        return f"{self.width}x{self.height}{rate}"


@dataclass(frozen=True)
class CameraAddress:
    """A camera of this machine, and how it shall film."""

    index: int
    mode: CameraMode | None = None
    """None: what the program thinks best."""

    def __str__(self) -> str:
        """As `camera_address` reads it."""
        return f"{self.index}" if self.mode is None else f"{self.index}@{self.mode}"


def is_camera(text: str) -> bool:
    """Whether a source's text means a camera, be it there or not."""
    return text.partition("@")[0].isdecimal() or text.startswith("/dev/video")


def camera_address(text: str) -> CameraAddress | None:
    """Read a camera's address; None if it is none, or its size or rate is zero."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    index = int(match["index"])
    if match["width"] is None:
        return CameraAddress(index)
    rate = None if match["rate"] is None else float(match["rate"])
    mode = CameraMode(int(match["width"]), int(match["height"]), rate)
    if not mode.width or not mode.height or rate == 0:
        return None
    return CameraAddress(index, mode)
