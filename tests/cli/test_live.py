"""The command `live`."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from pymaf_live.cli import app as cli
from pymaf_live.takes import read_take
from tests.cli.helpers import Work, stderr_lines
from tests.helpers.clip import write_clip
from tests.helpers.paths import ROOT
from tests.streaming.vmc_receiver import VmcReceiver


def test_live_records_for_a_duration_and_saves(
    work: Work, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(tmp_path / "long.mp4", 240)
    target = tmp_path / "take.npz"
    code = cli.main(
        ["live", "--source", str(clip), "--record", str(target), "--seconds", "1",
         "--model", str(work.model)]
    )  # fmt: skip
    captured = capfd.readouterr()
    assert (code, stderr_lines(captured.err)) == (0, [])
    take = read_take(target)
    assert 0.9 < take.frame_time[-1] - take.frame_time[0] < 2.5
    assert cli.main(["live", "--source", str(clip), "--record", str(target)]) in (4, 5)


def test_live_streams_the_estimated_poses(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver = VmcReceiver()
    try:
        code = cli.main(
            ["live", "--source", str(ROOT / "resources/demo.mp4"), "--seconds", "2",
             "--model", "lite", "--vmc", f"localhost:{receiver.port}"]
        )  # fmt: skip
        out, err = capfd.readouterr()
        assert (code, stderr_lines(err)) == (0, [])
        match = re.match(r"(\d+) poses sent to localhost", out)
        assert match is not None, out
        sent = int(match[1])
        assert sent >= 1  # a busy machine drops many frames
        receiver.wait(lambda: receiver.messages[-2] == ("/VMC/Ext/OK", (1, 3, 0, 0)))
        hips = [values for _, values in receiver.messages if values[0] == "Hips"]
        assert len(hips) == sent
        assert 0.5 < hips[0][2] < 1.3  # above the ground
    finally:
        receiver.close()
    assert list(tmp_path.iterdir()) == []


def test_live_takes_the_head_from_another_tracker(capfd: pytest.CaptureFixture[str]) -> None:
    receiver, stop = VmcReceiver(), threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nod = (0.2, 0.0, 0.0, 0.9798)

    def track() -> None:
        message = OscMessageBuilder("/VMC/Ext/Bone/Pos")
        for value in ("Head", 0.0, 0.0, 0.0, *nod):
            message.add_arg(value)
        packet = message.build().dgram
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not stop.wait(0.02):
                with suppress(OSError):  # until the program listens
                    sender.sendto(packet, ("127.0.0.1", port))

    tracker = threading.Thread(target=track)
    tracker.start()
    try:
        code = cli.main(
            ["live", "--source", str(ROOT / "resources/demo.mp4"), "--seconds", "2", "--model",
             "lite", "--vmc", f"127.0.0.1:{receiver.port}", "--vmc-in", f"127.0.0.1:{port}"]
        )  # fmt: skip
        assert (code, stderr_lines(capfd.readouterr().err)) == (0, [])
        heads = [values[4:] for _, values in receiver.messages if values[0] == "Head"]
        assert len(heads) >= 1
        if len(heads) > 5:  # a busy machine may end the blend too late
            assert heads[-1] == pytest.approx(nod, abs=1e-3)
    finally:
        stop.set()
        tracker.join()
        receiver.close()


def test_live_reports_a_taken_port_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        demo = str(ROOT / "resources/demo.mp4")
        arguments = ["live", "--source", demo, "--model", "lite", "--vmc", "127.0.0.1"]
        assert cli.main([*arguments, "--vmc-in", address]) == 4
    (line,) = stderr_lines(capfd.readouterr().err)
    assert "Cannot listen at" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--record"),
        (["--vmc", "127.0.0.1:0"], "1 to 65535"),
        (["--vmc", "http://there"], "not a port"),
        (["--vrchat", "127.0.0.1:x"], "not a port"),
        (["--vmc", "127.0.0.1", "--vmc-in", "300.0.0.1:1"], "not an address"),
        (["--web", "192.0.2.1"], "this computer only"),
        (["--web", ":39580", "--live-link", ":39580"], "give each a port"),
        (["--vmc", ":39540", "--vmc", "127.0.0.1:39540"], "give each a port"),
    ],
)
def test_live_reports_missing_options_in_one_line(
    arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["live", "--source", "no-such-video.mp4", *arguments]) == 2
    (line,) = stderr_lines(capfd.readouterr().err)
    assert words in line
