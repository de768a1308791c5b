"""A camera that plays a film at its rate through the real capture code, with faults on demand."""

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


class StandInCamera:
    """A device that can be pulled out, held by another program, frozen, and that returns.

    Parameters
    ----------
    film : Path
        What it sees, again and again; OpenCV reads it.
    root : Path
        An empty folder that stands for the machine's /sys and /dev.
    there : bool
        Plugged in at first.
    """

    def __init__(
        self, film: Path, root: Path, *, there: bool = True, name: str = "Stand-in"
    ) -> None:
        self.film = film
        self.name = name
        self.modes: list[CameraMode | None] = []
        """What it was opened with, one each time."""
        self.frozen = threading.Event()
        self._there = threading.Event()
        self._busy = False
        self._names, self._devices = root / "names", root / "dev"
        self._devices.mkdir(parents=True)
        self._names.mkdir()
        if there:
            self.plug_in()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make it the only camera of this machine."""
        monkeypatch.setattr(camera, "open_device", self._open)
        monkeypatch.setattr(camera, "NAMES", self._names)
        monkeypatch.setattr(camera, "DEVICES", self._devices)

    def plug_in(self, index: int = 0) -> None:
        """Be there and free, sound, at an index."""
        node = self._names / f"video{index}"
        node.mkdir()
        (node / "name").write_text(self.name)
        (self._devices / f"video{index}").touch()
        self.frozen.clear()
        self._busy = False
        self._there.set()

    def unplug(self) -> None:
        """Be gone; who reads gets nothing more."""
        self._there.clear()
        for node in self._names.iterdir():
            (node / "name").unlink()
            node.rmdir()
        for device in self._devices.iterdir():
            device.unlink()

    def freeze(self) -> None:
        """Give the last picture again and again, and refuse to be opened anew."""
        self.frozen.set()
        self._busy = True

    def hold(self) -> None:
        """Be used by another program."""
        self._busy = True

    def free(self) -> None:
        """Be well again."""
        self.frozen.clear()
        self._busy = False

    def _open(self, index: int, mode: CameraMode | None = None) -> Capture:
        self.modes.append(mode)
        there = (self._devices / f"video{index}").exists()
        return _Capture(self, opens=there and not self._busy)

    @property
    def gone(self) -> bool:
        return not self._there.is_set()


class _Capture:
    """OpenCV's reading of the film, in the film's own time."""

    def __init__(self, device: StandInCamera, *, opens: bool) -> None:
        self._device = device
        self._film = cv2.VideoCapture(str(device.film)) if opens else None
        self._due = time.monotonic()
        self._last: Any = None

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._film is not None

    def grab(self) -> bool:
        assert self._film is not None
        self._due += 1 / self._film.get(cv2.CAP_PROP_FPS)
        time.sleep(max(0.0, self._due - time.monotonic()))
        if self._device.gone:
            return False
        if self._device.frozen.is_set() and self._last is not None:
            return True
        if not self._film.grab():
            self._film.open(str(self._device.film))
            return bool(self._film.grab())
        return True

    def retrieve(self) -> tuple[bool, Any]:
        assert self._film is not None
        if not (self._device.frozen.is_set() and self._last is not None):
            self._last = self._film.retrieve()
        return self._last  # type: ignore[no-any-return]

    def get(self, propId: int) -> float:
        assert self._film is not None
        return float(self._film.get(propId))

    def release(self) -> None:
        if self._film is not None:
            self._film.release()
