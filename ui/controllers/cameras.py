"""List the cameras of this machine with their names, sizes and frame rates."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ui.state.source import SourceChoice

DEVICES = Path("/dev")
_MAX_MODES = 12
"""Longest list of modes in a menu."""


def find_cameras() -> tuple[SourceChoice, ...]:
    """Return all cameras; may take a second.

    Linux reports names and modes itself. Elsewhere they come from Qt Multimedia if it is
    installed; without it, camera numbers are tried one by one.
    """
    if not sys.platform.startswith("linux"):
        try:
            # an optional part of Qt, of which only the device list is used: no window, no timer
            media: Any = importlib.import_module("PySide6.QtMultimedia")
        except ImportError:
            pass
        else:
            return cameras_from_qt(media.QMediaDevices.videoInputs())
    from pymaf_live.sources.camera import list_cameras
    from pymaf_live.sources.camera_address import CameraMode

    def choice(address: str, name: str, modes: Iterable[CameraMode]) -> SourceChoice:
        return _choice(address, name, ((m.width, m.height, m.rate) for m in modes))

    return tuple(choice(found.address, found.name, found.modes) for found in list_cameras())


def cameras_from_qt(devices: Iterable[Any]) -> tuple[SourceChoice, ...]:
    """Return the cameras of a list of `QCameraDevice`; Qt and OpenCV number them alike."""
    cameras = []
    for index, device in enumerate(devices):
        modes = {
            (
                mode.resolution().width(),
                mode.resolution().height(),
                round(float(mode.maxFrameRate()), 2) or None,
            )
            for mode in device.videoFormats()
        }
        ordered = sorted(modes, key=lambda mode: (-mode[0] * mode[1], -(mode[2] or 0)))
        cameras.append(_choice(str(index), device.description(), ordered))
    return tuple(cameras)


def camera_nodes() -> frozenset[str] | None:
    """Return the names of the camera devices, at no cost; None where only a search can tell."""
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
    choices = []
    for width, height, rate in modes:
        text = f"{address}@{width}x{height}" + ("" if rate is None else f"@{rate:.10g}")
        size = f"{width} × {height}" + ("" if rate is None else f", {rate:.10g} frames/s")
        choices.append(SourceChoice("camera", text, f"{title}, {size}"))
    return SourceChoice("camera", address, title, tuple(choices[:_MAX_MODES]))
