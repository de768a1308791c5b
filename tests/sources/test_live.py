"""Live sources: newest frame, fault detection, reconnection, network streams."""

from __future__ import annotations

import http.server
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_live.errors import InputError
from pymaf_live.sources import camera, open_source, tls
from pymaf_live.sources.live import LiveSource, ReconnectPolicy
from pymaf_live.sources.stream import open_stream, without_password
from tests.sources.synthetic import steady, write_video

QUICK = ReconnectPolicy(
    first_frame_timeout=1.0, max_silence=0.3, give_up_after=1.5, retry_interval=0.02
)


class FakeCapture:
    """Stands in for OpenCV's capture: 50 noise images per second, with faults on demand."""

    def __init__(
        self,
        number: int,
        *,
        freezes_after: int | None = None,
        hangs_after: int | None = None,
        ends_after: int | None = None,
        always: int | None = None,
        opens: bool = True,
        size: tuple[int, int] = (32, 24),
    ) -> None:
        self.number, self.count, self.released = number, 0, False
        self.freezes_after, self.hangs_after, self.ends_after = (
            freezes_after,
            hangs_after,
            ends_after,
        )
        self.always, self.opens, self.size = always, opens, size
        self.unplugged = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def grab(self) -> bool:
        assert not self.released
        if self.hangs_after is not None and self.count >= self.hangs_after:
            self.unplugged.wait(20)
            return False
        if self.ends_after is not None and self.count >= self.ends_after:
            return False
        time.sleep(0.02)
        self.count += 1
        return True

    def retrieve(self) -> tuple[bool, Any]:
        seed = self.number * 10_000 + min(self.count, self.freezes_after or self.count)
        rng = np.random.default_rng(seed if self.always is None else self.always)
        width, height = self.size
        return True, rng.integers(0, 255, (height, width, 3), dtype=np.uint8)

    def get(self, propId: int) -> float:
        return 30.0 if propId == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.released = True


def captures(*faults: dict[str, Any]) -> tuple[list[FakeCapture], Callable[[], FakeCapture]]:
    """Return the opened captures, and an opener: one capture per fault, then faultless ones."""
    made: list[FakeCapture] = []

    def open_capture() -> FakeCapture:
        fault = faults[len(made)] if len(made) < len(faults) else {}
        made.append(FakeCapture(len(made), **fault))
        return made[-1]

    return made, open_capture


def live(open_capture: Callable[[], FakeCapture], kind: Any = "camera") -> LiveSource:
    return LiveSource(open_capture, kind=kind, name="0", reconnect=QUICK)


def wait_until(condition: Callable[[], bool], seconds: float = 2.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_times_increase_and_images_are_rgb() -> None:
    made, open_capture = captures()
    source = live(open_capture)
    assert source.facts.live
    assert source.facts.size == (32, 24)
    assert source.facts.frame_rate == 30
    frames = list(islice(source.frames(), 5))
    source.close()
    assert (np.diff([frame.time for frame in frames]) > 0).all()
    number = frames[0].index + 1
    bgr = np.random.default_rng(number).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    assert (frames[0].image == bgr[:, :, ::-1]).all()
    assert not frames[0].image.flags.writeable
    assert wait_until(lambda: made[0].released)


def test_only_the_newest_frame_is_kept() -> None:
    _, open_capture = captures()
    source = live(open_capture)
    frames = source.frames()
    first = next(frames)
    time.sleep(0.25)
    second = next(frames)
    source.close()
    assert second.index - first.index >= 5
    assert time.monotonic() - second.arrived < 0.2
    assert second.time - first.time == pytest.approx(second.arrived - first.arrived, abs=1e-6)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"freezes_after": 10}, "same image again and again"),
        ({"hangs_after": 10}, "gone silent"),
        ({"ends_after": 10}, "has ended"),
    ],
)
def test_faults_are_detected_and_the_device_is_reopened(fault: dict[str, Any], reason: str) -> None:
    made, open_capture = captures(fault)
    source = live(open_capture)
    times, indices = [], []
    start = time.monotonic()
    for frame in source.frames():
        times.append(frame.time)
        indices.append(frame.index)
        if len(made) == 2 and len(times) > 30 and made[1].count > 15:
            break
        assert time.monotonic() - start < 5
    source.close()
    assert (np.diff(times) > 0).all()
    assert (np.diff(indices) > 0).all()
    assert len(source.notices) == 1
    assert reason in source.notices[0]
    assert wait_until(lambda: made[1].released)
    if "hangs_after" in fault:
        # only the hanging thread may touch its device, and it does once it wakes up
        assert not made[0].released
        made[0].unplugged.set()
    assert wait_until(lambda: made[0].released)


def test_a_virtual_camera_may_stand_still() -> None:
    made, open_capture = captures({"always": 7}, {"always": 7}, {"always": 7})
    source = live(open_capture)
    start = time.monotonic()
    for _ in source.frames():
        if time.monotonic() - start > 1.5:
            break
    source.close()
    assert len(made) == 2  # reopened once, then accepted


def test_size_stays_when_a_device_returns_in_another_mode() -> None:
    made, open_capture = captures({"ends_after": 5}, {"size": (64, 48)})
    source = live(open_capture)
    for frame in source.frames():
        assert frame.image.shape == (24, 32, 3)
        if len(made) == 2 and made[1].count > 5:
            break
    source.close()


def test_a_device_that_does_not_return_is_an_error() -> None:
    gone = [{"opens": False}] * 500
    made, open_capture = captures({"ends_after": 5}, *gone)
    source = live(open_capture)
    start = time.monotonic()
    with pytest.raises(InputError, match="does not come back"):
        list(source.frames())
    assert 1.0 < time.monotonic() - start < 4.0
    assert len(made) > 3
    assert len(source.notices) <= 3  # not one line per attempt


@pytest.mark.parametrize("fault", [{"opens": False}, {"hangs_after": 0}, {"ends_after": 0}])
def test_a_device_without_images_is_an_immediate_error(fault: dict[str, Any]) -> None:
    _, open_capture = captures(fault)
    start = time.monotonic()
    with pytest.raises(InputError, match="camera 0"):
        live(open_capture)
    assert time.monotonic() - start < 2


def test_closing_a_hanging_device_from_another_thread() -> None:
    made, open_capture = captures(*[{"hangs_after": 3}] * 50)
    source = LiveSource(open_capture, kind="camera", name="0", reconnect=ReconnectPolicy())
    threading.Timer(0.3, source.close).start()
    start = time.monotonic()
    list(source.frames())
    assert time.monotonic() - start < 1.3
    for capture in made:
        capture.unplugged.set()


class Loopback(http.server.BaseHTTPRequestHandler):
    """Network camera that sends JPEGs; /stalls stops after ten, /ends closes the connection, and
    /slow sends two per second."""

    def do_GET(self) -> None:
        if self.path.startswith("/private"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        if self.path == "/video.mp4":
            data = self.server.video  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        rng = np.random.default_rng(0)
        try:
            for number in range(100_000):
                if self.path == "/ends" and number == 10:
                    return
                while self.path == "/stalls" and number == 10:
                    time.sleep(0.1)
                    if self.server.done:  # type: ignore[attr-defined]
                        return
                image = rng.integers(0, 40, (48, 64, 3), dtype=np.uint8)
                image[:, :, 2] += 150  # reddish, in OpenCV's order
                data = cv2.imencode(".jpg", image)[1].tobytes()
                self.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                    + str(len(data)).encode()
                    + b"\r\n\r\n"
                    + data
                    + b"\r\n"
                )
                time.sleep(0.5 if self.path == "/slow" else 1 / 30)
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    loopback = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Loopback)
    loopback.daemon_threads = True
    loopback.done = False  # type: ignore[attr-defined]
    loopback.video = write_video(  # type: ignore[attr-defined]
        tmp_path / "f.mp4", steady(12), options={"movflags": "+faststart"}
    ).read_bytes()
    threading.Thread(target=loopback.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{loopback.server_address[1]}"
    loopback.done = True  # type: ignore[attr-defined]
    loopback.shutdown()
    loopback.server_close()


def test_network_camera_with_the_real_capture(server: str) -> None:
    source = open_source(f"{server}/camera")
    assert (source.facts.kind, source.facts.live, source.facts.size) == ("stream", True, (64, 48))
    frames = list(islice(source.frames(), 20))
    source.close()
    assert (np.diff([frame.time for frame in frames]) > 0).all()
    assert frames[0].image[..., 0].mean() > 140 > 60 > frames[0].image[..., 2].mean()
    rate = (frames[-1].index - frames[3].index) / (frames[-1].time - frames[3].time)
    assert 15 < rate < 45


@pytest.mark.parametrize(("way", "reason"), [("stalls", "silent"), ("ends", "ended")])
def test_a_failing_network_camera_is_reopened(server: str, way: str, reason: str) -> None:
    policy = ReconnectPolicy(
        first_frame_timeout=8.0, max_silence=0.5, give_up_after=20.0, retry_interval=0.05
    )
    source = open_stream(f"{server}/{way}", reconnect=policy)
    for count, _ in enumerate(source.frames()):
        if source.notices and count > 15:
            break
    source.close()
    assert reason in source.notices[0]


def test_closing_a_stalled_stream_ends_within_a_second(server: str) -> None:
    source = open_stream(f"{server}/stalls")
    threading.Timer(1.0, source.close).start()
    start = time.monotonic()
    list(source.frames())
    assert time.monotonic() - start < 2.0


_LEFT_EARLY = """
from pymaf_live.sources import open_source
source = open_source("{0}/slow")
next(source.frames())
{1}
"""


@pytest.mark.parametrize(("last", "code"), [("", 0), ("del source", 0), ("raise SystemExit(7)", 7)])
def test_a_script_that_leaves_a_slow_camera_open_ends_with_its_own_code(
    server: str, last: str, code: int
) -> None:
    # OpenCV returned into an interpreter that was shutting down, and aborted the process (134)
    script = _LEFT_EARLY.format(server, last)
    running = [
        subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in range(3)
    ]
    ended = [(each.communicate(timeout=60)[1], each.returncode) for each in running]
    assert ended == [(b"", code)] * 3


def test_a_source_that_is_never_closed_ends_its_thread(server: str) -> None:
    before = set(threading.enumerate())
    source = open_source(f"{server}/camera")
    started = [each for each in threading.enumerate() if each not in before]
    reading = next(each for each in started if each.name == "capture")
    del source
    reading.join(5)
    assert not reading.is_alive()


def test_a_video_at_an_address_is_read_like_a_file(server: str) -> None:
    source = open_source(f"{server}/video.mp4")
    assert (source.facts.kind, source.facts.live) == ("stream", False)
    frames = list(source.frames())
    assert [frame.time for frame in frames] == [k / 30 for k in range(12)]
    source.close()


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return the address of a server with a certificate of its own, and that certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
         str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    loopback = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Loopback)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loopback.socket = context.wrap_socket(loopback.socket, server_side=True)
    loopback.daemon_threads = True
    loopback.done = False  # type: ignore[attr-defined]
    loopback.video = write_video(  # type: ignore[attr-defined]
        tmp_path / "f.mp4", steady(12), options={"movflags": "+faststart"}
    ).read_bytes()
    threading.Thread(target=loopback.serve_forever, daemon=True).start()
    yield f"https://localhost:{loopback.server_address[1]}", certificate
    loopback.done = True  # type: ignore[attr-defined]
    loopback.shutdown()
    loopback.server_close()


@pytest.mark.parametrize("path", ["video.mp4", "camera"])
def test_certificates_are_checked_unless_the_user_trusts_all(
    encrypted: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    server, certificate = encrypted
    monkeypatch.delenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", raising=False)
    with pytest.raises(InputError, match=r"certificate that is not trusted \(self.signed"):
        open_source(f"{server}/{path}")
    source = open_source(f"{server}/{path}", insecure=True)
    assert len(list(islice(source.frames(), 3))) == 3
    assert source.notices == [f"the certificate of {server}/{path} was not checked"]
    source.close()
    monkeypatch.setattr(tls, "ca_file", lambda: str(certificate))
    source = open_source(f"{server}/{path}")
    assert len(list(islice(source.frames(), 3))) == 3
    assert source.notices == []
    source.close()


def test_a_wrong_password_is_called_so(server: str) -> None:
    address = server.replace("://", "://me:secret@")
    with pytest.raises(InputError, match="wrong user name or password") as caught:
        open_source(f"{address}/private")
    assert "secret" not in str(caught.value)


def test_an_unreachable_address_is_one_line_without_the_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # bound but not listening: refused
        with pytest.raises(InputError) as caught:
            open_source(f"http://me:secret@127.0.0.1:{port}/a")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert without_password("rtsp://a:b@host/x@y") == "rtsp://host/x@y"


def test_cameras_are_listed_by_name(tmp_path: Path) -> None:
    names, devices = tmp_path / "names", tmp_path / "dev"
    devices.mkdir()
    for node, name, index in (("video0", "Good", 0), ("video1", "Good", 1), ("video10", "", 0)):
        (names / node).mkdir(parents=True)
        (names / node / "name").write_text(f"{name}\n")
        (names / node / "index").write_text(f"{index}\n")
        (devices / node).touch()
    (names / "video7").mkdir()  # without a device
    found = camera._list_cameras_in(names, devices)
    assert [(facts.address, facts.name) for facts in found] == [("0", "Good"), ("10", "camera 10")]


@pytest.mark.parametrize("text", ["97", "/dev/video97", "/dev/videox", "99999999"])
def test_a_missing_camera_is_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        open_source(text)
    assert "\n" not in str(caught.value)
