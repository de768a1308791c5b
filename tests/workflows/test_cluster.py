"""Several inputs on a local cluster of two workers; results equal those of one machine."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.errors import UsageError
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.sources import open_source
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes.npz_file import read_take
from pymaf_live.workflows.boxes_file import read_boxes
from pymaf_live.workflows.cluster import ClusterOptions, ClusterResult, run_cluster
from pymaf_live.workflows.process import ProcessOptions, process
from pymaf_live.workflows.recover import unfinished_recordings
from tests.helpers.clip import write_boxes, write_clip
from tests.helpers.model import write_fake_model

FRAMES = {"a": 30, "b": 400, "c": 30}
"""Frames of each video; `b` is long enough for its worker to be found and killed."""

pytestmark = pytest.mark.integration


class ClusterReporter(SilentReporter):
    """Kills the worker of one input, once, after its first frames; or cancels."""

    def __init__(self, *, kill: str = "", cancel: bool = False) -> None:
        self.kill, self.cancel = kill, cancel
        self.killed: list[int] = []
        self.messages: list[str] = []
        self.details: list[str] = []
        self.fractions: list[float] = []
        self.started = False

    def progress(self, fraction: float | None, detail: str = "") -> None:
        assert fraction is not None
        self.fractions.append(fraction)
        self.details.append(detail)
        self.started |= " frames" in detail
        if self.kill and f"; {self.kill}: " in detail and not self.killed:
            # the name that Ray gives to a process that works on a task
            self.killed = [
                pid for pid, line in descendants() if line.startswith("ray::_process_input")
            ]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def cancelled(self) -> bool:
        return self.cancel and self.started


def descendants() -> list[tuple[int, str]]:
    """Return the descendants of this process: ids and command lines."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            continue
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    found = []
    for pid in ours:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        found.append((pid, line))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    write_fake_model(folder / "fake.onnx", default_body())
    for name, frames in FRAMES.items():
        write_clip(folder / f"{name}.mp4", frames)
    write_boxes(folder / "boxes.json", max(FRAMES.values()))
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("pymaf_live.system.cpu.available_cores", lambda: 2)


def options_for(folder: Path, out: Path) -> ProcessOptions:
    pipeline = PipelineOptions(
        model=folder / "fake.onnx", boxes=read_boxes(folder / "boxes.json"), threads=1
    )
    return ProcessOptions(out=out, pipeline=pipeline, overlay=False)


def run(folder: Path, out: Path, reporter: ClusterReporter, *names: str) -> ClusterResult:
    out.mkdir()
    inputs = [str(folder / f"{name}.mp4") for name in names]
    return run_cluster(inputs, ClusterOptions(options_for(folder, out), "local"), reporter)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="workers are found in /proc")
def test_inputs_of_lost_workers_are_restarted_and_results_equal_those_of_one_machine(
    folder: Path, tmp_path: Path, two_cores: None
) -> None:
    reporter = ClusterReporter(kill="b")
    result = run(folder, tmp_path / "many", reporter, "b", "a", "broken", "c")
    assert reporter.killed, (reporter.details, result)
    assert "the worker of b was lost; the input starts again" in reporter.messages
    assert list(result.errors) == [str(folder / "broken.mp4")], result.errors
    assert [summary.name for summary in result.done] == ["b", "a", "c"]
    assert reporter.fractions[-1] == 1.0
    # a killed worker leaves nothing to recover: its input was started again
    assert unfinished_recordings() == ()
    alone = tmp_path / "alone"
    alone.mkdir()
    for summary in result.done:
        source = open_source(str(folder / f"{summary.name}.mp4"))
        expected = process(source, options_for(folder, alone)).summary
        assert summary.frames == expected.frames == FRAMES[summary.name]
        assert [file.name for file in summary.files] == [file.name for file in expected.files]
        assert all(file.is_file() for file in summary.files)
        roots = (tmp_path / "many", alone)
        one, other = (read_take(root / f"{summary.name}.npz") for root in roots)
        np.testing.assert_allclose(one.joints, other.joints, atol=1e-6)
        np.testing.assert_array_equal(one.frame_time, other.frame_time)
        bvh = [(root / f"{summary.name}.bvh").read_text() for root in roots]
        assert bvh[0] == bvh[1]


def test_cancelling_completes_the_started_inputs_and_starts_no_other(
    folder: Path, tmp_path: Path, two_cores: None
) -> None:
    result = run(folder, tmp_path / "out", ClusterReporter(cancel=True), "a", "b", "c")
    assert not result.errors
    assert all(each.frames < FRAMES[each.name] for each in result.done if each.interrupted)
    for summary in result.done:
        assert all(file.is_file() for file in summary.files)
    assert not list((tmp_path / "out").glob(".*"))


def test_an_unreachable_cluster_is_one_line(
    folder: Path, tmp_path: Path, two_cores: None, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["process", str(folder / "a.mp4"), "--out", str(tmp_path / "out")]
    model = ["--model", str(folder / "fake.onnx")]
    assert cli.main([*arguments, *model, "--cluster", "127.0.0.1:1"]) == UsageError.exit_code
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "no Ray cluster at 127.0.0.1:1" in lines[0]


def test_missing_ray_says_how_to_install_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="pip install"):
        run(folder, tmp_path / "out", ClusterReporter(), "a")
