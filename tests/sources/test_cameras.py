"""Cameras: modes, addresses, unplugging and freezing."""

from __future__ import annotations

import itertools
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaf_live.errors import InputError
from pymaf_live.sources import Source, camera, open_source
from pymaf_live.sources.camera_address import (
    CameraAddress,
    CameraMode,
    is_camera,
    parse_camera_address,
)
from pymaf_live.sources.camera_modes import query_modes
from pymaf_live.types import Frame
from tests.helpers.fake_camera import FakeCamera
from tests.sources.synthetic import steady, write_video

MJPG, YUYV = 0x47504A4D, 0x56595559
WEBCAM = {
    MJPG: {(1280, 720): (30.0, 15.0), (640, 480): (30.0,)},
    YUYV: {(640, 480): (30.0, 1.0), (320, 240): (60.0,)},
}


def driver(request: int, record: bytes) -> bytes:
    """Answer as the kernel does for WEBCAM: entries by number and format, or an error."""
    kind = request & 0xFF
    numbers = list(struct.unpack(f"={len(record) // 4}I", record))
    index = numbers[0]
    formats = list(WEBCAM)
    try:
        if kind == 2:  # formats: the pixel format lies behind 44 bytes
            numbers[11] = formats[index]
        elif kind == 74:
            numbers[2:5] = 1, *list(WEBCAM[numbers[1]])[index]
        else:
            rate = WEBCAM[numbers[1]][numbers[2], numbers[3]][index]
            numbers[4:7] = 1, 1000, int(1000 * rate)
    except IndexError as end:
        raise OSError(22, "past the end") from end
    return struct.pack(f"={len(numbers)}I", *numbers)


def stepwise(request: int, record: bytes) -> bytes:
    """Answer as a camera that reports only its smallest and largest size."""
    numbers = list(struct.unpack(f"={len(record) // 4}I", record))
    if numbers[0] > 0:
        raise OSError(22, "past the end")
    if request & 0xFF == 74:
        numbers[2:9] = 3, 32, 1300, 2, 32, 1000, 2
    elif request & 0xFF == 75:
        numbers[4:7] = 3, 1, 60
    return struct.pack(f"={len(numbers)}I", *numbers)


def test_modes_are_sorted_and_exclude_those_for_photographs() -> None:
    assert [str(mode) for mode in query_modes(driver)] == [
        "1280x720@30",
        "1280x720@15",
        "640x480@30",
        "320x240@60",
    ]


def test_common_sizes_are_offered_for_a_range_of_sizes() -> None:
    assert [str(mode) for mode in query_modes(stepwise)] == [
        "1280x720@60",
        "960x540@60",
        "640x480@60",
        "640x360@60",
    ]


def test_an_endless_list_of_a_driver_is_cut_off() -> None:
    def endless(request: int, record: bytes) -> bytes:
        return driver(request, bytes(4) + record[4:])

    assert len(query_modes(endless)) == 1


def test_other_files_have_no_modes(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    assert camera.camera_modes(tmp_path / "video0") == ()
    assert camera.camera_modes(tmp_path / "video1") == ()


@pytest.mark.parametrize(
    ("text", "index", "mode"),
    [
        ("0", 0, None),
        ("/dev/video12", 12, None),
        ("1@640x480", 1, CameraMode(640, 480)),
        ("2@1280x720@29.97", 2, CameraMode(1280, 720, 29.97)),
    ],
)
def test_addresses_are_parsed_and_formatted(text: str, index: int, mode: CameraMode | None) -> None:
    address = parse_camera_address(text)
    assert address == CameraAddress(index, mode)
    assert parse_camera_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["0@", "0@0x480", "0@640x480@0", "0@640", "-1", "²", "0@640x480@1e9", "a"]
)
def test_invalid_modes_are_refused(text: str) -> None:
    assert parse_camera_address(text) is None
    if is_camera(text):
        with pytest.raises(InputError, match="0@1280x720@30"):
            open_source(text)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCamera:
    made = FakeCamera(write_video(tmp_path / "seen.mp4", steady(12)), tmp_path / "machine")
    made.install(monkeypatch)
    return made


class Reading:
    """Source that is read in a thread, as the pipeline reads it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames: list[Frame] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for frame in self.source.frames():
            self.frames.append(frame)

    def sees_more(self, seconds: float) -> bool:
        """Return True if a frame captured from now on arrives in time."""
        now = time.monotonic()
        return wait_until(lambda: bool(self.frames) and self.frames[-1].arrived > now, seconds)

    def end(self) -> None:
        self.source.close()
        self._thread.join(2)
        assert not self._thread.is_alive()


def wait_until(met: object, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not met() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.01)
    return bool(met())  # type: ignore[operator]


@pytest.fixture
def reading(device: FakeCamera) -> Iterator[Reading]:
    made = Reading(open_source("0@640x480@30", reconnect_forever=True))
    yield made
    made.end()


def test_the_mode_is_set_again_when_the_device_is_reopened(
    device: FakeCamera, reading: Reading
) -> None:
    assert reading.sees_more(2)
    device.unplug()
    assert wait_until(lambda: reading.source.trouble, 4)  # type: ignore[attr-defined]
    device.plug_in()
    assert reading.sees_more(2)
    assert set(device.modes) == {CameraMode(640, 480, 30)}


def test_an_unplugged_camera_is_reported_and_read_again_within_two_seconds(
    device: FakeCamera, reading: Reading
) -> None:
    assert reading.sees_more(2)
    device.unplug()
    assert wait_until(lambda: reading.source.trouble, 3)  # type: ignore[attr-defined]
    assert "camera 0" in reading.source.trouble  # type: ignore[attr-defined]
    time.sleep(1)
    device.plug_in(index=2)  # the old number may still be taken
    assert reading.sees_more(2)
    assert reading.source.trouble == ""  # type: ignore[attr-defined]
    times = [frame.time for frame in reading.frames]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


def test_a_frozen_camera_is_detected_by_its_images(device: FakeCamera, reading: Reading) -> None:
    assert reading.sees_more(2)
    device.freeze()
    assert wait_until(lambda: reading.source.trouble, 4)  # type: ignore[attr-defined]
    shown = len(reading.frames)
    time.sleep(0.5)
    assert len(reading.frames) == shown
    device.release()
    assert reading.sees_more(2)


def test_cameras_are_listed_by_name(device: FakeCamera) -> None:
    assert [(found.address, found.name) for found in camera.list_cameras()] == [("0", "Stand-in")]
    device.unplug()
    assert camera.list_cameras() == []
    with pytest.raises(InputError, match="no camera"):
        open_source("0")
