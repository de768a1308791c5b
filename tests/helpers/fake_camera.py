"""Fake camera that plays a video through the real capture code, with faults on demand."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import cv2
import pytest

from pymaf_live.sources import camera
from pymaf_live.sources.camera_address import CameraMode
from pymaf_live.sources.live import Capture


class FakeCamera:
    """Camera device that can be unplugged, busy, frozen, and plugged in again.

    Parameters
    ----------
    video : Path
        Video that the camera shows in a loop; read by OpenCV.
    root : Path
        Empty folder that stands in for the machine's /sys and /dev.
    plugged_in : bool
        Initial state.
    name : str
        Name that the system reports.
    """

    def __init__(
        self, video: Path, root: Path, *, plugged_in: bool = True, name: str = "Stand-in"
    ) -> None:
        self.video = video
        self.name = name
        self.modes: list[CameraMode | None] = []
        """Mode of every call that opened it."""
        self.frozen = threading.Event()
        self._plugged_in = threading.Event()
        self._busy = False
        self._names, self._devices = root / "names", root / "dev"
        self._devices.mkdir(parents=True)
        self._names.mkdir()
        if plugged_in:
            self.plug_in()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make it the only camera of the machine."""
        monkeypatch.setattr(camera, "open_device", self._open)
        monkeypatch.setattr(camera, "NAMES", self._names)
        monkeypatch.setattr(camera, "DEVICES", self._devices)

    def plug_in(self, index: int = 0) -> None:
        """Plug it in at an index, working and not busy."""
        node = self._names / f"video{index}"
        node.mkdir()
        (node / "name").write_text(self.name)
        (self._devices / f"video{index}").touch()
        self.frozen.clear()
        self._busy = False
        self._plugged_in.set()

    def unplug(self) -> None:
        """Unplug it; reads fail from now on."""
        self._plugged_in.clear()
        for node in self._names.iterdir():
            (node / "name").unlink()
            node.rmdir()
        for device in self._devices.iterdir():
            device.unlink()

    def freeze(self) -> None:
        """Repeat the last image, and refuse to be opened again."""
        self.frozen.set()
        self._busy = True

    def hold(self) -> None:
        """Simulate another program that uses it."""
        self._busy = True

    def release(self) -> None:
        """Work normally again."""
        self.frozen.clear()
        self._busy = False

    def _open(self, index: int, mode: CameraMode | None = None) -> Capture:
        self.modes.append(mode)
        exists = (self._devices / f"video{index}").exists()
        return _Capture(self, opens=exists and not self._busy)

    @property
    def unplugged(self) -> bool:
        return not self._plugged_in.is_set()


class _Capture:
    """OpenCV capture of the video, in real time."""

    def __init__(self, device: FakeCamera, *, opens: bool) -> None:
        self._device = device
        self._video = cv2.VideoCapture(str(device.video)) if opens else None
        self._due = time.monotonic()
        self._last: Any = None

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._video is not None

    def grab(self) -> bool:
        assert self._video is not None
        self._due += 1 / self._video.get(cv2.CAP_PROP_FPS)
        time.sleep(max(0.0, self._due - time.monotonic()))
        if self._device.unplugged:
            return False
        if self._device.frozen.is_set() and self._last is not None:
            return True
        if not self._video.grab():
            self._video.open(str(self._device.video))
            return bool(self._video.grab())
        return True

    def retrieve(self) -> tuple[bool, Any]:
        assert self._video is not None
        if not (self._device.frozen.is_set() and self._last is not None):
            self._last = self._video.retrieve()
        return self._last  # type: ignore[no-any-return]

    def get(self, propId: int) -> float:
        assert self._video is not None
        return float(self._video.get(propId))

    def release(self) -> None:
        if self._video is not None:
            self._video.release()
