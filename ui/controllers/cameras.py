"""The cameras of this machine, by name, with the sizes and rates that they offer."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ui.state.source import SourceChoice

DEVICES = Path("/dev")
_MOST_MODES = 12
"""In a menu."""


def find_cameras() -> tuple[SourceChoice, ...]:
    """All cameras; may take a second.

    Linux tells names and modes itself. Elsewhere Qt's multimedia part tells them, where it is
    installed; without it cameras are tried by number.
    """
    if not sys.platform.startswith("linux"):
        try:
            media: Any = importlib.import_module("PySide6.QtMultimedia")
        except ImportError:
            pass
        else:
            return told_by_qt(media.QMediaDevices.videoInputs())
    from pymaf_live.sources.camera import list_cameras
    from pymaf_live.sources.camera_address import CameraMode

    def choice(address: str, name: str, modes: Iterable[CameraMode]) -> SourceChoice:
        return _choice(address, name, ((m.width, m.height, m.rate) for m in modes))

    return tuple(choice(found.address, found.name, found.modes) for found in list_cameras())


def told_by_qt(devices: Iterable[Any]) -> tuple[SourceChoice, ...]:
    """Cameras of a list of `QCameraDevice`; Qt and OpenCV number them alike."""
    cameras = []
    for index, device in enumerate(devices):
        modes = {
            (
                one.resolution().width(),
                one.resolution().height(),
                round(float(one.maxFrameRate()), 2) or None,
            )
            for one in device.videoFormats()
        }
        ordered = sorted(modes, key=lambda mode: (-mode[0] * mode[1], -(mode[2] or 0)))
        cameras.append(_choice(str(index), device.description(), ordered))
    return tuple(cameras)


def camera_nodes() -> frozenset[str] | None:
    """Which camera devices are there, at no cost; None where only a search can tell."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return frozenset(name for name in os.listdir(DEVICES) if name.startswith("video"))
    except OSError:
        return frozenset()


def _choice(
    address: str, name: str, modes: Iterable[tuple[int, int, float | None]]
) -> SourceChoice:
    title = name or f"Camera {address}"
    ways = []
    for width, height, rate in modes:
        text = f"{address}@{width}x{height}" + ("" if rate is None else f"@{rate:.10g}")
        told = f"{width} × {height}" + ("" if rate is None else f", {rate:.10g} frames/s")
        ways.append(SourceChoice("camera", text, f"{title}, {told}"))
    return SourceChoice("camera", address, title, tuple(ways[:_MOST_MODES]))
