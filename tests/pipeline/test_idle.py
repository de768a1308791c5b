"""A waiting pipeline uses no CPU time: none of its threads polls in a busy loop."""

from __future__ import annotations

import time
from pathlib import Path

from pymaf_live.body import default_body
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import open_source
from tests.helpers.clip import write_clip
from tests.helpers.model import write_fake_model

MAX_LOAD = 0.02
"""Fraction of one core."""


def becomes_idle(seconds: float = 20.0) -> bool:
    """Return True if this process stops using the CPU within `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        cpu, start = time.process_time(), time.monotonic()
        time.sleep(0.5)
        if time.process_time() - cpu < MAX_LOAD * (time.monotonic() - start):
            return True
    return False


def test_a_video_with_unread_results_uses_no_cpu_time(tmp_path: Path) -> None:
    model = write_fake_model(tmp_path / "fake.onnx", default_body())
    source = open_source(str(write_clip(tmp_path / "walk.mp4", 60)))
    with Pipeline(source, PipelineOptions(model=model)) as pipeline:
        results = pipeline.results()
        next(results)
        assert becomes_idle()
        assert len(list(results)) == 59
