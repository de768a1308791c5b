"""The command `live`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--record"),
        (["--vmc", "127.0.0.1:0"], "1 to 65535"),
        (["--vmc", "http://there"], "not a port"),
        (["--vrchat", "127.0.0.1:x"], "not a port"),
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
