"""Several inputs on a local cluster of two workers: the results are those of one machine."""

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
from pymaf_live.takes.npz_file import read_take
from pymaf_live.workflows.boxes_file import read_boxes
from pymaf_live.workflows.cluster import Outcome, process_on_cluster
from pymaf_live.workflows.process import ProcessOptions, process_input
from tests.helpers.clip import write_boxes, write_clip
from tests.helpers.model import write_fake_model

FRAMES = {"a": 90, "b": 450, "c": 90}
"""Of each film; that of `b` is long enough for its worker to be seen at it and killed."""

pytestmark = pytest.mark.integration


class Watching:
    """Kills the worker of one input, once, as soon as it has begun; or asks to stop."""

    def __init__(self, *, kill: str = "", stop: bool = False) -> None:
        self.kill, self.stop = kill, stop
        self.killed: list[int] = []
        self.begun_again: list[str] = []
        self.ended: list[str] = []
        self.seen: dict[str, int] = {}

    def advance(self, name: str, frames: int, fraction: float | None) -> None:
        self.seen[name] = max(frames, self.seen.get(name, 0))
        if name == self.kill and frames and not self.killed:
            # the name that Ray gives to a process that works on a task
            self.killed = [pid for pid, line in descendants() if line.startswith("ray::_made")]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)

    def again(self, name: str) -> None:
        self.begun_again.append(name)

    def done(self, name: str) -> None:
        self.ended.append(name)

    def asked_to_stop(self) -> bool:
        return self.stop and bool(self.seen)


def descendants() -> list[tuple[int, str]]:
    """Processes begun by this one, and by those, with their command lines."""
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
    write_fake_model(folder / "made_up.onnx", default_body())
    for name, frames in FRAMES.items():
        write_clip(folder / f"{name}.mp4", frames)
    write_boxes(folder / "boxes.json", max(FRAMES.values()))
    (folder / "broken.mp4").write_bytes(b"no film")
    return folder


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("pymaf_live.system.cpu.available_cores", lambda: 2)


def options_for(folder: Path, out: Path) -> ProcessOptions:
    pipeline = PipelineOptions(
        model=folder / "made_up.onnx", boxes=read_boxes(folder / "boxes.json"), threads=1
    )
    return ProcessOptions(out=out, pipeline=pipeline, overlay=False)


def run(folder: Path, out: Path, watching: Watching, *names: str) -> Outcome:
    out.mkdir()
    work = [(str(folder / f"{name}.mp4"), name) for name in names]
    return process_on_cluster(work, options_for(folder, out), "local", watching)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="workers are found in /proc")
def test_a_lost_workers_film_is_done_again_and_all_results_are_the_same(
    folder: Path, tmp_path: Path, two_cores: None
) -> None:
    watching = Watching(kill="b")
    outcome = run(folder, tmp_path / "many", watching, "a", "b", "broken", "c")
    assert watching.killed
    assert "b" in watching.begun_again
    assert list(outcome.errors) == [str(folder / "broken.mp4")], outcome.errors
    assert [summary.name for summary in outcome.done] == ["a", "b", "c"]
    assert sorted(watching.ended) == ["a", "b", "broken", "c"]
    alone = tmp_path / "alone"
    alone.mkdir()
    for summary in outcome.done:
        text = str(folder / f"{summary.name}.mp4")
        wanted = process_input(
            open_source(text), text, summary.name, options_for(folder, alone), Silent()
        )
        assert summary.frames == wanted.frames == FRAMES[summary.name]
        assert [file.name for file in summary.files] == [file.name for file in wanted.files]
        assert all(file.is_file() for file in summary.files)
        roots = (tmp_path / "many", alone)
        one, other = (read_take(root / f"{summary.name}.npz") for root in roots)
        np.testing.assert_allclose(one.joints, other.joints, atol=1e-6)
        np.testing.assert_array_equal(one.frame_time, other.frame_time)
        bvh = [(root / f"{summary.name}.bvh").read_text() for root in roots]
        assert bvh[0] == bvh[1]


class Silent:
    def advance(self, frames: int, fraction: float | None) -> None: ...

    def exporting(self, file: str, fraction: float) -> None: ...

    def asked_to_stop(self) -> bool:
        return False


def test_a_stop_gives_whole_files_of_what_was_done_and_begins_nothing_more(
    folder: Path, tmp_path: Path, two_cores: None
) -> None:
    outcome = run(folder, tmp_path / "out", Watching(stop=True), "a", "b", "c")
    assert not outcome.errors
    assert all(each.frames < FRAMES[each.name] for each in outcome.done if each.interrupted)
    for summary in outcome.done:
        assert all(file.is_file() for file in summary.files)
    assert not list((tmp_path / "out").glob(".*"))


def test_a_cluster_that_is_not_there_is_told_in_one_line(
    folder: Path, tmp_path: Path, two_cores: None, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["process", str(folder / "a.mp4"), "--out", str(tmp_path / "out")]
    model = ["--model", str(folder / "made_up.onnx")]
    assert cli.main([*arguments, *model, "--cluster", "127.0.0.1:1"]) == UsageError.exit_code
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "no Ray cluster at 127.0.0.1:1" in lines[0]


def test_without_ray_it_is_told_how_to_get_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="pip install"):
        run(folder, tmp_path / "out", Watching(), "a")
