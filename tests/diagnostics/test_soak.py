"""Long runs with a failing camera: the figures from synthetic samples, and one short real run."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.diagnostics import soak as soak_module
from pymaf_live.diagnostics.faulty_camera import FAULTS, FaultyCamera
from pymaf_live.diagnostics.soak import soak, summarize
from pymaf_live.errors import InputError, Interrupted, ModelError
from pymaf_live.sources.live import ReconnectPolicy
from pymaf_live.sources.stream import open_stream
from pymaf_live.system.reporter import SilentReporter
from tests.helpers.clip import write_clip
from tests.helpers.model import write_fake_model


def samples(slope: float = 0.0, threads: int = 0, descriptors: int = 0) -> np.ndarray:
    """Return an hour of samples that grow: kB per minute, and numbers over the whole hour."""
    seconds = np.arange(0, 3600, 2.0)
    rng = np.random.default_rng(5)
    memory = 400_000 + slope * seconds / 60 + rng.normal(0, 300, len(seconds))
    memory[::50] += 30_000  # a reconnection
    memory[seconds < 300] -= 20_000  # caches that are not filled yet
    more = seconds / 3600
    return np.stack(
        [
            seconds,
            memory,
            11 + (np.arange(len(seconds)) % 30 == 0) + np.floor(threads * more),
            8 + np.floor(descriptors * more),
            10 * seconds,
        ],
        axis=1,
    )


def test_memory_threads_and_descriptors_that_grow_are_reported() -> None:
    steady = summarize(samples())
    assert abs(steady["slope"]) < 6
    assert steady["threads"] == [11, 12, 0]
    assert steady["descriptors"] == [8, 8, 0]
    assert steady["steady"]
    assert steady["frames"] == 35_980
    leaking = summarize(samples(slope=30))
    assert leaking["slope"] == pytest.approx(30, abs=6)
    assert not leaking["steady"]
    assert summarize(samples(threads=4))["threads"][2] == 1
    assert not summarize(samples(threads=4))["steady"]
    assert not summarize(samples(descriptors=4))["steady"]
    with pytest.raises(InputError, match="too short"):
        summarize(samples()[:9])


def test_a_reader_survives_every_fault_of_the_camera(tmp_path: Path) -> None:
    policy = ReconnectPolicy(max_silence=0.3, retry_interval=0.05)
    clip = write_clip(tmp_path / "clip.mp4", 30)
    with FaultyCamera(clip, interval=0.4) as camera:
        source = open_stream(camera.address, reconnect=policy)
        frames = source.frames()
        start = time.monotonic()
        while not all(camera.injected.values()) and time.monotonic() - start < 60:
            next(frames)
        seen = [next(frames).image.shape for _ in range(5)]
        source.close()
    assert all(camera.injected[name] for name in FAULTS)
    assert len(set(seen)) == 1, "an image of another size is scaled"
    assert any("opened again" in notice for notice in source.notices)


@pytest.mark.integration
def test_a_short_run_reports_its_figures(tmp_path: Path) -> None:
    write_fake_model(tmp_path / "model.onnx", default_body())
    clip = write_clip(tmp_path / "clip.mp4", 30)
    figures = soak(clip, tmp_path / "model.onnx", "auto", 0.08, fault_interval=2)
    assert sum(figures["faults"].values()) >= 1
    assert figures["frames"] > 5
    assert 20_000 < figures["memory"][0] < 4_000_000
    assert figures["threads"][0] > 1
    assert figures["descriptors"][2] <= 0


def test_failures_and_cancellation_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 5)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        soak(clip, tmp_path / "model.onnx", "auto", 0.1)

    class Cancelled(SilentReporter):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Interrupted):
        soak(clip, "lite", "auto", 10, reporter=Cancelled())
    figures = summarize(samples(slope=30)) | {"faults": {"silence": 3}}
    monkeypatch.setattr(soak_module, "soak", lambda *_, **__: figures)
    assert cli.main(["bench", "--soak", "1", "--clip", str(clip)]) == 1
    assert "not steady" in capsys.readouterr().out
    assert cli.main(["bench", "--soak", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["slope"] == figures["slope"]
