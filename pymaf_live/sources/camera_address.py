"""Text form of a camera: ``0``, ``/dev/video0``, ``0@1280x720``, ``0@1280x720@30``."""

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
    """Image size and frame rate that a camera offers."""

    width: int
    """Pixels."""
    height: int
    rate: float | None = None
    """Frames per second; None: the camera's default."""

    def __str__(self) -> str:
        """Return the text that follows the camera's number in an address."""
        rate = "" if self.rate is None else f"@{self.rate:.10g}"
        return f"{self.width}x{self.height}{rate}"


@dataclass(frozen=True)
class CameraAddress:
    """Camera of this machine, and the mode to use."""

    index: int
    mode: CameraMode | None = None
    """None lets the program choose."""

    def __str__(self) -> str:
        """Return the address in the form that `parse_camera_address` reads."""
        return f"{self.index}" if self.mode is None else f"{self.index}@{self.mode}"


def is_camera(text: str) -> bool:
    """Return True if a source's text names a camera, whether it is connected or not."""
    return text.partition("@")[0].isdecimal() or text.startswith("/dev/video")


def parse_camera_address(text: str) -> CameraAddress | None:
    """Return the camera that a text names; None if it is not one, or a size or rate is zero."""
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
